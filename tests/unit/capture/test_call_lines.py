"""The outgoing calls of a failure, as text and for machines."""

from __future__ import annotations

import pytest
from relive_capture.explore.text import call_lines, calls_json
from relive_capture.recording_format import Body, Failure, RecordedCall

OK = RecordedCall(
    kind="http", library="httpx", method="GET", url="https://shop/price", status=200, took_ns=4_100_000,
    response_body=Body(text='{"price": 7}'),
)  # fmt: skip
BAD = RecordedCall(
    kind="http", method="POST", url="https://shop/pay", status=502, took_ns=1_000_000,
    request_body=Body(text="card=[redacted]"), response_body=Body(text="upstream is down"),
)  # fmt: skip
GONE = RecordedCall(
    kind="connect", url="https://mail:25",
    failure=Failure("builtins.ConnectionRefusedError", [111, "Connection refused"], "connect"),
)  # fmt: skip
INVOKED = RecordedCall(kind="invoke", url="pricing", status=200, took_ns=2_000_000)


def texts(*calls: RecordedCall, limit: int = 8, bodies: bool = False, width: int = 80) -> list[str]:
    return [line.text for line in call_lines(calls, width, limit, bodies=bodies)]


def test_each_call_has_its_answer_and_its_time() -> None:
    lines = texts(OK, INVOKED)

    assert lines == [
        "",
        "Calls",
        "     4.1 ms  200  GET https://shop/price",
        "     2.0 ms  ok   relive.invoke pricing",
    ]


def test_one_that_failed_is_marked_and_says_what_was_answered() -> None:
    lines = texts(BAD, GONE)

    assert lines[2:] == [
        "✖    1.0 ms  502  POST https://shop/pay",
        "    answered  upstream is down",
        "✖         -  https://mail:25  ConnectionRefusedError: 111, Connection refused (…",
    ]


def test_in_full_what_was_sent_and_answered_is_there() -> None:
    lines = texts(OK, BAD, bodies=True)

    assert '    answered  {"price": 7}' in lines
    assert "    sent      card=[redacted]" in lines


def test_the_last_ones_are_shown_and_how_many_there_were() -> None:
    assert texts(OK, OK, BAD, limit=1)[1:3] == [
        "Calls, the last 1 of 3",
        "✖    1.0 ms  502  POST https://shop/pay",
    ]
    assert texts() == []


@pytest.mark.parametrize("width", [40, 80, 100])
def test_lines_keep_to_the_width_and_controls_do_nothing(width: int) -> None:
    evil = RecordedCall(kind="http", method="GET", url="https://x/" + "\x1b[2J" * 50, status=500)

    assert all(len(line) <= width and "\x1b" not in line for line in texts(evil, width=width))


def test_machines_get_all_of_them() -> None:
    rows = calls_json([OK, GONE])

    assert rows[0]["url"] == "https://shop/price"
    assert rows[0]["response_body"] == '{"price": 7}'
    assert rows[0]["error"] is None
    assert "Connection refused" in rows[1]["error"]
