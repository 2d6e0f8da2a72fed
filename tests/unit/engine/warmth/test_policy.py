"""In which idle times a worker is worth its memory."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from relive_platform.engine.warmth.policy import (
    EDGES_S,
    PRIOR,
    Costs,
    History,
    hazards,
    is_kept,
    prior_of,
    windows,
)

MINUTE_S = 60.0


def history_of(*gaps_s: float) -> History:
    history = History()
    for gap_s in gaps_s:
        history.add(gap_s)
    return history


def kept_s(found: list[tuple[float, float]]) -> float:
    return sum(end - begin for begin, end in found)


def test_a_worker_is_kept_where_waiting_outweighs_memory() -> None:
    # Given a function that is invoked every few seconds, with a long break now and then
    history = history_of(*([4.0, 5.0, 7.0] * 30))
    # When its worker costs little and starts slowly, and when it is large and starts fast
    slow = windows(history, Costs(start_s=2.0, memory_gb=0.05, price=700))
    large = windows(history, Costs(start_s=0.005, memory_gb=2.0, price=700))
    # I expect the first one to be kept for long, and the other one not beyond the usual seconds
    assert is_kept(slow, 5.0)
    assert kept_s(slow) > 10 * MINUTE_S
    assert kept_s(large) < 20.0


def test_a_regular_function_has_a_worker_when_it_comes_and_not_before() -> None:
    # Given one that is invoked every two hours
    found = windows(history_of(*[7_200.0] * 12), Costs(start_s=3.0, memory_gb=0.2, price=700))
    # I expect a worker around the two hours, and none in the hour before
    assert is_kept(found, 7_200.0)
    assert not is_kept(found, 4_000.0)
    assert not is_kept(found, 9_500.0)


def test_the_fleet_speaks_for_a_new_function() -> None:
    # Given fleets whose functions come back after some minutes, and after some hours
    soon = prior_of([history_of(*[180.0] * 5) for _ in range(50)])
    late = prior_of([history_of(*[20_000.0] * 5) for _ in range(50)])
    costs = Costs(start_s=1.0, memory_gb=0.1, price=300)
    assert is_kept(windows(History(), costs, soon), 170.0)
    assert not is_kept(windows(History(), costs, late), 170.0)
    # Its own habits win once it has some
    own = history_of(*[180.0] * 20)
    assert is_kept(windows(own, costs, late), 170.0)


def test_old_habits_fade() -> None:
    history = history_of(*[10.0] * 50)
    costs = Costs(start_s=0.3, memory_gb=0.2, price=700)
    assert not is_kept(windows(history, costs), 1_000.0)
    for _ in range(200):
        history.add(1_000.0)
    assert is_kept(windows(history, costs), 1_000.0)
    assert sum(history.counts) < 70


GAPS = st.lists(st.floats(0, 10**7, allow_nan=False), max_size=60)


@given(gaps=GAPS, start_s=st.floats(0, 100), memory_gb=st.floats(0.0001, 64), price=st.floats(0.01, 10**6))
def test_windows_are_in_order_and_dearer_waiting_never_keeps_less(
    gaps: list[float], start_s: float, memory_gb: float, price: float
) -> None:
    history = history_of(*gaps)
    found = windows(history, Costs(start_s, memory_gb, price))
    assert all(begin < end for begin, end in found)
    assert all(first[1] < second[0] for first, second in itertools.pairwise(found))
    more = windows(history, Costs(start_s, memory_gb, price * 4))
    assert kept_s(more) >= kept_s(found) - 1e-6
    assert all(rate >= 0 for rate in hazards(history))


def test_the_prior_is_a_share_of_each_bin() -> None:
    assert sum(PRIOR) == pytest.approx(1.0)
    assert len(PRIOR) == len(EDGES_S) - 1
    assert sum(prior_of([history_of(5.0), History()])) == pytest.approx(1.0)
