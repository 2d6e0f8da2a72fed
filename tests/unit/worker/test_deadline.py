"""The deadline timer, on the real clock, in this process."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator

import pytest
from relive_runtime.worker.limits.deadline import DEADLINE_SIGNAL, DeadlineTimer, HandlerTimeout


@pytest.fixture
def busy() -> list[bool]:
    return [False]


@pytest.fixture
def timer(busy: list[bool]) -> Iterator[DeadlineTimer]:
    made = DeadlineTimer(lambda: busy[0])
    yield made
    made.disarm()
    signal.signal(DEADLINE_SIGNAL, signal.SIG_IGN)


def _in(seconds: float) -> int:
    return time.monotonic_ns() + int(seconds * 1e9)


def _spin(cpu_seconds: float) -> None:
    """At least as long on the clock; on a busy machine longer."""
    end = time.thread_time() + cpu_seconds
    while time.thread_time() < end:
        pass


def _interrupted(timer: DeadlineTimer, begin: Callable[[], None]) -> str:
    """The message of the timeout that ends a long spin. It is not raised again: that would end the tests."""
    try:
        begin()
        _spin(5)
    except HandlerTimeout as error:
        _disarmed(timer)
        return str(error)
    raise AssertionError("no timeout came")


def _disarmed(timer: DeadlineTimer) -> None:
    """It may come again before: every tenth of a second."""
    try:
        timer.disarm()
    except HandlerTimeout:
        _disarmed(timer)


def test_it_raises_at_the_deadline(timer: DeadlineTimer) -> None:
    began = time.monotonic()
    assert _interrupted(timer, lambda: timer.arm(_in(0.05), "too long")) == "too long"
    assert time.monotonic() - began > 0.045
    assert isinstance(timer.raised, HandlerTimeout)


def test_it_raises_at_once_for_a_deadline_that_is_over(timer: DeadlineTimer) -> None:
    assert _interrupted(timer, lambda: timer.arm(_in(-1), "late")) == "late"


def test_it_is_silent_after_disarming(timer: DeadlineTimer) -> None:
    timer.arm(_in(0.5), "never")
    timer.disarm()
    _spin(0.6)
    assert timer.raised is None


def test_it_raises_again_when_it_was_swallowed(timer: DeadlineTimer) -> None:
    times: list[float] = []

    def swallow() -> None:
        try:
            timer.arm(_in(0.02), "again")
            _spin(5)
        except HandlerTimeout:
            times.append(time.monotonic())

    assert _interrupted(timer, swallow) == "again"
    assert time.monotonic() - times[0] > 0.08


def test_except_exception_does_not_swallow_it() -> None:
    assert not issubclass(HandlerTimeout, Exception)


def test_a_later_deadline_takes_over_the_shot_of_an_earlier_one(timer: DeadlineTimer) -> None:
    began = 0.0

    def begin() -> None:
        nonlocal began
        # Given an invocation that ended well before its deadline
        timer.arm(_in(0.5), "first")
        timer.disarm()
        # When the next one has a later deadline
        began = time.monotonic()
        timer.arm(_in(0.7), "second")

    # Then it is interrupted at its own deadline, not at the first one's
    assert _interrupted(timer, begin) == "second"
    assert time.monotonic() - began > 0.69


def test_an_earlier_deadline_moves_the_shot_forward(timer: DeadlineTimer) -> None:
    timer.arm(_in(60), "first")
    timer.disarm()
    assert _interrupted(timer, lambda: timer.arm(_in(0.03), "second")) == "second"


def test_it_waits_until_a_frame_has_been_written(timer: DeadlineTimer, busy: list[bool]) -> None:
    # Given the main thread in the middle of a frame when the deadline comes
    busy[0] = True
    timer.arm(_in(0.01), "later")
    _spin(0.05)
    assert timer.raised is None
    # When the frame is out, then the timeout follows at once
    began = time.thread_time()
    assert _interrupted(timer, lambda: busy.__setitem__(0, False)) == "later"
    assert time.thread_time() - began < 0.5
