"""Outcomes as HTTP."""

from __future__ import annotations

import json

import pytest
from relive_base.records import InvocationRecord
from relive_base.wire.messages import ErrorInfo, Result
from relive_platform.engine.invocation import Outcome
from relive_platform.triggers.http.responses import from_outcome


def _outcome(status: str = "ok", kind: str = "exception", **result: object) -> Outcome:
    record = InvocationRecord(
        invocation_id="i",
        function="f",
        version=1,
        trace_id="t",
        span_id="s",
        trigger_span_id="g",
        status=status,
    )
    if status != "ok":
        record.error = ErrorInfo(type="Broken", message="why", kind=kind)
        return Outcome(record)
    values: dict[str, object] = {"invocation_id": "i", "status": "ok", "started_ns": 1, "ended_ns": 2}
    return Outcome(record, Result(**values | result))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("status", "kind", "expected"),
    [
        ("error", "exception", 500),
        ("error", "bad_result", 502),
        ("error", "bad_event", 400),
        ("init_error", "init", 500),
        ("crash", "signal", 502),
        ("memory", "memory", 502),
        ("timeout", "timeout", 504),
        ("rejected", "throttled", 429),
    ],
)
def test_each_way_to_fail_has_its_status_and_names_the_error(status: str, kind: str, expected: int) -> None:
    response = from_outcome(_outcome(status, kind))

    error = json.loads(response.body)["error"]
    assert response.status == expected
    assert (error["type"], error["message"], error["invocation_id"]) == ("Broken", "why", "i")
    assert ("hint" in error) == (status != "rejected")


@pytest.mark.parametrize(
    "headers", [[("x", "a\r\nb: c")], [("x", "a\x00")], [("x y", "a")], [("", "a")], [("x:", "a")]]
)
def test_headers_that_could_split_the_response_make_it_502(headers: list[tuple[str, str]]) -> None:
    response = from_outcome(_outcome(headers=headers))

    names = [name for name, _ in response.headers()]
    assert response.status == 502
    assert names == [b"x-relive-invocation-id", b"traceparent", b"content-type", b"content-length"]


@pytest.mark.parametrize("status", [0, 100, 199, 600, 70_000])
def test_a_status_out_of_range_is_502(status: int) -> None:
    assert from_outcome(_outcome(http_status=status)).status == 502


def test_the_ids_are_on_every_response() -> None:
    for outcome in (_outcome(), _outcome("error")):
        headers = dict(from_outcome(outcome).headers())
        assert headers[b"x-relive-invocation-id"] == b"i"
        assert headers[b"traceparent"] == b"00-t-s-01"
