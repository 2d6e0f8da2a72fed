"""One way to call every sort of handler: event or HTTP function, plain or async."""

from __future__ import annotations

import base64
import inspect
from collections.abc import Callable, Coroutine
from types import CoroutineType
from typing import Any, Final

import msgspec
from relive_base.wire.messages import FunctionSpec, HttpRequest, Invoke

from relive_runtime.adapters.context import Context
from relive_runtime.adapters.events import decode_event
from relive_runtime.adapters.flask_context import flask_caller
from relive_runtime.adapters.http_function import HttpAnswer, Sender, http_caller
from relive_runtime.adapters.payload import http_event, trace_headers
from relive_runtime.adapters.results import BadResult, check_head, encode_result, encode_text
from relive_runtime.adapters.streaming import Streamer
from relive_runtime.worker.deadline import HandlerTimeout
from relive_runtime.worker.namesakes import originals

__all__ = ["Answer", "Handler", "event_answer"]

_JSON: Final = "application/json"


class Answer(msgspec.Struct):
    """What a Result frame takes."""

    body: bytes
    status: int = 200
    content_type: str = _JSON
    headers: list[tuple[str, str]] = []


class Handler:
    """The user's handler, ready to be called.

    `decode` turns the frame into arguments (raises BadEvent), `call` runs the user's code, `encode` makes the
    answer (raises BadResult): three steps, because each fails in its own way.
    """

    def __init__(
        self,
        function: Callable[..., object],
        spec: FunctionSpec,
        stream: str,
        streamer: Streamer | None = None,
        notice: Callable[[BaseException], None] | None = None,
    ) -> None:
        """`notice` is told of an exception that is an answer with a 5xx status."""
        self._spec = spec
        self._stream = stream
        self._streamer = streamer
        self._http = spec.kind == "http"
        self._loop = _Loop() if _is_async(function) else None
        self._call: Callable[..., object] = function
        if self._http:
            sender = Sender(self._awaited, spec.result_limit_bytes, streamer, notice or _ignore)
            self._call = flask_caller(function, sender, spec.name) or http_caller(function, sender)

    def decode(self, invoke: Invoke) -> tuple[object, ...]:
        """The arguments of the call. Raises BadEvent."""
        if self._http:
            if self._streamer is not None:
                self._streamer.begin(invoke)
            return invoke.http or _request_of(invoke), trace_headers(invoke)
        context = Context(self._spec, invoke, self._stream)
        if invoke.http is not None:
            return http_event(invoke, invoke.http, self._spec), context
        return decode_event(invoke.event), context

    def call(self, arguments: tuple[object, ...]) -> object:
        """Run the user's code. A coroutine that it returns is awaited: the handler is async, or wraps one."""
        value = self._call(*arguments)
        return self._awaited(value) if type(value) is CoroutineType else value

    def _awaited(self, coroutine: Coroutine[Any, Any, object]) -> object:
        if self._loop is None:
            self._loop = _Loop()
        return self._loop.run(coroutine)

    def close(self) -> None:
        """End its event loop; a worker ends instead."""
        if self._loop is not None:
            self._loop.close()

    def timed_out(self, error: HandlerTimeout) -> HandlerTimeout:
        """The timeout with the frames of the awaiting coroutine, if it hit the event loop and not the
        code."""
        return self._loop.timed_out(error) if self._loop is not None else error

    def encode(self, value: object, invoke: Invoke) -> Answer | HttpAnswer:
        """Raises BadResult."""
        if isinstance(value, HttpAnswer):
            return value
        if invoke.http is not None:
            return event_answer(value)
        return Answer(encode_result(value))


def _ignore(_error: BaseException) -> None:
    """For whom no invocation is recorded."""


def _is_async(function: Callable[..., object]) -> bool:
    call = getattr(function, "__call__", None)  # noqa: B004 - the method of an object that is called
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call)


def _request_of(invoke: Invoke) -> HttpRequest:
    """An HTTP function that is invoked with an event gets it as the JSON body of a POST."""
    headers = [("content-type", _JSON), ("content-length", str(len(invoke.event)))]
    return HttpRequest("POST", "/", "", headers, invoke.event, host="localhost")


def event_answer(value: object) -> Answer:
    """What an event function returned, as an HTTP answer: the object of payload 1.0 or 2.0, or any value as
    JSON with 200."""
    if not isinstance(value, dict) or "statusCode" not in value:
        return Answer(encode_result(value))
    status = value["statusCode"]
    try:
        code = int(status)
    except (TypeError, ValueError):
        raise BadResult(f"statusCode is {status!r}", hint="return an integer, such as 200") from None
    headers = _headers_of(value)
    content_type = next((text for name, text in headers if name == "content-type"), _JSON)
    kept = [pair for pair in headers if pair[0] not in ("content-type", "content-length")]
    kept += [("set-cookie", str(cookie)) for cookie in value.get("cookies") or ()]
    check_head(code, kept)
    return Answer(_answer_body(value), code, content_type, kept)


def _headers_of(value: dict[str, Any]) -> list[tuple[str, str]]:
    """Names in lower case; those of `multiValueHeaders` win, as they do on AWS."""
    single, multiple = value.get("headers") or {}, value.get("multiValueHeaders") or {}
    for name, table in (("headers", single), ("multiValueHeaders", multiple)):
        if not isinstance(table, dict):
            raise BadResult(f"{name} is a {type(table).__name__}", hint="make it a dict")
    pairs: list[tuple[str, str]] = []
    for name, values in multiple.items():
        listed = values if isinstance(values, list | tuple) else [values]
        pairs += [(str(name).lower(), str(text)) for text in listed]
    taken = {name for name, _ in pairs}
    more = [(str(name).lower(), str(text)) for name, text in single.items()]
    return pairs + [pair for pair in more if pair[0] not in taken]


def _answer_body(value: dict[str, Any]) -> bytes:
    body = value.get("body")
    if body is None:
        return b""
    if not isinstance(body, str):
        return bytes(body) if isinstance(body, bytes) else encode_result(body, 'result["body"]')
    if not value.get("isBase64Encoded"):
        return encode_text(body)
    try:
        return base64.b64decode(body, validate=True)
    except ValueError as error:
        raise BadResult(f"the body is said to be base64 but is not: {error}") from None


class _Loop:
    """An event loop that lives as long as the worker; each call is a task of its own."""

    def __init__(self) -> None:
        with originals():
            import asyncio  # here: only async handlers need it, and the zygote has imported it

            self._loop = asyncio.new_event_loop()
            asyncio.set_event_loop(self._loop)
        self._coroutine: Coroutine[Any, Any, object] | None = None

    def run(self, coroutine: Coroutine[Any, Any, object]) -> object:
        self._coroutine = coroutine
        result = self._loop.run_until_complete(coroutine)
        self._coroutine = None
        return result

    def close(self) -> None:
        """No coroutine runs any more."""
        self._loop.close()

    def timed_out(self, error: HandlerTimeout) -> HandlerTimeout:
        coroutine, self._coroutine = self._coroutine, None
        if coroutine is None or inspect.getcoroutinestate(coroutine) != inspect.CORO_SUSPENDED:
            return error
        inner = type(error)(*error.args)
        try:
            # Raised where the code waits: the traceback then has the frames of every await.
            coroutine.throw(inner)
        except HandlerTimeout as raised:
            return raised
        except BaseException:
            return error
        return error
