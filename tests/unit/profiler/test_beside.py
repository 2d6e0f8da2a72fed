"""CPU time of requests that run beside each other, by their threads and by their ticks."""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from types import FrameType
from typing import Any

import pytest
from relive_base.wire.messages import StackFrames
from relive_profiler.record import BesideSampler, Look, thread_cpu_ns
from relive_profiler.record.ticks import Tick
from relive_profiler.record.timer import PROFILE_SIGNAL

MS = 1_000_000


class Bench:
    """A sampler whose ticks are called by hand, and who it sees."""

    def __init__(self) -> None:
        self.wall_ns = self.cpu_ns = 1_000 * MS
        self.main: Look | None = None
        self.used: list[tuple[Look, int, FrameType, int]] = []
        self.waits: list[tuple[Look, Sequence[FrameType]]] = []
        self.looks: list[Look] = []  # a tick's owner is a place in it
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
        return self.waits

    def owners(self) -> Mapping[int, Look]:
        return dict(enumerate(self.looks))

    def arm(self, delay_ns: int) -> None:
        """As a timer does, which is this one's own."""

    def tick(self, wall_ms: int, cpu_ms: int) -> None:
        self.wall_ns += wall_ms * MS
        self.cpu_ns += cpu_ms * MS
        self.sampler._on_signal(PROFILE_SIGNAL, sys._getframe())


class Loop:
    """The ticks of an event loop's thread, by hand."""

    def __init__(self, bench: Bench) -> None:
        self.told: list[Tick] = []
        sampler: Any = bench.sampler
        sampler._ticks, sampler._main = self, 1

    def ticks(self, native: int) -> bool:
        return native == 1

    def watch(self, natives: Iterable[int]) -> None:
        """As it is."""

    def fetch(self) -> list[Tick]:
        told, self.told = self.told, []
        return told

    def tick(self, owner: int, cpu_ms: int) -> None:
        self.told.append(Tick(1, cpu_ms * MS, owner, StackFrames(7, ["computing"], ["a.py"], [1])))


def cpu_of(look: Look) -> int:
    return sum(entry[2] for entry in look.fold.values())


def wall_of(look: Look) -> int:
    return sum(entry[1] for entry in look.fold.values())


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


def waited_by(look: Look, bench: Bench) -> dict[str, int]:
    """ms of waiting, by the innermost function."""
    names = {stack.stack_hash: stack.functions[-1] for stack in look.fresh}
    found: dict[str, int] = {}
    for number, (_count, wall_ns, cpu_ns) in look.fold.items():
        name = names[number if isinstance(number, int) else number[0]]
        found[name] = found.get(name, 0) + (wall_ns - cpu_ns) // MS
    return found


def reading() -> FrameType:
    return sys._getframe()


def writing() -> FrameType:
    return sys._getframe()


def test_a_thread_that_waits_alone_has_all_of_its_time_though_looks_become_seldom() -> None:
    # Given a request whose thread does nothing but wait, and looks ever further apart
    bench = Bench()
    look = bench.sampler.begin("one")
    own = threading.get_ident()
    bench.clocks = {own: 0}
    bench.used = [(look, own, reading(), 0)]
    for wall_ms in (5, 10, 20, 40, 80, 160):
        bench.tick(wall_ms, 0)
    assert waited_by(look, bench) == {"reading": 315}
    # When it ends, I expect what has come since the last look, too, but for what it has computed
    bench.wall_ns += 100 * MS
    bench.clocks = {own: 30 * MS}
    bench.sampler.end(look)
    assert waited_by(look, bench) == {"reading": 385}


def test_what_a_thread_waited_before_it_goes_on_is_of_where_it_waited() -> None:
    # Given a thread that waits until it is looked at seldom, and computes somewhere else after that
    bench = Bench()
    look = bench.sampler.begin("one")
    for wall_ms in (5, 10, 20):
        bench.used = [(look, 7, reading(), 0)]
        bench.tick(wall_ms, 0)
    bench.used = [(look, 7, writing(), 15 * MS)]
    bench.tick(40, 0)
    assert waited_by(look, bench) == {"reading": 60, "writing": 0}
    assert cpu_of(look) == 15 * MS


def test_a_request_has_no_time_from_before_its_beginning() -> None:
    # Given that all have waited for long, when another request begins
    bench = Bench()
    first = bench.sampler.begin("one")
    bench.used = [(first, 7, reading(), 0)]
    for wall_ms in (5, 10, 20, 40, 80):
        bench.tick(wall_ms, 0)
    bench.wall_ns += 150 * MS
    second = bench.sampler.begin("two")
    bench.used = [(first, 7, reading(), 0), (second, 8, writing(), 0)]
    bench.tick(5, 0)
    # I expect the time since then for it, and all of it for the one that was there
    assert waited_by(second, bench) == {"writing": 5}
    assert sum(waited_by(first, bench).values()) == 310


