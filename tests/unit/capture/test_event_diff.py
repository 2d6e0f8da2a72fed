"""The difference between two events: what a reader wants to see first, and bounded for whatever comes."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from relive_capture.explore.text import diff_values
from relive_capture.explore.text.event_diff import MAX_CHANGES

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({"sku": "A1", "n": 1}, {"n": 1}, ['- sku missing (was "A1")']),
        ({"n": 1}, {"n": 1, "coupon": None}, ["+ coupon new (null)"]),
        ({"n": 3}, {"n": "3"}, ['~ n 3 -> "3"']),
        ({"n": True}, {"n": 1}, ["~ n true -> 1"]),
        ({"a": {"b": [1, {"c": 2}]}}, {"a": {"b": [1, {"c": 5}]}}, ["~ a.b[1].c 2 -> 5"]),
        ({"odd key": [1, 2]}, {"odd key": [1]}, ['- ["odd key"][1] missing (was 2)']),
        ([], {}, ["~ the event [] -> {}"]),
        (1.0, 1, []),
    ],
)
def test_each_change_is_one_line(before: object, after: object, expected: list[str]) -> None:
    assert [change.text() for change in diff_values(before, after).changes] == expected


def test_a_flood_of_changes_is_bounded_and_counted() -> None:
    found = diff_values({}, {f"key{number}": "x" * 1_000 for number in range(500)})

    assert len(found.changes) == MAX_CHANGES
    assert found.more == 500 - MAX_CHANGES
    assert all(len(change.after) <= 80 for change in found.changes)


def test_deep_values_end() -> None:
    deep: object = 1
    for _ in range(5_000):
        deep = [deep]

    assert diff_values(deep, json.loads("[" * 900 + "]" * 900)).more == 0


@given(values, values)
def test_only_equal_values_have_no_difference(before: object, after: object) -> None:
    assert diff_values(before, before).changes == []
    assert bool(diff_values(before, after).changes) == (
        json.dumps(before, sort_keys=True) != json.dumps(after, sort_keys=True)
        and not _equal_numbers(before, after)
    )


def _equal_numbers(before: object, after: object) -> bool:
    """JSON writes 1 and 1.0 apart, which are the same number."""
    if isinstance(before, dict) and isinstance(after, dict):
        return before.keys() == after.keys() and all(
            _equal_numbers(before[key], after[key]) for key in before
        )
    if isinstance(before, list) and isinstance(after, list):
        return len(before) == len(after) and all(map(_equal_numbers, before, after))
    return isinstance(before, bool) == isinstance(after, bool) and before == after
