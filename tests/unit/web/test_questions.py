"""What an address asks of a page is understood, or said to be not."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from relive_base.errors import UsageError
from relive_web.questions import asked

KNOWN = ("function", "range", "status", "group", "attempt")


def test_what_is_given_and_what_is_not() -> None:
    found = asked([("function", "a b"), ("range", "7d"), ("status", "ok"), ("attempt", "2")], KNOWN)
    assert (found.function, found.range_ns, found.status) == ("a b", 7 * 86_400 * 10**9, "ok")
    assert (found.attempt, found.group) == (2, "")
    nothing = asked([])
    assert (nothing.function, nothing.range, nothing.attempt) == ("", "24h", 0)


@pytest.mark.parametrize(
    ("pairs", "message", "hint"),
    [
        ([("range", "99x")], "'99x' is not a range", "one of 1h, 24h, 7d, 30d"),
        ([("range", "")], "range is empty", "leave out ?range="),
        ([("status", "broken")], "'broken' is not a status", "one of ok, error"),
        ([("attempt", "0")], "'0' is not the number of an attempt", "counted from 1"),
        ([("attempt", "²")], "not the number of an attempt", "counted from 1"),
        ([("attempt", "9" * 5_000)], "not the number of an attempt", "counted from 1"),
        ([("rnge", "1h")], "this page has no parameter 'rnge'", "?function=, ?range="),
        ([("range", "1h"), ("range", "7d")], "range is given twice", "leave one of them out"),
        ([("function", "  ")], "function is empty", "leave out"),
    ],
)
def test_what_is_not_understood_is_said(pairs: list[tuple[str, str]], message: str, hint: str) -> None:
    with pytest.raises(UsageError) as wrong:
        asked(pairs, KNOWN)
    assert message in wrong.value.message
    assert hint in wrong.value.hint


@given(st.lists(st.tuples(st.sampled_from([*KNOWN, "x"]) | st.text(), st.text())))
def test_whatever_is_asked_is_understood_or_refused(pairs: list[tuple[str, str]]) -> None:
    with suppress(UsageError):
        assert asked(pairs, KNOWN).range_ns > 0
        assert dict(pairs).keys() <= set(KNOWN)
