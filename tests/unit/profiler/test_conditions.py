"""A statement has the conditions that its filters make, and no others."""

from __future__ import annotations

from relive_profiler.explore.conditions import OTHER, fitted
from relive_profiler.explore.filters import HotFilter, parameters


def _of_both(before: HotFilter, after: HotFilter) -> dict[str, object]:
    return parameters(before) | {OTHER + name: value for name, value in parameters(after).items()}


def test_only_what_constrains_is_said() -> None:
    values = parameters(HotFilter(function="orders' OR 1", version=2))
    # A value is a parameter, never text
    assert fitted("__PROFILES__", values) == (
        "Function = {function:String} AND Version = {version:UInt32} AND Phase = {phase:String}"
    )
    assert fitted("__STACKS__", values) == "Function = {function:String}"
    assert fitted("__STACKS__", parameters(HotFilter())) == "1"
    assert fitted("__INVOCATIONS__", parameters(HotFilter())) == "HandlerStartedAt > toDateTime64(0, 9)"


def test_what_both_sides_demand_stands_once() -> None:
    values = _of_both(HotFilter(function="orders", version=1), HotFilter(function="orders", version=2))
    assert fitted("__PROFILES_OF_BOTH__ | __OLD_PROFILES__ | __NEW_PROFILES__", values) == (
        "Function = {function:String} AND Phase = {phase:String}"
        " AND (Version = {version:UInt32} OR Version = {other_version:UInt32})"
        " | Version = {version:UInt32} | Version = {other_version:UInt32}"
    )


def test_a_side_that_demands_no_more_is_all_of_it() -> None:
    values = _of_both(HotFilter(function="orders"), HotFilter(function="orders", status=("error",)))
    assert fitted("__PROFILES_OF_BOTH__ | __OLD_PROFILES__ | __NEW_PROFILES__", values) == (
        "Function = {function:String} AND Phase = {phase:String}"
        " | 1 | has({other_statuses:Array(String)}, Status)"
    )
