"""Where exceptions of the standard library and of well-known ones keep their facts. Nothing is imported."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from relive_capture.record.exceptions.sql_names import named_parameters

__all__ = ["SOURCES", "Fact", "http_facts"]

_AROUND: Final = 60  # characters before and after the place in a text
_MAX_FIELDS: Final = 30
_DIAGNOSTICS: Final = (
    ("message_detail", "detail"),
    ("message_hint", "hint"),
    ("constraint_name", "constraint"),
    ("table_name", "table"),
    ("column_name", "column"),
    ("context", "where"),
)


class Fact(NamedTuple):
    """One fact. `before` stands before the value's text; `secret_name` is what the value is called;
    `named` are (name, value) pairs that the message may show."""

    name: str
    value: Any
    before: str = ""
    secret_name: str = ""
    named: tuple[tuple[str, Any], ...] = ()


Source = Callable[[Any], Iterable[Fact]]


def _get(value: Any, *names: str) -> Any:
    """The first of the attributes that is there and not None."""
    for name in names:
        try:
            found = getattr(value, name)
        except Exception:  # a property of a library, such as httpx's `request`, may raise
            continue
        if found is not None:
            return found
    return None


def _attributes(*names: tuple[str, str]) -> Source:
    """Facts that are attributes: (name of the attribute, name of the fact)."""

    def facts(error: Any) -> Iterator[Fact]:
        for attribute, name in names:
            value = _get(error, attribute)
            if value is not None and value != "":
                yield Fact(name, value)

    return facts


# ---------------------------------------------------------------- the standard library


def _process(error: Any) -> Iterator[Fact]:
    yield Fact("command", _get(error, "cmd"))
    status = _get(error, "returncode")
    if isinstance(status, int):
        yield Fact("exit status", _exit_status(status))
    yield Fact("timeout", _get(error, "timeout"))
    yield Fact("stdout", _get(error, "output"))
    yield Fact("stderr", _get(error, "stderr"))


def _exit_status(status: int) -> str:
    try:
        return f"{status} ({signal.Signals(-status).name})" if status < 0 else str(status)
    except ValueError:
        return str(status)


def _json(error: Any) -> Iterator[Fact]:
    text, at = _get(error, "doc"), _get(error, "pos")
    if isinstance(text, str | bytes) and isinstance(at, int):
        yield Fact("at", f"character {at} of {len(text)}")
        around: Any = text[max(at - _AROUND, 0) : at + _AROUND]
        yield Fact("text there", repr(around))


def _unicode(error: Any) -> Iterator[Fact]:
    data, start, end = _get(error, "object"), _get(error, "start"), _get(error, "end")
    if isinstance(data, str | bytes) and isinstance(start, int) and isinstance(end, int):
        yield Fact("at", f"position {start} of {len(data)}")
        around: Any = data[max(start - _AROUND, 0) : end + _AROUND]
        yield Fact("text there", repr(around))


# ---------------------------------------------------------------- HTTP


def http_facts(error: Any) -> Iterator[Fact]:
    """Of whatever has a `response`, a `request`, or both: requests, httpx, and clients built on them."""
    response = _get(error, "response")
    request = _get(error, "request") or _get(response, "request", "request_info")
    if request is not None:
        url = _get(request, "url", "real_url") or _get(response, "url")
        yield Fact("request", f"{_get(request, 'method') or ''} {url or ''}".strip())
    if isinstance(response, Mapping):
        yield from _mapped_response(response)
        return
    status = _get(response, "status_code", "status")
    if status is None:
        return
    yield Fact("status", f"{status} {_get(response, 'reason', 'reason_phrase') or ''}".strip())
    body = _get(response, "_content", "_body", "data")  # as far as it was read: nothing is read for this
    if isinstance(body, str | bytes):
        yield Fact("body", body)


def _mapped_response(response: Mapping[str, Any]) -> Iterator[Fact]:
    """botocore's: a dict."""
    error, meta = response.get("Error"), response.get("ResponseMetadata")
    if isinstance(error, Mapping):
        yield Fact("code", error.get("Code"))
        yield Fact("error", {str(key): value for key, value in error.items() if key != "Code"})
    if isinstance(meta, Mapping):
        yield Fact("status", meta.get("HTTPStatusCode"))
        yield Fact("request id", meta.get("RequestId"))


def _botocore(error: Any) -> Iterator[Fact]:
    yield Fact("operation", _get(error, "operation_name"))
    yield from http_facts(error)


def _urllib(error: Any) -> Iterator[Fact]:
    yield Fact("request", _get(error, "filename", "url"))
    yield Fact("status", f"{_get(error, 'code') or ''} {_get(error, 'msg') or ''}".strip())


def _aiohttp(error: Any) -> Iterator[Fact]:
    info = _get(error, "request_info")
    if info is not None:
        yield Fact("request", f"{_get(info, 'method') or ''} {_get(info, 'real_url') or ''}".strip())
    yield Fact("status", f"{_get(error, 'status') or ''} {_get(error, 'message') or ''}".strip())


def _grpc(error: Any) -> Iterator[Fact]:
    for name in ("code", "details"):
        method = _get(error, name)
        if callable(method):
            value = method()
            yield Fact("status" if name == "code" else name, _get(value, "name") or value)


def _status_body(error: Any) -> Iterator[Fact]:
    yield Fact("status", _get(error, "status_code", "http_status", "status", "code"))
    yield Fact("detail", _get(error, "detail", "description", "body", "json_body"))


# ---------------------------------------------------------------- databases


