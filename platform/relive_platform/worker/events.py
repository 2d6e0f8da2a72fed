"""From bytes to the event a handler gets: strict JSON, and HTTP requests in the shape of Lambda's payload
2.0."""

from __future__ import annotations

import base64
import functools
import json
import re
import time
from datetime import UTC, datetime
from typing import Final

from relive_base.errors import ReliveError
from relive_base.frames import FunctionSpec, HttpRequest, Invoke

from relive_platform.worker.namesakes import originals

__all__ = ["BadEvent", "decode_event", "http_event"]

_TOKENS = re.compile(rb'"(?:[^"\\]|\\.)*"?|-?(?:NaN|Infinity)|[\[\]{}]', re.DOTALL)
_PARAMETER: Final = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)(\+?)\}")
_ROUTES_KEPT: Final = 100
_TEXT_TYPES: Final = (
    "text/",
    "application/json",
    "application/xml",
    "application/javascript",
    "application/x-www-form-urlencoded",
)


class BadEvent(ReliveError):
    """The event is not valid JSON."""

    __module__ = "builtins"  # users read its bare name


class _NotANumber(ValueError):
    """NaN or an infinity, which JSON does not have."""


class _DuplicateKey(ValueError):
    """An object has a key twice."""


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    built = dict(pairs)
    if len(built) != len(pairs):
        seen: set[str] = set()
        for key, _value in pairs:
            if key in seen:
                raise _DuplicateKey(key)
            seen.add(key)
    return built


def _constant(name: str) -> object:
    raise _NotANumber(name)


_decoder = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant)


def decode_event(body: bytes) -> object:
    """The value of JSON text; None for an empty body. Raises BadEvent, which says where it is wrong."""
    if not body:
        return None
    try:
        return _decoder.decode(body.decode())
    except UnicodeDecodeError as error:
        byte = body[error.start]
        raise BadEvent(f"the event is not UTF-8: byte 0x{byte:02x} at offset {error.start}") from None
    except json.JSONDecodeError as error:
        place = f"line {error.lineno} column {error.colno} (offset {error.pos})"
        raise BadEvent(f"the event is not JSON: {error.msg} at {place}") from None
    except _NotANumber as error:
        raise BadEvent(f"the event has {error}, which JSON does not allow{_where_constant(body)}") from None
    except _DuplicateKey as error:
        raise BadEvent(f"the event has the key {str(error)[:100]!r} twice in one object") from None
    except RecursionError:
        depth, offset = _deepest(body)
        raise BadEvent(
            f"the event is nested {depth} levels deep, at offset {offset}: too deep to read"
        ) from None
    except ValueError as error:  # an integer with more digits than the interpreter converts
        raise BadEvent(f"the event cannot be read: {error}") from None


def _where_constant(body: bytes) -> str:
    for match in _TOKENS.finditer(body):
        if match.group()[:1] in b"-NI":
            return f", at offset {match.start()}"
    return ""


def _deepest(body: bytes) -> tuple[int, int]:
    depth = deepest = offset = 0
    for match in _TOKENS.finditer(body):
        token = match.group()
        if token in b"[{":
            depth += 1
            if depth > deepest:
                deepest, offset = depth, match.start()
        elif token in b"]}":
            depth -= 1
    return deepest, offset


def http_event(invoke: Invoke, request: HttpRequest, spec: FunctionSpec) -> dict[str, object]:
    """An HTTP request as AWS Lambda's payload format 2.0."""
    headers: dict[str, str] = {}
    cookies: list[str] = []
    for name, value in request.headers:
        if name == "cookie":
            cookies += [part.strip() for part in value.split(";")]
        else:
            headers[name] = f"{headers[name]},{value}" if name in headers else value
    now = time.time()
    route_key = f"{request.method} {request.route}" if request.route else "$default"
    event: dict[str, object] = {
        "version": "2.0",
        "routeKey": route_key,
        "rawPath": request.path,
        "rawQueryString": request.query,
        "headers": headers,
        "requestContext": {
            "accountId": "000000000000",
            "apiId": spec.app or spec.name,
            "domainName": request.host,
            "domainPrefix": request.host.partition(".")[0],
            "http": {
                "method": request.method,
                "path": request.path,
                "protocol": "HTTP/1.1",
                "sourceIp": request.client,
                "userAgent": headers.get("user-agent", ""),
            },
            "requestId": invoke.invocation_id,
            "routeKey": route_key,
            "stage": "$default",
            "time": datetime.fromtimestamp(now, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000"),
            "timeEpoch": int(now * 1_000),
        },
        "isBase64Encoded": False,
    }
    if cookies:
        event["cookies"] = cookies
    if "{" in request.route and (parameters := _path_parameters(request.route, request.path)):
        event["pathParameters"] = parameters
    if request.query:
        with originals():
            from urllib.parse import parse_qsl  # here: few workers need it, and the zygote has imported it

        event["queryStringParameters"] = _joined(parse_qsl(request.query, keep_blank_values=True))
    if request.body:
        event["body"], event["isBase64Encoded"] = _body(request.body, headers.get("content-type", ""))
    return event


@functools.lru_cache(_ROUTES_KEPT)
def _pattern(route: str) -> tuple[re.Pattern[str], tuple[str, ...]]:
    """What matches a path of `route`, with a group for each `{name}` or `{name+}`; their names."""
    texts = _PARAMETER.split(route)  # text, name, "+" or "", text, ...
    parts = [re.escape(texts[0])]
    for plus, text in zip(texts[2::3], texts[3::3], strict=True):
        parts += "(.+)" if plus else "([^/]+)", re.escape(text)
    return re.compile("".join(parts), re.DOTALL), tuple(texts[1::3])


def _path_parameters(route: str, path: str) -> dict[str, str]:
    pattern, names = _pattern(route)
    found = pattern.fullmatch(path)
    return dict(zip(names, found.groups(), strict=True)) if found else {}


def _joined(pairs: list[tuple[str, str]]) -> dict[str, str]:
    """Values of one name joined by commas, as payload 2.0 has them."""
    joined: dict[str, str] = {}
    for name, value in pairs:
        joined[name] = f"{joined[name]},{value}" if name in joined else value
    return joined


def _body(body: bytes, content_type: str) -> tuple[str, bool]:
    if not content_type or content_type.startswith(_TEXT_TYPES) or "+json" in content_type:
        try:
            return body.decode(), False
        except UnicodeDecodeError:
            pass  # said to be text, but is not: hand it on as binary
    return base64.b64encode(body).decode(), True
