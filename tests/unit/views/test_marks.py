"""A resolved group that fails again is a regression."""

from __future__ import annotations

import pytest
from relive_views.marks import HIDDEN, STATES, Mark, state_of

KNOWN = {
    ("shop", "aa"): Mark(state="resolved", marked_at=100),
    ("shop", "bb"): Mark(state="ignored", marked_at=100),
    ("shop", "cc"): Mark(state="open", marked_at=100),
}


@pytest.mark.parametrize(
    ("function", "group", "captured_at", "state"),
    [
        ("shop", "aa", 99, "resolved"),
        ("shop", "aa", 100, "resolved"),
        ("shop", "aa", 101, "regression"),
        ("shop", "bb", 101, "ignored"),
        ("shop", "cc", 99, "open"),
        ("shop", "dd", 99, "open"),
        ("cart", "aa", 99, "open"),  # the same fault in another function is another group
    ],
)
def test_the_state_of_a_failure(function: str, group: str, captured_at: int, state: str) -> None:
    assert state_of(KNOWN, function, group, captured_at) == state
    assert state in STATES
    assert (state in HIDDEN) == (state in ("resolved", "ignored"))
