"""Pages of a long list; the last good data."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from relive_base.errors import ReliveError
from relive_tui.models.lists.feed import RETRY_S, Feed
from relive_tui.models.lists.pager import Pager

S = 1_000_000_000


def test_only_pages_that_are_looked_at_are_asked_for() -> None:
    # Given a million rows
    pager: Pager[int] = Pager()
    pager.reset(1_000_000)
    # When rows around the border of two pages are looked at, Then those two pages are missing
    assert pager.missing(250, 260) == [0, 1]
    pager.put(0, list(range(256)), pager.generation)
    assert pager.missing(250, 260) == [1]
    assert pager.get(255) == 255
    assert pager.get(256) is None
    assert pager.last_row_before(1) == 255


def test_a_slow_answer_does_not_land_in_a_newer_list() -> None:
    pager: Pager[int] = Pager()
    old = pager.reset(10)
    pager.reset(20)
    assert not pager.put(0, [1], old)
    assert pager.get(0) is None


@given(st.lists(st.integers(0, 500), min_size=1, max_size=200))
def test_the_number_of_pages_is_bounded_and_the_last_one_stays(numbers: list[int]) -> None:
    pager: Pager[int] = Pager(page_rows=4, max_pages=8)
    pager.reset(10_000)
    for number in numbers:
        pager.put(number, [number] * 4, pager.generation)
        assert pager.get(number * 4) == number
    assert sum(pager.get(number * 4) is not None for number in range(501)) <= 8


def test_missing_never_leaves_the_list() -> None:
    pager: Pager[int] = Pager()
    assert pager.missing(0, 50) == []
    pager.reset(3)
    assert pager.missing(-5, 5_000) == [0]


def test_an_error_keeps_the_last_good_value_and_shows_its_age() -> None:
    # Given data that came at second 10
    feed: Feed[list[int]] = Feed("failures")
    feed.begin()
    assert feed.status(0) == ("… loading failures", "dim")
    feed.succeed([1], 10 * S)
    assert feed.status(11 * S) == ("", "")
    # When the next question fails
    feed.fail(ReliveError("the store does not answer", hint="relive serve"))
    # Then the value is still there, and the state line says what, why and how old
    assert feed.value == [1]
    text, style = feed.status(42 * S)
    assert text.startswith("✖ failures:")
    assert "the store does not answer" in text
    assert "32s old" in text
    assert style == "error"


def test_retries_wait_longer_and_a_success_forgets_them() -> None:
    feed: Feed[int] = Feed("x")
    assert feed.retry_s == 0
    waits = []
    for _ in range(7):
        feed.fail(RuntimeError("\x1b[2J"))
        waits.append(feed.retry_s)
    assert waits[: len(RETRY_S)] == list(RETRY_S)
    assert waits[-1] == RETRY_S[-1]
    assert "\x1b" not in feed.error
    feed.succeed(1, 1)
    assert feed.retry_s == 0
