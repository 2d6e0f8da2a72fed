"""HTTP requests as Lambda's events, and what event functions answer."""

from __future__ import annotations

from typing import Any

import pytest
from relive_base.wire.messages import FunctionSpec, HttpRequest, Invoke
from relive_runtime.adapters.event.answers import event_answer
from relive_runtime.adapters.event.payload import http_event
from relive_runtime.adapters.results import BadResult

SPEC = FunctionSpec(name="f", version=1, handler="m:h", app="shop")
INVOKE = Invoke(
    invocation_id="i", trace_id="a" * 32, span_id="b" * 16, deadline_monotonic_ns=0, trace_state="k=v"
)
OURS = f"00-{'a' * 32}-{'b' * 16}-01"
CLIENTS = [("traceparent", f"00-{'c' * 32}-{'d' * 16}-01"), ("tracestate", "x=y")]


def event(payload: str, **more: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {"host": "shop.example", "client": "10.0.0.9", "payload": payload} | more
    request = HttpRequest(fields.pop("method", "GET"), fields.pop("path", "/orders/7"), **fields)
    return http_event(INVOKE, request, SPEC)


def test_payload_1_is_what_a_rest_api_sends() -> None:
    # Given a request with repeated headers and parameters
    headers = [("content-type", "application/json"), ("x-tag", "1"), ("x-tag", "2"), ("user-agent", "probe")]
    names = ["Content-Type", "X-Tag", "x-tag", "User-Agent"]

    found = event(
        "1.0",
        method="POST",
        query="a=1&a=2&b=",
        headers=headers,
        names=names,
        body=b'{"n": 1}',
        route="/orders/{id}",
        scheme="https",
    )

    # I expect Lambda's older format, with every value and the names as the client wrote them
    assert (found["httpMethod"], found["path"], found["resource"]) == ("POST", "/orders/7", "/orders/{id}")
    assert found["version"] == "1.0"
    assert found["headers"]["X-Tag"] == "2"
    assert found["multiValueHeaders"]["X-Tag"] == ["1", "2"]
    assert found["headers"]["Content-Type"] == "application/json"
    assert found["queryStringParameters"] == {"a": "2", "b": ""}
    assert found["multiValueQueryStringParameters"] == {"a": ["1", "2"], "b": [""]}
    assert found["pathParameters"] == {"id": "7"}
    assert (found["body"], found["isBase64Encoded"]) == ('{"n": 1}', False)
    context = found["requestContext"]
    assert (context["httpMethod"], context["resourcePath"]) == ("POST", "/orders/{id}")
    assert (context["identity"]["sourceIp"], context["identity"]["userAgent"]) == ("10.0.0.9", "probe")
    assert context["requestId"] == "i"
    assert found["multiValueHeaders"]["X-Forwarded-Proto"] == ["https"]


def test_what_a_request_has_not_is_none_in_payload_1() -> None:
    found = event("1.0")

    for key in ("queryStringParameters", "multiValueQueryStringParameters", "pathParameters", "body"):
        assert found[key] is None, key
    assert found["stageVariables"] is None


@pytest.mark.parametrize("payload", ["1.0", "2.0"])
def test_the_function_sees_relives_own_trace(payload: str) -> None:
    headers = event(payload, headers=CLIENTS)["headers"]

    assert (headers["traceparent"], headers["tracestate"]) == (OURS, "k=v")


def test_a_state_that_does_not_go_with_the_trace_is_left_out() -> None:
    invoke = Invoke(invocation_id="i", trace_id="a", span_id="b", deadline_monotonic_ns=0, sampled=False)

    headers = http_event(invoke, HttpRequest("GET", "/", headers=CLIENTS), SPEC)["headers"]

    assert isinstance(headers, dict)
    assert headers["traceparent"] == "00-a-b-00"
    assert "tracestate" not in headers


@pytest.mark.parametrize(
    ("host", "scheme", "port"),
    [
        ("shop.example", "http", "80"),
        ("shop.example", "https", "443"),
        ("h:81", "http", "81"),
        ("[::1]", "http", "80"),
    ],
)
def test_the_function_learns_how_its_client_came(host: str, scheme: str, port: str) -> None:
    headers = event("2.0", host=host, scheme=scheme)["headers"]

    assert headers["x-forwarded-proto"] == scheme
    assert headers["x-forwarded-port"] == port
    assert headers["x-forwarded-for"] == "10.0.0.9"


def test_what_a_trusted_proxy_said_stays() -> None:
    said = [("x-forwarded-for", "1.2.3.4, 10.0.0.9"), ("x-forwarded-proto", "https")]

    headers = event("2.0", headers=said, scheme="https", client="1.2.3.4")["headers"]

    assert headers["x-forwarded-for"] == "1.2.3.4, 10.0.0.9"
    assert headers["x-forwarded-proto"] == "https"


def test_every_value_of_a_header_is_sent() -> None:
    answer = event_answer(
        {
            "statusCode": 201,
            "headers": {"Content-Type": "text/plain", "X-One": "1", "x-two": "lost"},
            "multiValueHeaders": {"Set-Cookie": ["a=1", "b=2"], "X-Two": ["2", 3]},
            "body": "ok",
        }
    )

    assert (answer.status, answer.content_type, answer.body) == (201, "text/plain", b"ok")
    assert answer.headers == [
        ("set-cookie", "a=1"),
        ("set-cookie", "b=2"),
        ("x-two", "2"),
        ("x-two", "3"),
        ("x-one", "1"),
    ]


@pytest.mark.parametrize("key", ["headers", "multiValueHeaders"])
def test_headers_that_are_no_table_are_a_bad_result(key: str) -> None:
    with pytest.raises(BadResult, match=key):
        event_answer({"statusCode": 200, key: [("a", "b")]})
