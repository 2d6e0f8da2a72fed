"""How many workers are forked for what waits, and what one worker has at once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from relive_platform.engine.pace import AHEAD_LIMIT, FORK_COST_S, Pace, smoothed, workers_wanted

FAST_S = 0.001
SLOW_S = 0.300


@pytest.mark.parametrize(
    ("waiting", "serving", "service_s", "wanted"),
    [
        (0, 0, 0.0, 0),
        (3, 0, 0.0, 3),  # nothing is known of the function
        (7, 1, SLOW_S, 7),  # each would wait longer than a fork takes
        (7, 1, FAST_S, 0),  # served within 7 ms, before a fork is there
        (40, 1, FAST_S, 1),
        (40, 4, FAST_S, 0),
        (7, 0, FAST_S, 1),  # a stall: one fresh worker serves all seven in no time
        (100, 0, FAST_S, 10),
    ],
)
def test_a_worker_is_forked_where_waiting_is_dearer(
    waiting: int, serving: int, service_s: float, wanted: int
) -> None:
    assert workers_wanted(waiting, serving, service_s) == wanted


def test_one_stall_does_not_make_a_function_slow() -> None:
    service_s = 0.0
    for _ in range(20):
        service_s = smoothed(service_s, FAST_S)

    assert smoothed(service_s, 0.5) < FORK_COST_S / 4


def test_a_function_that_has_become_slow_is_slow_within_a_dozen_invocations() -> None:
    service_s = FAST_S
    for _ in range(12):
        service_s = smoothed(service_s, SLOW_S)

    assert service_s > SLOW_S / 3


@given(
    st.integers(1, 10_000), st.integers(0, 64), st.floats(0.0, 100.0, allow_nan=False, allow_subnormal=False)
)
def test_never_more_than_one_for_each_that_waits_and_never_none_where_nobody_serves(
    waiting: int, serving: int, service_s: float
) -> None:
    wanted = workers_wanted(waiting, serving, service_s)

    assert (0 if serving else 1) <= wanted <= waiting


def test_only_a_fast_function_gets_events_ahead_and_a_slow_one_none_for_a_while() -> None:
    # Given a function of which nothing is known
    pace = Pace()
    assert not pace.ahead_limit
    # When many of its invocations take 20 us
    for _ in range(400):
        pace.took(0.0001, FAST_S / 10)
    # I expect as many ahead as one worker does in a millisecond, and no more than fit
    assert 0 < pace.ahead_limit <= AHEAD_LIMIT
    # When one of them takes long, I expect none, and again some after as many as that costs
    pace.took(0.1, 0.1)
    assert not pace.ahead_limit
    for _ in range(400):
        pace.took(0.0001, FAST_S / 10)
    assert pace.ahead_limit
    pace.turned_slow()
    assert not pace.ahead_limit
