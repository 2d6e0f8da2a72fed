"""Which recorded call answers a call."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st
from relive_base.redaction.redactor import Redactor
from relive_capture.bodies import body_of
from relive_capture.explore.scene.recordings import build_recording
from relive_capture.record.playback.recorded_calls import RecordedCalls, normal_url
from relive_capture.recording_format import Failure, RawCall, RecordedCall, Recording, ReplayNotes

PLACES = st.sampled_from(["http://shop/a", "http://shop/b?x=1&y=2", "https://shop:444/a", "http://shop/"])
CALLS = st.tuples(st.sampled_from(["GET", "POST"]), PLACES, st.sampled_from([b"", b"one", b'{"a": 1}']))


def entry(method: str, url: str, body: bytes = b"", answer: bytes = b"") -> RecordedCall:
    return RecordedCall(
        kind="http",
        method=method,
        url=url,
        request_body=body_of(body),
        status=200,
        response_body=body_of(answer),
    )


@given(st.lists(CALLS, max_size=12))
def test_the_same_calls_in_the_same_order_get_their_own_answers(calls: list[tuple[str, str, bytes]]) -> None:
    recorded = [entry(*call, answer=str(number).encode()) for number, call in enumerate(calls)]
    recorded_calls = RecordedCalls(recorded)

    assert [recorded_calls.take("http", *call) for call in calls] == recorded
    assert not recorded_calls.unused()
    assert not recorded_calls.differing
    assert recorded_calls.answered == len(calls)


@given(st.lists(CALLS, max_size=10), st.lists(CALLS, max_size=10))
def test_every_call_is_answered_once_or_named(
    recorded: list[tuple[str, str, bytes]], calls: list[tuple[str, str, bytes]]
) -> None:
    recorded_calls = RecordedCalls([entry(*call) for call in recorded])

    found = [recorded_calls.take("http", *call) for call in calls]

    assert len(recorded_calls.missing) == found.count(None)
    assert recorded_calls.answered + len(recorded_calls.unused()) == len(recorded)
    for call, answer in zip(calls, found, strict=True):
        assert answer is None or (answer.method, answer.url) == call[:2]


def test_a_body_decides_where_several_calls_are_alike() -> None:
    recorded_calls = RecordedCalls(
        [entry("POST", "http://shop/", b"one", b"1"), entry("POST", "http://shop/", b"two", b"2")]
    )

    assert recorded_calls.take("http", "POST", "http://shop/", b"two").response_body.text == "2"  # type: ignore[union-attr]
    assert recorded_calls.take("http", "POST", "http://shop/", b"three").response_body.text == "1"  # type: ignore[union-attr]
    assert recorded_calls.differing == ["POST http://shop/"]


def test_json_is_the_same_in_any_order_of_its_keys() -> None:
    recorded_calls = RecordedCalls([entry("POST", "http://shop/", b'{"a": 1, "b": [2]}')])

    assert recorded_calls.take("http", "POST", "http://shop/", b'{"b":[2],"a":1}')
    assert not recorded_calls.differing


def test_urls_are_compared_without_their_default_port_and_in_one_order() -> None:
    assert normal_url("http://Shop:80/a?y=2&x=1#top") == normal_url("http://shop/a?x=1&y=2")
    assert normal_url("https://shop:444/a") != normal_url("https://shop/a")
    assert normal_url("http://[broken") == "http://[broken"


def test_what_was_redacted_is_redacted_before_it_is_compared() -> None:
    # Given a call whose URL and body hold secrets, as it is kept
    raw = RawCall("parts", "httpcore", "invoke", 0, method="POST", url="https://shop/pay?token=abc123def456")
    raw.request = json.dumps({"sku": "A1", "password": "hunter2hunter2"}).encode()
    raw.status, raw.ended = 200, True
    raw.response = json.dumps({"access_token": "tok-abcdef", "price": 4}).encode()
    recording = Recording(notes=ReplayNotes(), recorded_calls=[raw])
    (kept,) = build_recording(recording, Redactor()).recorded_calls
    text = str(kept)
    assert not [secret for secret in ("abc123def456", "hunter2hunter2", "tok-abcdef") if secret in text]

    # When the call is made again, with its secrets
    recorded_calls = RecordedCalls([kept], Redactor())
    found = recorded_calls.take("http", "POST", "https://shop/pay?token=abc123def456", raw.request)

    # I expect it to be answered, and the redacted value of the answer to be named
    assert found is kept
    assert not recorded_calls.differing
    assert recorded_calls.redacted == ["POST https://shop/pay?token=[redacted]: response.body.access_token"]


def test_a_place_that_was_down_is_down_as_often_as_it_is_tried() -> None:
    refused = Failure("builtins.ConnectionRefusedError", [111, "Connection refused"], "connect")
    recorded_calls = RecordedCalls(
        [entry("GET", "http://shop:8080/"), RecordedCall(kind="connect", url="shop:8080", failure=refused)]
    )

    assert recorded_calls.failed("connect", "shop:8080") is None  # its first call was answered
    assert recorded_calls.take("http", "GET", "http://shop:8080/", b"")
    assert recorded_calls.failed("connect", "shop:8080")
    assert recorded_calls.failed("connect", "shop:8080")
    assert recorded_calls.failed("connect", "elsewhere:80") is None
