"""What a worker may tell of calls that it has begun by itself."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from relive_base.ids import new_invocation_ids
from relive_base.wire.messages import CallBegun, own_id
from relive_platform.engine.workers.born import is_own

INSTANCE = "0a1b2c3d-0000-4000-8000-000000000000"
NOW_NS = 1_900_000_000_000_000_000


def told() -> CallBegun:
    ident, trace_id, span_id, trigger_span_id = new_invocation_ids()
    ident = own_id(ident, INSTANCE)
    return CallBegun(
        invocation_id=ident,
        trace_id=trace_id,
        span_id=span_id,
        trigger_span_id=trigger_span_id,
        method="/shop.Echo/Say",
        began_ns=NOW_NS,
    )


def test_its_own_calls_are_taken() -> None:
    """Given ids that the worker has made, I expect them taken, and 1,000 of them to differ."""
    assert is_own(told(), INSTANCE, NOW_NS + 5_000_000)
    assert len({told().invocation_id for _ in range(1_000)}) == 1_000


@pytest.mark.parametrize(
    "forged",
    [
        {"invocation_id": new_invocation_ids()[0]},  # of another invocation
        {"invocation_id": "x"},
        {"trace_id": "0" * 31 + "'"},
        {"span_id": ""},
        {"trigger_span_id": "0" * 17},
        {"began_ns": NOW_NS - 3_600_000_000_000},
        {"began_ns": -1},
    ],
)
def test_what_is_forged_or_another_s_is_not(forged: dict[str, object]) -> None:
    """When a worker's code writes such a message itself, I expect it ignored."""
    assert not is_own(replace(told(), **forged), INSTANCE, NOW_NS)
