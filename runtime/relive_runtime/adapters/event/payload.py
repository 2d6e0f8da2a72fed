"""HTTP requests as AWS Lambda's events: payload format 2.0 (HTTP API, function URL) and 1.0 (REST API)."""

from __future__ import annotations

import base64
import functools
import re
import time
from datetime import UTC, datetime
from typing import Final

from relive_base.slashes import has_slashes, with_slashes, without_slashes
from relive_base.wire.messages import FunctionSpec, HttpRequest, Invoke

from relive_runtime.worker.start.namesakes import originals

__all__ = ["http_event", "trace_headers"]

_PARAMETER: Final = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)(\+?)\}")
_ROUTES_KEPT: Final = 100
_ACCOUNT: Final = "000000000000"
_STAGE: Final = "$default"
_TEXT_TYPES: Final = (
    "text/",
    "application/json",
    "application/xml",
    "application/javascript",
    "application/x-www-form-urlencoded",
)
_TRACE: Final = ("traceparent", "tracestate")
_IDENTITY: Final = (
    "accessKey", "accountId", "apiKey", "apiKeyId", "caller", "cognitoAuthenticationProvider",
    "cognitoAuthenticationType", "cognitoIdentityId", "cognitoIdentityPoolId", "principalOrgId", "user",
    "userArn",
)  # fmt: skip


def trace_headers(invoke: Invoke) -> tuple[str, str]:
    """`traceparent` and `tracestate` that the function is to see: what it records continues this trace."""
    flags = "01" if invoke.sampled else "00"
    return f"00-{invoke.trace_id}-{invoke.span_id}-{flags}", invoke.trace_state


def http_event(invoke: Invoke, request: HttpRequest, spec: FunctionSpec) -> dict[str, object]:
    """The request in the format that its trigger names; 2.0 if it names none."""
    if request.payload == "1.0":
        return _event_1(invoke, request, spec)
    return _event_2(invoke, request, spec)


def _event_2(invoke: Invoke, request: HttpRequest, spec: FunctionSpec) -> dict[str, object]:
    headers: dict[str, str] = {}
    cookies: list[str] = []
    for name, value in request.headers:
        if name == "cookie":
            cookies += [part.strip() for part in value.split(";")]
        elif name not in _TRACE:
            headers[name] = f"{headers[name]},{value}" if name in headers else value
    for name, value in _platform_headers(invoke, request):
        headers.setdefault(name, value)
    millis, clock = _now()
    route_key = f"{request.method} {request.route}" if request.route else "$default"
    event: dict[str, object] = {
        "version": "2.0",
        "routeKey": route_key,
        "rawPath": request.path,
        "rawQueryString": request.query,
        "headers": headers,
        "requestContext": {
            "accountId": _ACCOUNT,
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
            "stage": _STAGE,
            "time": clock,
            "timeEpoch": millis,
        },
        "isBase64Encoded": False,
    }
    if cookies:
        event["cookies"] = cookies
    if parameters := _path_parameters(request):
        event["pathParameters"] = parameters
    if request.query:
        event["queryStringParameters"] = {
            name: ",".join(values) for name, values in _query(request.query).items()
        }
    if request.body:
        event["body"], event["isBase64Encoded"] = _body(request.body, headers.get("content-type", ""))
    return event


