"""CPU time of requests that run beside each other, by their threads and by their ticks."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterable, Sequence
from types import FrameType

from relive_profiler.record import BesideSampler, Look, thread_cpu_ns
from relive_profiler.record.timer import PROFILE_SIGNAL

MS = 1_000_000


class Bench:
    """A sampler whose ticks are called by hand, and who it sees."""

    def __init__(self) -> None:
        self.wall_ns = self.cpu_ns = 1_000 * MS
        self.main: Look | None = None
        self.used: list[tuple[Look, int, FrameType, int]] = []
        self.any = True
        self.clocks: dict[int, int] = {}  # of threads that run nobody's code, too
        self.sampler = BesideSampler(
            self,
            lambda *_: None,
            timer_factory=lambda _number: self,
            clock=lambda: self.wall_ns,
            cpu_clock=lambda: self.cpu_ns,
            thread_clocks=lambda: dict(self.clocks),
        )
        self.sampler._timer = self

    def anybody(self) -> bool:
        return self.any

    def running(self) -> Look | None:
        return self.main

    def threads(self) -> Iterable[tuple[Look, int, FrameType, int]]:
        return self.used

    def waiting(self, limit: int) -> Iterable[tuple[Look, Sequence[FrameType]]]:
        return ()

    def arm(self, delay_ns: int) -> None:
        """As a timer does, which is this one's own."""

    def tick(self, wall_ms: int, cpu_ms: int) -> None:
        self.wall_ns += wall_ms * MS
        self.cpu_ns += cpu_ms * MS
        self.sampler._on_signal(PROFILE_SIGNAL, sys._getframe())


def cpu_of(look: Look) -> int:
    return sum(entry[2] for entry in look.fold.values())


def test_each_thread_of_a_request_has_its_own_cpu_time() -> None:
    # Given a request with a thread that has computed for long, and one that has not, and neither goes on
    bench = Bench()
    look = bench.sampler.begin("one")
    here = sys._getframe()
    bench.used = [(look, 1, here, 900 * MS), (look, 2, here, 0)]
    for _ in range(3):
        bench.tick(5, 0)
    # I expect no CPU time
    assert cpu_of(look) == 0
    # ... and what the second one uses from now on
    bench.used = [(look, 1, here, 900 * MS), (look, 2, here, 3 * MS)]
    bench.tick(5, 0)
    assert cpu_of(look) == 3 * MS


def test_a_request_that_is_met_once_has_what_its_thread_used_since_the_tick_before() -> None:
    # Given a thread of a pool that has computed for others, and a request that is shorter than the ticks
    bench = Bench()
    bench.clocks = {7: 900 * MS}
    look = bench.sampler.begin("one")
    bench.tick(5, 0)
    bench.clocks = {7: 904 * MS, 8: 3 * MS}
    # When it is met in it, and another one in a thread that is new
    bench.used = [(look, 7, sys._getframe(), 904 * MS), (look, 8, sys._getframe(), 3 * MS)]
    bench.tick(5, 0)
    # I expect what both have used since then, and nothing twice
    assert cpu_of(look) == 7 * MS
    bench.tick(5, 0)
    assert cpu_of(look) == 7 * MS


def test_a_request_is_charged_no_more_than_the_time_that_it_is_looked_at() -> None:
    # Given code that is nobody's, which computes for long before a request is met
    bench = Bench()
    look = bench.sampler.begin("one")
    for _ in range(20):
        bench.tick(5, 5)
    bench.main = look
    bench.tick(5, 2)
    # I expect the look's own time at most, and none of the rest later
    assert cpu_of(look) == 5 * MS
    bench.tick(5, 1)
    assert cpu_of(look) == 6 * MS


def test_what_was_left_over_is_gone_when_the_sampler_begins_anew() -> None:
    # Given code that is nobody's, after which no request runs any more
    bench = Bench()
    bench.sampler.begin("one")
    bench.tick(5, 4)
    bench.any = False
    bench.tick(5, 0)
    # When the next one comes
    bench.any = True
    look = bench.main = bench.sampler.begin("two")
    bench.tick(5, 1)
    # I expect its own CPU time
    assert cpu_of(look) == MS


def test_a_thread_that_has_ended_has_no_cpu_time_and_harms_nobody() -> None:
    # Given a thread that computes until it is told to end
    end, begun = threading.Event(), threading.Event()

    def compute() -> None:
        while not end.is_set():
            begun.set()

    thread = threading.Thread(target=compute)
    thread.start()
    begun.wait()
    ident = thread.ident or 0
    # I expect its CPU time while it lives, as its own clock has it, and 0 once it has ended
    before_ns = time.clock_gettime_ns(time.pthread_getcpuclockid(ident))
    used_ns = thread_cpu_ns(ident)
    after_ns = time.clock_gettime_ns(time.pthread_getcpuclockid(ident))
    end.set()
    kept = thread.native_id
    thread.join()
    assert before_ns <= used_ns <= after_ns
    assert thread_cpu_ns(ident) == 0
    # ... also in the moment in which it is still listed, and the kernel knows it no more
    while os.path.exists(f"/proc/self/task/{kept}"):
        time.sleep(0)
    threading._active[ident] = thread  # type: ignore[attr-defined]
    try:
        assert thread.native_id == kept
        assert thread_cpu_ns(ident) == 0
    finally:
        del threading._active[ident]  # type: ignore[attr-defined]
