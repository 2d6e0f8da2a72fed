"""CloudEvents as the SDK of the specification writes them, as ours are read by it, and what is none."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from cloudevents import conversion as sdk
from cloudevents.http import CloudEvent
from hypothesis import given
from hypothesis import strategies as st
from relive_platform.triggers.cloudevents.event import BadCloudEvent
from relive_platform.triggers.cloudevents.reading import UnknownFormat, read_events
from relive_platform.triggers.shapes import cloudevent_of, eventbridge_of

WHOLE: dict[str, Any] = {
    "specversion": "1.0", "id": "1", "source": "/shop/orders", "type": "com.example.placed",
    "time": "2020-01-02T12:34:56.123456789Z", "subject": "order/7 of Zoë", "dataschema": "https://example.com/s",
    "datacontenttype": "application/json", "sequence": 7, "traceparent": f"00-{'a' * 32}-{'b' * 16}-01",
}  # fmt: skip
STRUCTURED = {"content-type": "application/cloudevents+json; charset=utf-8"}


def structured(document: Any) -> tuple[dict[str, str], bytes]:
    return STRUCTURED, json.dumps(document).encode()


@pytest.mark.parametrize("data", [{"n": 1.0, "big": 2**70}, "text ü", None, b"\x00\xff"])
@pytest.mark.parametrize("write", [sdk.to_binary, sdk.to_structured])
def test_what_the_sdk_writes_is_read(write: Any, data: Any) -> None:
    # Given an event of the specification's SDK
    kind = {dict: "application/json", str: "text/plain", bytes: "image/png"}.get(
        type(data), "application/json"
    )
    attributes = {
        "id": "1", "source": "/a/b", "type": "t", "datacontenttype": kind, "subject": "order/7",
        "time": "2020-01-02T00:00:00+00:00", "traceparent": "x",
    }  # fmt: skip
    plain = None if isinstance(data, dict) else lambda value: value
    headers, body = write(CloudEvent(dict(attributes), data), plain)

    # When it is read
    [event], several = read_events({name.lower(): value for name, value in headers.items()}, body)

    # I expect the same
    assert not several
    found = event.document()
    assert {name: found[name] for name in attributes} == attributes
    if isinstance(data, bytes):
        assert base64.b64decode(found["data_base64"]) == data
    else:
        assert found.get("data") == data

    # ... and the SDK to read what the function gets
    read = sdk.from_json(CloudEvent, event.encode())
    assert (read["id"], read["source"], read.data) == ("1", "/a/b", data)


def test_headers_are_decoded_as_the_specification_says() -> None:
    headers = {
        "ce-specversion": "1.0", "ce-id": "1", "ce-source": "/s", "ce-type": "t",
        "ce-subject": "Euro%20%E2%82%AC%20%F0%9F%98%80",
        "ce-other": '"quoted \\"so\\""', "ce-plain": "Zo\u00c3\u00ab",
    }  # fmt: skip
    [event], _ = read_events(headers, b"")
    assert event.text("subject") == "Euro € 😀"
    assert event.text("other") == 'quoted "so"'
    assert event.text("plain") == "Zoë"
    assert "data" not in event.document()


def test_a_batch_is_all_of_its_events() -> None:
    documents = [{**WHOLE, "id": str(number), "data": number} for number in range(3)]
    headers = {"content-type": "application/cloudevents-batch+json"}
    events, several = read_events(headers, json.dumps(documents).encode())
    assert several
    assert [event.document() for event in events] == documents
    assert read_events(headers, b"[]") == ([], True)


def test_what_the_sender_wrote_reaches_the_function_as_it_is() -> None:
    # Given numbers that a round trip through floats would change
    body = b'{"specversion":"1.0","id":"1","source":"s","type":"t","data":{"a":1.00,"b":1e400}}'
    [event], _ = read_events(STRUCTURED, body)
    assert event.encode() == body
    headers = {
        "ce-specversion": "1.0",
        "ce-id": "1",
        "ce-source": "s",
        "ce-type": "t",
        "content-type": "text/json",
    }
    [event], _ = read_events(headers, b'{"a": 1.00}')
    assert event.encode().endswith(b'"data":{"a": 1.00}}')


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"id": None}, "no id"),
        ({"source": ""}, "no source"),
        ({"type": 7}, "type is not a text"),
        ({"specversion": "0.3"}, "specversion is '0.3'"),
        ({"Upper": "x"}, "name of an attribute"),
        ({"a_b": "x"}, "name of an attribute"),
        ({"list": []}, "neither a text"),
        ({"number": 1.5}, "neither a text"),
        ({"number": 2**31}, "32 bits"),
        ({"time": "yesterday"}, "time is not"),
        ({"time": "2020-13-01T00:00:00Z"}, "time is not"),
        ({"subject": "a\nb"}, "characters"),
        ({"subject": "\ud800"}, "characters"),
        ({"data": 1, "data_base64": "AA=="}, "not both"),
        ({"data_base64": "!"}, "not base64"),
        ({"data_base64": 7}, "not base64"),
    ],
)
def test_what_is_no_event_is_refused_with_the_reason(change: dict[str, Any], message: str) -> None:
    with pytest.raises(BadCloudEvent, match=message):
        read_events(*structured({**WHOLE, **change}))


@pytest.mark.parametrize("body", [b"", b"x", b"[]", b"7", b"{", b"[" * 100_000, b"\xff", b'{"id":1,"id":2}'])
def test_what_is_not_even_json_is_refused(body: bytes) -> None:
    for content_type in ("application/cloudevents+json", "application/cloudevents-batch+json"):
        if body == b"[]" and "batch" in content_type:
            continue
        with pytest.raises(BadCloudEvent):
            read_events({"content-type": content_type}, body)


@pytest.mark.parametrize(
    "content_type",
    ["", "application/json", "application/cloudevents+avro", "application/cloudevents+json; charset=utf-16"],
)
def test_what_is_another_format_is_told_apart(content_type: str) -> None:
    with pytest.raises(UnknownFormat):
        read_events({"content-type": content_type}, b"{}")


def test_a_batch_is_bounded() -> None:
    body = b"[" + b",".join([b"{}"] * 1_001) + b"]"
    with pytest.raises(BadCloudEvent, match="1,001 events"):
        read_events({"content-type": "application/cloudevents-batch+json"}, body)


@given(st.dictionaries(st.text(max_size=10), st.text(max_size=10), max_size=5), st.binary(max_size=40))
def test_nothing_that_is_sent_is_more_than_refused(headers: dict[str, str], body: bytes) -> None:
    for more in ({}, STRUCTURED, {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "s", "ce-type": "t"}):
        latin = {name: value.encode("utf-8").decode("latin-1") for name, value in (headers | more).items()}
        try:
            events, _ = read_events(latin, body)
        except (BadCloudEvent, UnknownFormat):
            continue
        assert all(json.loads(event.encode()) is not None for event in events)


def test_an_event_of_either_shape_can_be_made_of_the_other() -> None:
    event = {**WHOLE, "data": {"n": 1}}
    made = eventbridge_of(event)
    assert (made["detail-type"], made["source"], made["detail"]) == (
        "com.example.placed",
        "/shop/orders",
        {"n": 1},
    )
    assert made["resources"] == ["order/7 of Zoë"]
    assert made["cloudevents"]["sequence"] == 7

    back = cloudevent_of(made)
    assert {name: back[name] for name in ("id", "source", "type", "time", "subject", "data")} == {
        name: event[name] for name in ("id", "source", "type", "time", "subject", "data")
    }
    [read], _ = read_events(*structured(back))
    assert read.document() == back