def _event_1(invoke: Invoke, request: HttpRequest, spec: FunctionSpec) -> dict[str, object]:
    headers = _headers_1(invoke, request)
    plain = {name.lower(): values[-1] for name, values in headers.items()}
    query = _query(request.query) if request.query else {}
    millis, clock = _now()
    body, encoded = _body(request.body, plain.get("content-type", "")) if request.body else (None, False)
    identity: dict[str, object] = dict.fromkeys(_IDENTITY)
    identity |= {"sourceIp": request.client, "userAgent": plain.get("user-agent", "")}
    return {
        "version": "1.0",
        "resource": request.route,
        "path": request.path,
        "httpMethod": request.method,
        "headers": {name: values[-1] for name, values in headers.items()},
        "multiValueHeaders": headers,
        "queryStringParameters": {name: values[-1] for name, values in query.items()} or None,
        "multiValueQueryStringParameters": query or None,
        "pathParameters": _path_parameters(request) or None,
        "stageVariables": None,
        "requestContext": {
            "accountId": _ACCOUNT,
            "apiId": spec.app or spec.name,
            "domainName": request.host,
            "domainPrefix": request.host.partition(".")[0],
            "extendedRequestId": invoke.invocation_id,
            "httpMethod": request.method,
            "identity": identity,
            "path": request.path,
            "protocol": "HTTP/1.1",
            "requestId": invoke.invocation_id,
            "requestTime": clock,
            "requestTimeEpoch": millis,
            "resourceId": f"{request.method} {request.route}",
            "resourcePath": request.route,
            "stage": _STAGE,
        },
        "body": body,
        "isBase64Encoded": encoded,
    }


def _headers_1(invoke: Invoke, request: HttpRequest) -> dict[str, list[str]]:
    """Names as the client wrote them, as a REST API hands them on; each with all its values."""
    spelled: dict[str, str] = {}
    headers: dict[str, list[str]] = {}
    names = request.names or [name.title() for name, _ in request.headers]
    for name, (lower, value) in zip(names, request.headers, strict=False):
        if lower not in _TRACE:
            headers.setdefault(spelled.setdefault(lower, name), []).append(value)
    for lower, value in _platform_headers(invoke, request):
        if lower not in spelled:
            headers[lower if lower in _TRACE else lower.title()] = [value]
    return headers


def _platform_headers(invoke: Invoke, request: HttpRequest) -> list[tuple[str, str]]:
    """What AWS's gateways add: how the client came here, and the trace."""
    parent, state = trace_headers(invoke)
    port = request.host.rpartition(":")[2]
    found = [("x-forwarded-for", request.client)] if request.client else []
    found += [
        ("x-forwarded-port", port if port.isdecimal() else "443" if request.scheme == "https" else "80"),
        ("x-forwarded-proto", request.scheme),
        ("traceparent", parent),
    ]
    return [*found, ("tracestate", state)] if state else found


def _now() -> tuple[int, str]:
    now = time.time()
    return int(now * 1_000), datetime.fromtimestamp(now, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000")


@functools.lru_cache(_ROUTES_KEPT)
def _pattern(route: str) -> tuple[re.Pattern[str], tuple[str, ...]]:
    """What matches a path of `route`, with a group for each `{name}` or `{name+}`; their names."""
    texts = _PARAMETER.split(route)  # text, name, "+" or "", text, ...
    parts = [re.escape(texts[0])]
    for plus, text in zip(texts[2::3], texts[3::3], strict=True):
        parts += "(.+)" if plus else "([^/]+)", re.escape(text)
    return re.compile("".join(parts), re.DOTALL), tuple(texts[1::3])


def _path_parameters(request: HttpRequest) -> dict[str, str]:
    if "{" not in request.route:
        return {}
    pattern, names = _pattern(request.route)
    slashed = has_slashes(request.target)
    found = pattern.fullmatch(with_slashes(request.target) if slashed else request.path)
    if found is None:
        return {}
    values = map(without_slashes, found.groups()) if slashed else found.groups()
    return dict(zip(names, values, strict=True))


def _query(query: str) -> dict[str, list[str]]:
    """Every value of each name."""
    with originals():
        from urllib.parse import parse_qsl  # here: few workers need it, and the zygote has imported it

    values: dict[str, list[str]] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        values.setdefault(name, []).append(value)
    return values


def _body(body: bytes, content_type: str) -> tuple[str, bool]:
    if not content_type or content_type.startswith(_TEXT_TYPES) or "+json" in content_type:
        try:
            return body.decode(), False
        except UnicodeDecodeError:
            pass  # said to be text, but is not: hand it on as binary
    return base64.b64encode(body).decode(), True
