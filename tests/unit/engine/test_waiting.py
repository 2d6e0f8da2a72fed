"""Attempts that wait: the first one first, none for longer than it may, none for a caller who has gone."""

from __future__ import annotations

from engine_fakes import Answers, an_attempt
from relive_platform.engine.attempt import Attempt
from relive_platform.engine.waiting import Waiting


def waiting(limit: int = 10, wait_limit_s: float = 5.0) -> tuple[Waiting, list[Attempt]]:
    left: list[Attempt] = []
    return Waiting(limit, wait_limit_s, left.append), left


def test_the_first_one_is_first_and_no_more_come_than_may() -> None:
    # Given room for two
    line, _ = waiting(limit=2)
    first, second, third = (an_attempt(str(number)) for number in range(3))
    # When three come
    assert [line.join(attempt) for attempt in (first, second, third)] == [True, True, False]
    # I expect the two, in their order
    assert [line.next(), line.next(), line.next()] == [first, second, None]


def test_who_had_a_worker_comes_before_all_others_whatever_the_limit_says() -> None:
    line, _ = waiting(limit=1)
    first, second, third = (an_attempt(str(number)) for number in range(3))
    line.join(third)
    line.rejoin([first, second])
    assert list(line) == [first, second, third]


def test_nobody_runs_for_a_caller_who_has_gone() -> None:
    # Given three that wait, and the first two's callers have gone
    line, left = waiting()
    attempts = [an_attempt(str(number)) for number in range(3)]
    for attempt in attempts:
        line.join(attempt)
    for attempt in attempts[:2]:
        assert isinstance(attempt.waiter, Answers)
        attempt.waiter.gone = True
    # When a worker is free, I expect the third to get it, and the others to be told as gone
    assert line.next() is attempts[2]
    assert left == attempts[:2]


def test_calls_wait_no_longer_than_they_may_take() -> None:
    # Given a call that may take a second, and an event behind it
    line, left = waiting(wait_limit_s=5.0)
    called = an_attempt("1", accepted_mono=100.0, timeout_s=1.0, trigger="call")
    event = an_attempt("2", accepted_mono=100.0, timeout_s=1.0)
    line.join(called)
    line.join(event)
    # When time goes by, I expect each to leave when its own time is over
    line.expire(101.0)
    assert left == []
    line.expire(101.1)
    assert left == [called]
    line.expire(105.1)
    assert left == [called, event]
