"""Decoding events: strict JSON that says where it is wrong, and HTTP as Lambda's payload 2.0."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from relive_base.wire.messages import FunctionSpec, HttpRequest, Invoke
from relive_runtime.adapters.event.decoding import BadEvent, decode_event
from relive_runtime.adapters.event.payload import http_event

SPEC = FunctionSpec(name="f", version=1, handler="m:h")
INVOKE = Invoke(invocation_id="i", trace_id="t", span_id="s", deadline_monotonic_ns=0)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(VALUES)
def test_json_comes_back_as_it_was(value: object) -> None:
    assert decode_event(json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")) == value


@given(st.binary(max_size=60))
def test_bytes_are_decoded_or_refused_with_a_place(body: bytes) -> None:
    message = ""
    try:
        decode_event(body)
    except BadEvent as error:
        message = error.message
    assert not message or message.startswith("the event ")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"\xc3\x28", "byte 0xc3 at offset 0"),
        (b"[1, -Infinity]", "-Infinity, which JSON does not allow, at offset 4"),
        (b'["NaN", NaN]', "at offset 8"),
        (b'[{"k": 1, "j": 2, "k": 3}]', "key 'k' twice"),
        (b"[1, 2", "line 1 column 6"),
        (b"[1]\n[2]", "line 2 column 1 (offset 4)"),
        (b"[" * 300_000 + b"]" * 300_000, "300000 levels deep, at offset 299999"),
        (b"1" * 10_000, "cannot be read"),
    ],
)
def test_what_is_refused_says_where(body: bytes, message: str) -> None:
    with pytest.raises(BadEvent, match="the event") as caught:
        decode_event(body)
    assert message in caught.value.message


def test_an_empty_body_is_no_event() -> None:
    assert decode_event(b"") is None


def test_a_request_becomes_payload_2() -> None:
    request = HttpRequest(
        "POST",
        "/checkout",
        query="a=1&a=2&b=&c=%20x",
        headers=[("cookie", "k=v; l=w"), ("x-many", "1"), ("x-many", "2"), ("user-agent", "probe")],
        body=b"\xff\x00",
        host="shop.localhost:8700",
        client="10.0.0.9",
        route="/checkout",
    )
    event = http_event(INVOKE, request, SPEC)
    assert event["version"] == "2.0"
    assert event["routeKey"] == "POST /checkout"
    assert event["rawQueryString"] == "a=1&a=2&b=&c=%20x"
    assert event["queryStringParameters"] == {"a": "1,2", "b": "", "c": " x"}
    assert event["headers"] == {
        "x-many": "1,2",
        "user-agent": "probe",
        "x-forwarded-for": "10.0.0.9",
        "x-forwarded-port": "8700",
        "x-forwarded-proto": "http",
        "traceparent": "00-t-s-01",
    }
    assert event["cookies"] == ["k=v", "l=w"]
    assert (event["body"], event["isBase64Encoded"]) == (base64.b64encode(b"\xff\x00").decode(), True)
    context = event["requestContext"]
    assert isinstance(context, dict)
    assert context["http"]["sourceIp"] == "10.0.0.9"
    assert context["http"]["userAgent"] == "probe"
    assert context["requestId"] == "i"


@pytest.mark.parametrize(
    ("route", "path", "parameters"),
    [
        ("/orders/{id}", "/orders/a b", {"id": "a b"}),
        ("/{shop}/v1.0/{rest+}", "/north/v1.0/x/y.z", {"shop": "north", "rest": "x/y.z"}),
        ("/{a}-{b}/", "/1-2/", {"a": "1", "b": "2"}),
        ("/orders", "/orders", None),
    ],
)
def test_what_a_route_leaves_open_is_in_the_event(route: str, path: str, parameters: object) -> None:
    event = http_event(INVOKE, HttpRequest("GET", path, route=route), SPEC)

    context = event["requestContext"]
    assert isinstance(context, dict)
    assert event.get("pathParameters") == parameters
    assert event["routeKey"] == context["routeKey"] == f"GET {route}"


@pytest.mark.parametrize(
    ("content_type", "body", "text", "binary"),
    [
        ("application/json", b"{}", "{}", False),
        ("text/plain; charset=utf-8", "é".encode(), "é", False),
        ("application/vnd.api+json", b"1", "1", False),
        ("image/png", b"abc", "YWJj", True),
        ("text/plain", b"\xff", "/w==", True),
    ],
)
def test_text_bodies_are_text_and_others_base64(
    content_type: str, body: bytes, text: str, binary: bool
) -> None:
    request = HttpRequest("POST", "/", headers=[("content-type", content_type)], body=body)
    event = http_event(INVOKE, request, SPEC)
    assert (event["body"], event["isBase64Encoded"]) == (text, binary)


def test_a_get_has_neither_body_nor_query() -> None:
    event = http_event(INVOKE, HttpRequest("GET", "/"), SPEC)
    assert "body" not in event
    assert "queryStringParameters" not in event
    assert event["routeKey"] == "$default"