def test_what_a_task_computes_between_two_looks_that_are_far_apart_is_told() -> None:
    # Given a request that waits in a task until looks are seldom, and that ends between two of them
    bench = Bench()
    loop = Loop(bench)
    look = bench.sampler.begin("one")
    bench.looks = [look]
    bench.waits = [(look, [reading()])]
    for wall_ms in (5, 10, 20, 40, 80):
        bench.tick(wall_ms, 0)
    bench.wall_ns += 60 * MS
    loop.tick(0, 4)
    loop.tick(0, 4)
    bench.sampler.end(look)
    # I expect what it has computed, and the rest of its time where it waited
    assert cpu_of(look) == 8 * MS
    assert waited_by(look, bench) == {"reading": 155 + 52, "computing": 0}


def test_a_tick_that_tells_more_than_there_was_is_made_up_for_by_the_next_wait() -> None:
    bench = Bench()
    loop = Loop(bench)
    look = bench.sampler.begin("one")
    bench.looks = [look]
    bench.waits = [(look, [reading()])]
    loop.tick(0, 8)
    bench.tick(5, 1)
    assert waited_by(look, bench) == {"computing": 0}
    bench.tick(10, 0)
    assert waited_by(look, bench) == {"computing": 0, "reading": 5 + 10 - 8}


@pytest.mark.parametrize("ticks", [True, False], ids=["ticks", "no ticks"])
@pytest.mark.parametrize("waits", [True, False], ids=["waits", "has no CPU"])
def test_who_has_not_given_up_the_cpu_has_not_waited(ticks: bool, waits: bool) -> None:
    # Given a request that computes 2 ms of 10 on a busy machine, or gives up the CPU meanwhile
    bench = Bench()
    if ticks:
        Loop(bench)
    given_up = 3
    bench.sampler._switches = lambda: given_up
    look = bench.sampler.begin("one")
    bench.main = look
    bench.tick(5, 5)
    first = wall_of(look) - cpu_of(look)
    for _ in range(5):
        given_up += waits
        bench.tick(10, 2)
    # I expect what it did not compute to be waiting only if it gave up the CPU
    assert wall_of(look) - cpu_of(look) - first == (5 * 8 * MS if waits else 0)


def test_where_a_task_holds_the_loop_up_without_computing_it_waits() -> None:
    # Given a request that is met in its code, for 20 ms of which it has computed 5
    bench = Bench()
    loop = Loop(bench)
    look = bench.main = bench.sampler.begin("one")
    bench.looks = [look]
    bench.tick(20, 5)
    # I expect the 15 others at the line where it was met, and CPU time of ticks alone
    (waited,) = waited_by(look, bench).values()
    assert (waited, cpu_of(look)) == (15, 0)
    loop.tick(0, 4)
    bench.tick(5, 5)
    assert (sum(waited_by(look, bench).values()), cpu_of(look)) == (15, 4 * MS)


def test_what_a_task_waited_before_it_is_met_in_its_code_is_of_where_it_waited() -> None:
    bench = Bench()
    loop = Loop(bench)
    look = bench.sampler.begin("one")
    bench.looks = [look]
    bench.waits = [(look, [reading()])]
    for wall_ms in (5, 10, 20):
        bench.tick(wall_ms, 0)
    bench.main, bench.waits = look, []
    loop.tick(0, 4)
    bench.tick(40, 6)
    assert waited_by(look, bench) == {"reading": 35 + 40 - 4, "computing": 0}
    # ... and from then on where it is met
    bench.tick(5, 1)
    assert sum(waited_by(look, bench).values()) == 35 + 40 - 4 + 4


def test_a_main_thread_that_reads_comes_to_its_looks() -> None:
    # Given a sampler whose main thread waits in a system call, as that of a WSGI service does
    bench = Bench()
    ours, theirs = socket.socketpair()
    sampler = BesideSampler(bench, lambda *_: None, recording=True)
    sampler.start(interrupting=True)
    look = sampler.begin("one")

    def request() -> None:
        bench.used = [(look, threading.get_ident(), sys._getframe(), 0)]
        while not look.fold and not given_up.wait(0.001):
            pass
        theirs.send(b"x")

    given_up = threading.Event()
    timer = threading.Timer(60.0, given_up.set)
    timer.start()
    thread = threading.Thread(target=request)
    thread.start()
    # When it reads until the request ends, I expect the request looked at before
    assert ours.recv(1) == b"x"
    thread.join()
    timer.cancel()
    sampler.close()
    assert not given_up.is_set()