def _sqlalchemy(error: Any) -> Iterator[Fact]:
    statement, parameters = _get(error, "statement"), _get(error, "params")
    if statement is not None:
        named = tuple(named_parameters(str(statement), parameters))
        yield Fact("SQL", statement)
        if parameters:
            many = isinstance(parameters, list | tuple) and isinstance(parameters[0], list | tuple | Mapping)
            what = f"parameters, the first of {len(parameters)}" if many else "parameters"
            yield Fact(what, dict(named) if named else parameters, named=named)
    original = _get(error, "orig")
    if original is not None:
        yield Fact("driver error", f"{type(original).__module__}.{type(original).__qualname__}")
        yield from _postgres(original)


def _postgres(error: Any) -> Iterator[Fact]:
    """psycopg, psycopg2 and asyncpg; sqlite3 and MySQL name their codes otherwise."""
    yield Fact("SQLSTATE", _get(error, "sqlstate", "pgcode"))
    yield Fact("code", _get(error, "sqlite_errorname", "errno"))
    diagnostics = _get(error, "diag") or error
    for attribute, name in _DIAGNOSTICS:
        value = _get(diagnostics, attribute)
        if isinstance(value, str):
            yield Fact(name, value)
    query = _get(error, "query") or _get(_get(error, "cursor"), "query")
    if isinstance(query, str | bytes):
        yield Fact("SQL", query)


# ---------------------------------------------------------------- validation


def _path(parts: Iterable[Any]) -> str:
    text = ""
    for part in parts:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def _pydantic(error: Any) -> Iterator[Fact]:
    try:
        entries = error.errors(include_url=False, include_context=False)
    except TypeError:  # pydantic 1, FastAPI
        entries = error.errors()
    for entry in list(entries)[:_MAX_FIELDS]:
        places = tuple(entry.get("loc") or ())
        name = next((place for place in reversed(places) if isinstance(place, str)), "")
        before = f"{entry.get('msg', '')} [{entry.get('type', '')}]"
        if "input" in entry:
            yield Fact(_path(places) or "(whole)", _brief(entry["input"]), f"{before}, got ", name)
            yield Fact("", None, named=((name, entry["input"]),))
        else:
            yield Fact(_path(places) or "(whole)", None, before)


def _brief(value: Any) -> Any:
    """A text as it is written in a program, so that 1 and "1" differ."""
    return repr(value) if isinstance(value, str | bytes) or value is None else value


def _marshmallow(error: Any) -> Iterator[Fact]:
    messages = _get(error, "messages")
    if isinstance(messages, Mapping):
        for name, text in list(messages.items())[:_MAX_FIELDS]:
            yield Fact(str(name), "; ".join(map(str, text)) if isinstance(text, list) else text)


def _jsonschema(error: Any) -> Iterator[Fact]:
    places = tuple(_get(error, "absolute_path", "path") or ())
    name = next((place for place in reversed(places) if isinstance(place, str)), "")
    instance = _get(error, "instance")
    yield Fact("at", _path(places) or "(whole)")
    yield Fact("rule", f"{_get(error, 'validator')}: {_get(error, 'validator_value')}")
    yield Fact("value", _brief(instance), secret_name=name, named=((name, instance),))


# ---------------------------------------------------------------- others


def _tenacity(error: Any) -> Iterator[Fact]:
    attempt = _get(error, "last_attempt")
    yield Fact("attempts", _get(attempt, "attempt_number"))
    method = _get(attempt, "exception")
    if callable(method):
        last = method()
        if last is not None:
            yield Fact("last error", f"{type(last).__qualname__}: {last}")


SOURCES: Final[dict[tuple[str, str], Source]] = {
    ("subprocess", "SubprocessError"): _process,
    ("json", "JSONDecodeError"): _json,
    ("builtins", "UnicodeDecodeError"): _unicode,
    ("builtins", "UnicodeEncodeError"): _unicode,
    ("urllib", "HTTPError"): _urllib,
    ("sqlite3", "Error"): _postgres,
    ("requests", "JSONDecodeError"): _json,
    ("requests", "RequestException"): http_facts,
    ("httpx", "HTTPError"): http_facts,
    ("aiohttp", "ClientResponseError"): _aiohttp,
    ("botocore", "ClientError"): _botocore,
    ("grpc", "RpcError"): _grpc,
    ("werkzeug", "HTTPException"): _status_body,
    ("starlette", "HTTPException"): _status_body,
    ("stripe", "StripeError"): _status_body,
    ("elastic_transport", "ApiError"): _status_body,
    ("sqlalchemy", "StatementError"): _sqlalchemy,
    ("psycopg", "Error"): _postgres,
    ("psycopg2", "Error"): _postgres,
    ("asyncpg", "PostgresMessage"): _postgres,
    ("mysql", "Error"): _postgres,
    ("pymongo", "OperationFailure"): _attributes(("code", "code"), ("details", "details")),
    ("pydantic_core", "ValidationError"): _pydantic,
    ("pydantic", "ValidationError"): _pydantic,
    ("fastapi", "ValidationException"): _pydantic,
    ("marshmallow", "ValidationError"): _marshmallow,
    ("jsonschema", "_Error"): _jsonschema,
    ("jinja2", "TemplateSyntaxError"): _attributes(("name", "template"), ("lineno", "line")),
    ("click", "ClickException"): _attributes(("exit_code", "exit status")),
    ("tenacity", "RetryError"): _tenacity,
}
"""(top-level package, class) -> what it has to tell; the first class along the MRO that is known."""
