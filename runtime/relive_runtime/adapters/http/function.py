"""HTTP functions: a werkzeug Request in, whatever Flask accepts as an answer out."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from types import CoroutineType
from typing import Any, Final, cast

from relive_base.wire.messages import HttpRequest, StreamHead

from relive_runtime.adapters.base import JSON_TYPE, Answer, Attempt
from relive_runtime.adapters.http.streaming import Streamer, encoded, joined
from relive_runtime.adapters.results import BadResult, check_head, encode_result, encode_text

__all__ = [
    "Awaited",
    "HttpAnswer",
    "HttpCall",
    "Sender",
    "each_of",
    "environ_of",
    "http_caller",
    "request_maker",
    "take_headers",
    "to_answer",
]

Awaited = Callable[[Coroutine[Any, Any, object]], object]
"""Runs a coroutine to its end."""

_HTML: Final = "text/html; charset=utf-8"
_MAX_HEADER_NAMES: Final = 1_000
_OK: Final = 200
_SERVER_ERROR: Final = 500
_EXAMPLE: Final = HttpRequest("get", "//a/b", "q=1", [], b"", "https", "host:81", "127.0.0.1:2", "/fn/x/")


class HttpAnswer(Answer):
    """One whose body may come in parts."""

    content_type: str = _HTML
    parts: Any = None  # an iterator of the body's parts, plain or asynchronous
    close: Callable[[], object] | None = None  # tells the iterator that no more is wanted
    length: int = -1  # of the parts together, if the function says it


HttpCall = Callable[[HttpRequest, tuple[str, str], Attempt], HttpAnswer]
"""Runs the handler and sends its answer: the request, `traceparent` and `tracestate`, whose it is."""


class _HeaderNames:
    """Header name -> WSGI key. Names repeat, so that they are translated once."""

    def __init__(self) -> None:
        self._known = {"content-type": "CONTENT_TYPE", "content-length": "CONTENT_LENGTH"}

    def key(self, name: str) -> str:
        known = self._known.get(name)
        if known is None:
            known = "HTTP_" + name.upper().replace("-", "_")
            if len(self._known) < _MAX_HEADER_NAMES:
                self._known[name] = known
        return known


_names = _HeaderNames()


def environ_of(request: HttpRequest, trace: tuple[str, str] | None = None) -> dict[str, Any]:
    """A WSGI environ: only what the protocol demands, so that building it stays cheap.

    `trace`: the `traceparent` and `tracestate` that the function is to see instead of the client's.
    """
    host, _, port = request.host.rpartition(":") if "]" in request.host else request.host.partition(":")
    if host.endswith(":") or "[" in port:  # an IPv6 address without a port
        host, port = request.host, ""
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": request.mount,
        "PATH_INFO": request.path,
        "QUERY_STRING": request.query,
        "RAW_URI": f"{request.target}?{request.query}" if request.query else request.target,
        "SERVER_NAME": host or "localhost",
        "SERVER_PORT": port or ("443" if request.scheme == "https" else "80"),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": request.client,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": request.scheme,
        "wsgi.input": io.BytesIO(request.body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
    }
    key_of = _names.key
    for name, value in request.headers:
        key = key_of(name)
        if key in environ and key.startswith("HTTP_"):
            environ[key] += ("; " if name == "cookie" else ",") + value
        else:
            environ[key] = value
    if trace is not None:
        environ["HTTP_TRACEPARENT"], state = trace
        if state:
            environ["HTTP_TRACESTATE"] = state
        else:
            environ.pop("HTTP_TRACESTATE", None)
    if request.body:
        environ["CONTENT_LENGTH"] = str(len(request.body))
    if not request.path.isascii():
        environ["PATH_INFO"] = request.path.encode().decode("latin-1")  # WSGI strings are bytes in disguise
    return environ


def request_maker() -> Callable[[HttpRequest, dict[str, Any]], Any]:
    """What makes a werkzeug Request of a request and its environ.

    It sets the attributes that werkzeug's constructor sets, in a third of the time, if both agree in an
    example; a function may bring a version of werkzeug in which they do not.
    """
    from werkzeug.datastructures import EnvironHeaders
    from werkzeug.wrappers import Request

    def constructed(request: HttpRequest, environ: dict[str, Any]) -> Request:
        return Request(environ, populate_request=False)

    def made(request: HttpRequest, environ: dict[str, Any]) -> Request:
        if not request.path.isascii() or not request.mount.isascii():
            return constructed(request, environ)
        built = Request.__new__(Request)
        built.__dict__ = {
            "method": request.method.upper(),
            "scheme": request.scheme,
            "server": (environ["SERVER_NAME"], _number(environ["SERVER_PORT"])),
            "root_path": request.mount.rstrip("/"),
            "path": "/" + request.path.lstrip("/"),
            "query_string": request.query.encode("latin1"),
            "headers": EnvironHeaders(environ),
            "remote_addr": request.client,
            "environ": environ,
            "shallow": False,
        }
        return built

    try:
        environ = environ_of(_EXAMPLE)
        agree = vars(made(_EXAMPLE, environ)) == vars(constructed(_EXAMPLE, environ))
    except Exception:  # a version that is made quite differently
        agree = False
    return made if agree else constructed


def _number(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None


class Sender:
    """Brings an answer whose body comes in parts to its caller: `limit` bytes in one piece, or as they come
    if the caller takes them so."""

    def __init__(
        self,
        awaited: Awaited,
        limit: int,
        streamer: Streamer | None,
        notice: Callable[[BaseException], None],
    ) -> None:
        """`notice` is told of an exception that is an answer with a 5xx status."""
        self.awaited = awaited
        self._notice = notice
        self._limit = limit
        self._streamer = streamer

    def refused(self, error: Any) -> None:
        """An HTTPException is the answer: abort(503)."""
        if (error.code or 0) >= _SERVER_ERROR:
            self._notice(getattr(error, "original_exception", None) or error)

    def send(self, answer: HttpAnswer, attempt: Attempt) -> HttpAnswer:
        """Check it, and have its parts sent or joined. Raises BadResult, and what the iterator raises."""
        if answer.parts is None:
            if answer.headers or answer.status != _OK:
                check_head(answer.status, answer.headers)
            return answer
        try:
            check_head(answer.status, answer.headers)
            parts = answer.parts
            self._send(answer, attempt, parts if hasattr(parts, "__next__") else each_of(parts, self.awaited))
        finally:
            if answer.close is not None:
                answer.close()
        return answer

    def _send(self, answer: HttpAnswer, attempt: Attempt, parts: Iterator[object]) -> None:
        streamer = self._streamer
        if streamer is None or not attempt.invoke.stream:
            answer.body = joined(parts, self._limit)
            return
        # Up to the first part all is as usual: what fails there has an answer that says so.
        first = next(filter(None, map(encoded, parts)), b"")
        if not first or len(first) >= answer.length >= 0:
            answer.body = joined(parts, self._limit, first)
            return
        head = StreamHead(
            http_status=answer.status,
            content_type=answer.content_type,
            headers=answer.headers,
            length=answer.length,
        )
        streamer.send(attempt, head, first, parts)


def http_caller(handler: Callable[..., object], sender: Sender) -> HttpCall:
    """What calls `handler` with a werkzeug Request. An HTTPException that it raises is its answer."""
    from werkzeug.exceptions import HTTPException

    request_of = request_maker()
    awaited = sender.awaited

    def call(request: HttpRequest, trace: tuple[str, str], attempt: Attempt) -> HttpAnswer:
        environ = environ_of(request, trace)
        try:
            value = handler(request_of(request, environ))
            if type(value) is CoroutineType:
                value = awaited(value)
        except HTTPException as error:  # abort(404) and the like
            value = error.get_response(environ)
            sender.refused(error)
        return sender.send(to_answer(value, environ), attempt)

    return call


def to_answer(value: object, environ: Mapping[str, Any], root: str = "result") -> HttpAnswer:
    """By Flask's rules: text, bytes, dict or list, (body, status, headers), Response, iterator. Raises
    BadResult. `root`: what the value is of the result."""
    kind = type(value)
    if kind is str:
        return HttpAnswer(encode_text(cast(str, value)))
    if kind is dict or kind is list:
        return HttpAnswer(encode_result(value, root), content_type=JSON_TYPE)
    if isinstance(value, tuple):
        return _from_tuple(value, environ)
    if isinstance(value, bytes | bytearray):
        return HttpAnswer(bytes(value))
    if isinstance(value, str):
        return HttpAnswer(encode_text(value))
    if isinstance(value, dict | list):
        return HttpAnswer(encode_result(value, root), content_type=JSON_TYPE)
    if hasattr(value, "get_wsgi_response"):
        return _from_response(value, environ)
    if value is None:
        raise BadResult("the handler returned None", hint="return text, a dict or a Response")
    if hasattr(value, "__next__") or hasattr(value, "__anext__"):
        return HttpAnswer(b"", parts=value, close=getattr(value, "close", None))
    raise BadResult(
        f"the handler returned a value of type {kind.__name__}",
        hint="return str, bytes, dict, list, (body, status, headers) or a Response",
    )


def each_of(value: Any, awaited: Awaited) -> Iterator[object]:
    """What an asynchronous iterator gives."""

    async def following() -> object:
        return await value.__anext__()

    try:
        while True:
            yield awaited(following())
    except StopAsyncIteration:
        return
    finally:
        if hasattr(value, "aclose"):
            awaited(value.aclose())


def _from_response(value: Any, environ: Mapping[str, Any]) -> HttpAnswer:
    parts, status, headers = value.get_wsgi_response(environ)
    answer = HttpAnswer(b"", int(status.split(" ", 1)[0]), "")
    take_headers(answer, headers)
    if getattr(value, "is_streamed", False):
        answer.parts, answer.close = iter(parts), getattr(parts, "close", None)
        return answer
    try:
        answer.body = b"".join(parts)
    finally:
        if hasattr(parts, "close"):
            parts.close()
    return answer


def take_headers(answer: HttpAnswer, headers: Iterable[tuple[str, str]]) -> None:
    """Put the headers of a WSGI answer in their places."""
    for name, text in headers:
        lower = name.lower()
        if lower == "content-type":
            answer.content_type = text
        elif lower == "content-length":
            answer.length = int(text) if text.isdecimal() else -1
        else:
            answer.headers.append((lower, text))


def _from_tuple(value: tuple[Any, ...], environ: Mapping[str, Any]) -> HttpAnswer:
    status: object = None
    headers: object = None
    if len(value) == 3:
        body, status, headers = value
    elif len(value) == 2:
        body, second = value
        if isinstance(second, int | str):
            status = second
        else:
            headers = second
    else:
        raise BadResult(
            f"the handler returned a tuple of {len(value)}", hint="return (body, status, headers)"
        )
    answer = to_answer(body, environ, "result[0]")
    if status is not None:
        answer.status = _status(status)
    take_headers(answer, _pairs(headers))
    return answer


def _status(status: object) -> int:
    try:
        return int(str(status).split(" ", 1)[0])
    except ValueError:
        raise BadResult(
            f"{status!r} is not an HTTP status", hint='return a number or "404 NOT FOUND"'
        ) from None


def _pairs(headers: Any) -> list[tuple[str, str]]:
    if headers is None:
        return []
    items = headers.items() if hasattr(headers, "items") else headers
    pairs: list[tuple[str, str]] = []
    for name, value in items:
        values = value if isinstance(value, list | tuple) else [value]
        pairs.extend((str(name), str(text)) for text in values)
    return pairs
