"""Workers that are shared out among processes, and connections that are too many for one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from relive_platform.server.gateways.moves import surplus
from relive_platform.server.gateways.shares import Need, shares


def need(*seen: int, floor: int = 1) -> Need:
    made = Need(floor)
    made.seen.extend(seen)
    return made


IDLE = need(0, 0, 0, 0, 0)


def test_equal_parts_of_which_the_first_are_larger() -> None:
    assert shares(5, [need(), need()]) == [3, 2]
    assert shares(4, [IDLE, IDLE]) == [2, 2]
    assert shares(1, [need(), need(), need()]) == [1, 0, 0]


def test_whoever_needs_more_for_a_while_gets_what_others_do_not_need() -> None:
    # Given one that could have used four workers all the time, and one that has used one at most
    assert shares(4, [need(1, 0, 1, 0, 1), need(4, 4, 5, 4, 6)]) == [1, 3]
    # I expect nothing to change for one that needs more only now and then, or while all need more
    assert shares(4, [need(1, 0, 1, 0, 1), need(4, 1, 5, 4, 6)]) == [2, 2]
    assert shares(4, [need(4, 4, 4, 4, 4), need(4, 4, 4, 4, 4)]) == [2, 2]


def test_workers_that_are_kept_ready_stay_where_they_are() -> None:
    assert shares(4, [need(0, 0, 0, 0, 0, floor=3), need(9, 9, 9, 9, 9)]) == [3, 1]


samples = st.lists(st.integers(0, 9), max_size=5)
needs = st.lists(
    st.builds(lambda floor, seen: need(*seen, floor=floor), st.integers(1, 3), samples),
    min_size=1,
    max_size=5,
)


@given(st.integers(0, 40), needs)
def test_all_of_them_are_shared_out_and_none_twice(total: int, needs: list[Need]) -> None:
    parts = shares(total, needs)

    assert sum(parts) == total
    assert min(parts) >= 0
    if total >= sum(one.floor for one in needs):
        assert all(part >= one.floor for part, one in zip(parts, needs, strict=True))


def test_a_process_gives_away_what_is_more_than_a_tenth_above_the_mean() -> None:
    assert surplus(16, 8.0) == 8
    assert surplus(9, 8.0) == 1
    assert surplus(100, 95.0) == 0
    assert surplus(3, 8.0) == 0
