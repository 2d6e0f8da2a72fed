"""The C extension does what is there in Python, too."""

from __future__ import annotations

import signal
import sys
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from relive_profiler.record import native
from relive_profiler.record.timer import PROFILE_SIGNAL, ThreadTimer, cpu_timer

extension = native.native()
needs_extension = pytest.mark.skipif(extension is None, reason="the C extension was not built")

CUT = "cut"


def _at_depth(depth, then):
    return then() if depth == 0 else _at_depth(depth - 1, then)


def _generated(then):
    yield then()


def _frames(depth, generated):
    if generated:
        return next(_generated(lambda: _at_depth(depth, sys._getframe)))
    return _at_depth(depth, sys._getframe)


def _twice(walk, *arguments):
    """Not in the test itself, whose frame is walked: it stands at one place, whatever `walk` is."""
    return [walk(*arguments, CUT) for _ in range(2)]


@needs_extension
@given(st.integers(0, 40), st.integers(0, 60), st.booleans(), st.booleans(), st.integers(0, 30))
def test_both_walk_alike(depth, limit, generated, whole, known):
    # Given a stack of which some places are known
    outer = None if whole else sys._getframe()
    frame = _frames(depth, generated)
    made = {}
    for walk in (native.walk, extension.walk):
        lines: dict = {}
        asked = []

        def place(frame, lines=lines, asked=asked):
            asked.append((frame.f_code.co_qualname, frame.f_lasti))
            if len(asked) <= known:
                lines.setdefault(id(frame.f_code), {})[frame.f_lasti] = asked[-1]
            return asked[-1]

        # When each walks it twice
        made[walk] = _twice(walk, frame, outer, limit, lines, place), asked
    # Then both find the same, and ask for the same
    assert made[native.walk] == made[extension.walk]
    found = made[native.walk][0][0]
    assert len(found) == len(set(enumerate(found))) <= limit + 1
    assert (found[-1:] == (CUT,)) == (len(found) == limit + 1)


@pytest.mark.parametrize(
    "walk", [native.walk, pytest.param(extension and extension.walk, marks=needs_extension)]
)
def test_what_cannot_be_told_of_a_frame_is_raised(walk):
    def place(_frame):
        raise RecursionError("as deep as can be")

    with pytest.raises(RecursionError, match="as deep"):
        walk(sys._getframe(), None, 10, {}, place, CUT)


@needs_extension
def test_what_is_no_frame_is_refused():
    assert extension.walk(None, None, 10, {}, str, CUT) == ()
    for arguments in (("not a frame", None, 10, {}, str, CUT), (None, None, 10, [], str, CUT), (None,)):
        with pytest.raises(TypeError):
            extension.walk(*arguments)


@needs_extension
def test_the_walk_keeps_nothing_alive():
    # Given a place that nothing else holds
    class Place:
        pass

    counts = []
    for _ in range(3):
        place = Place()
        frame = sys._getframe()
        # When a stack is walked again and again
        for _ in range(100):
            extension.walk(frame, None, 50, {}, lambda _frame, place=place: place, CUT)
        # Then there are as many references to it and to the frame as before
        counts.append((sys.getrefcount(place), sys.getrefcount(frame)))
        del frame
    assert len(set(counts)) == 1
    assert counts[0][0] < 10


@pytest.mark.parametrize("settime", ["", "1"], ids=["native", "by ctypes"])
@pytest.mark.parametrize("clock", [ThreadTimer, cpu_timer], ids=["real", "CPU"])
def test_a_shot_comes_once_and_can_be_called_off(monkeypatch, settime, clock):
    monkeypatch.setenv(native.PURE_VARIABLE, settime)
    if not settime and extension is None:
        pytest.skip("the C extension was not built")
    if threading.current_thread() is not threading.main_thread():
        pytest.skip("signals are the main thread's")
    shots = []
    before = signal.signal(PROFILE_SIGNAL, lambda *_: shots.append(time.thread_time_ns()))
    timer = clock(PROFILE_SIGNAL)
    if timer is None:
        pytest.skip("there is no timer on CPU time")
    try:
        # When it is armed for 10 ms
        began = time.thread_time_ns(), time.monotonic_ns()
        timer.arm(10_000_000)
        while not shots and time.monotonic() * 1e9 < began[1] + 60e9:
            pass
        # Then it comes, no earlier, and not again
        assert time.monotonic_ns() - began[1] >= 10_000_000
        _compute(30_000_000)
        assert len(shots) == 1
        # When it is armed for seconds, or called off
        timer.arm(7_500_000_000)
        _compute(20_000_000)
        timer.arm(300_000_000)
        timer.disarm()
        _compute(350_000_000)
        # Then nothing comes
        assert len(shots) == 1
        # When it is to come again and again
        timer.repeat_ns = 5_000_000
        timer.arm(10_000_000)
        while len(shots) < 4 and time.monotonic() * 1e9 < began[1] + 120e9:
            pass
        timer.disarm()
        # Then it does, until it is called off
        assert len(shots) >= 4
        count = len(shots)
        _compute(40_000_000)
        assert len(shots) == count
    finally:
        timer.delete()
        signal.signal(PROFILE_SIGNAL, before)


def _compute(cpu_ns):
    end = time.thread_time_ns() + cpu_ns
    while time.thread_time_ns() < end:
        pass


def test_the_extension_can_be_left_out(monkeypatch):
    monkeypatch.setenv(native.PURE_VARIABLE, "1")
    assert native.native() is None
    assert native.chosen_walk() is native.walk
    assert native.chosen_settime() is None
    assert native.ticking() is None
