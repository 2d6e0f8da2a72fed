"""Which attempt somebody means who wants to end it."""

from __future__ import annotations

from typing import Any, cast

import pytest
from relive_base.errors import UsageError
from relive_base.records import InvocationRecord
from relive_platform.engine.attempt import Attempt
from relive_platform.engine.cancelling import InFlight, find
from relive_platform.engine.invocation import InvokeRequest


class _Nobody:
    def done(self) -> bool:
        return False

    def set_result(self, result: object, /) -> None: ...


def attempt(ident: str, function: str = "shop", accepted: int = 1, **more: Any) -> InFlight:
    record = InvocationRecord(
        invocation_id=ident, function=function, version=1, trace_id="", span_id="", trigger_span_id="",
        accepted_ns=accepted, **more,
    )  # fmt: skip
    made = Attempt(
        request=InvokeRequest(function=function),
        record=record,
        waiter=cast(Any, _Nobody()),
        timeout_s=1.0,
        accepted_mono=0.0,
    )
    return InFlight(cast(Any, None), None, made)


OLD = attempt("01a2283f-ae97-7000", accepted=1)
NEW = attempt("01a2283f-ae98-7000", accepted=2, event_id="order-7")
TIMER = attempt("01a2283f-ae99-7000", "tick", accepted=3, trigger="timer")
CALLED = attempt("01a2283f-aea0-7000", "pricing", accepted=4, trigger="call")
ALL = [OLD, NEW, TIMER, CALLED]


@pytest.mark.parametrize(
    ("ident", "expected"),
    [
        ("01a2283f-ae97-7000", OLD),
        ("01a2283f-ae98", NEW),
        ("01A2283F-AE98", NEW),
        ("order-7", NEW),
        ("shop", NEW),  # its newest
        ("last", NEW),  # neither the timer's nor what it called itself
        ("tick", TIMER),
        ("nosuch", None),
        ("01a9", None),
    ],
)
def test_ids_names_and_last(ident: str, expected: InFlight | None) -> None:
    assert find(ALL, ident) is expected


def test_a_beginning_of_several_is_not_guessed() -> None:
    with pytest.raises(UsageError, match="01a2283f-ae97-7000 and 01a2283f-ae98-7000"):
        find(ALL, "01a2283f-ae9")


def test_nothing_runs() -> None:
    assert find([], "last") is None
