"""One virtual clock for a whole replay: each of its runs sees the same times.

It begins at the recorded start, moves a little whenever it is read and with each step of the application,
and by
what is slept; nothing waits. It feeds the time of day (by time-machine), time.monotonic, perf_counter,
sleep, and
through these asyncio's loop, and the time-outs of selectors. Clocks of CPU time go by it,
too, and stand while it sleeps.
"""

from __future__ import annotations

import os
import resource
import selectors
import sys
import threading
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any, Final

from relive_capture.record.playback.undo import Undo

__all__ = ["STEP_NS", "VirtualClock"]

STEP_NS: Final = 1_000
"""So far the clock moves at each reading, and at most at each step: what a line of Python takes, with what it
calls."""
_SECOND_NS: Final = 1_000_000_000
_REAL_WAIT_S: Final = 0.01
"""So long a selector waits in earnest while other threads run: what they finish wakes it up."""
_SELECTORS: Final = ("SelectSelector", "PollSelector", "EpollSelector", "DevpollSelector", "KqueueSelector")
_OURS: Final = "relive_"
_CPU_CLOCKS: Final = (time.CLOCK_PROCESS_CPUTIME_ID, time.CLOCK_THREAD_CPUTIME_ID)
_MONOTONIC_CLOCKS: Final = (time.CLOCK_MONOTONIC, time.CLOCK_MONOTONIC_RAW, time.CLOCK_BOOTTIME)
_USAGES: Final = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN, resource.RUSAGE_THREAD)


class VirtualClock:
    """`wall_ns`: the time of day at which it begins; `monotonic_ns`: what time.monotonic_ns gives then."""

    def __init__(self, wall_ns: int, monotonic_ns: int, step_ns: int = STEP_NS) -> None:
        self._wall_ns = wall_ns
        self._monotonic_ns = monotonic_ns
        self._step_ns = step_ns
        self._moved_ns = 0
        self._slept_ns = 0  # of that, without working
        self.steps: Callable[[], int] = lambda: 0
        """How many steps of the application there have been."""
        self.deadline_ns = 0
        """When so much has passed, `on_deadline` is called; 0: never."""
        self.on_deadline: Callable[[], None] | None = None
        self.problem = ""
        """Why the time of day could not be moved."""

    # ------------------------------------------------------------ reading and moving

    @property
    def passed_ns(self) -> int:
        """Since it began."""
        return self._moved_ns + self.steps() * self._step_ns

    def monotonic_ns(self) -> int:
        """For time.monotonic_ns and time.perf_counter_ns."""
        self._moved_ns += STEP_NS
        return self._monotonic_ns + self.passed_ns

    def monotonic(self) -> float:
        """For time.monotonic and time.perf_counter."""
        return self.monotonic_ns() / _SECOND_NS

    def cpu_ns(self) -> int:
        """For what asks for the CPU time of the process or of a thread."""
        self._moved_ns += STEP_NS
        return self.passed_ns - self._slept_ns

    def wall_ns(self) -> int:
        """For everything that asks for the time of day."""
        self._moved_ns += STEP_NS
        return self._wall_ns + self.passed_ns

    def sleep(self, seconds: float, /) -> None:
        """For time.sleep: no waiting; other threads get their turn."""
        if seconds < 0:
            raise ValueError("sleep length must be non-negative")
        self.advance(int(seconds * _SECOND_NS))
        _sleep(0)

    def advance(self, duration_ns: int) -> None:
        """So much time has passed. Raises what `on_deadline` raises if the deadline is among it."""
        self._moved_ns += max(duration_ns, 0)
        self._slept_ns += max(duration_ns, 0)
        self.tick()

    def tick(self) -> None:
        """Look whether it is the deadline's time."""
        late_ns = self.passed_ns - self.deadline_ns
        if not self.deadline_ns or late_ns < 0 or self.on_deadline is None:
            return
        if threading.get_ident() == threading.main_thread().ident:
            self._moved_ns -= late_ns
            self._slept_ns = max(self._slept_ns - late_ns, 0)
            self.on_deadline()

    # ------------------------------------------------------------ standing before the real one

    def install(self, undo: Undo) -> None:
        """From now on this process goes by it, Relive's own modules aside where they have names of their
        own."""
        self._move_day(undo)
        names: dict[str, Callable[..., Any]] = {
            "monotonic": self.monotonic,
            "monotonic_ns": self.monotonic_ns,
            "perf_counter": self.monotonic,
            "perf_counter_ns": self.monotonic_ns,
            "sleep": self.sleep,
        }
        places = [(time, name, new) for name, new in names.items()]
        places += [
            (owner, name, _of_theirs(getattr(owner, name), new)) for owner, name, new in self._of_cpu()
        ]
        instead = {id(getattr(owner, name)): (getattr(owner, name), new) for owner, name, new in places}
        for owner, name, new in places:
            undo.set(owner, name, new)
        for module in list(sys.modules.values()):
            if type(module) is ModuleType and module not in (time, os, resource):
                _replace(module, instead, undo)
        self._stand_before_selectors(undo)

    def _of_cpu(self) -> list[tuple[ModuleType, str, Callable[..., Any]]]:
        """What tells of CPU time: where it is, and what stands before it."""
        usages = {who: resource.getrusage(who) for who in _USAGES}
        seconds, nanoseconds, usage = time.clock_gettime, time.clock_gettime_ns, resource.getrusage

        def clock_ns(clock: int, /) -> int:
            if clock in _CPU_CLOCKS:
                return self.cpu_ns()
            return self.monotonic_ns() if clock in _MONOTONIC_CLOCKS else nanoseconds(clock)

        def clock_s(clock: int, /) -> float:
            ours = clock in _CPU_CLOCKS or clock in _MONOTONIC_CLOCKS
            return clock_ns(clock) / _SECOND_NS if ours else seconds(clock)

        def times() -> os.times_result:
            used = self.cpu_ns() / _SECOND_NS
            return os.times_result((used, 0.0, 0.0, 0.0, self.monotonic()))

        def getrusage(who: int, /) -> resource.struct_rusage:
            if who not in usages:
                return usage(who)
            if who == resource.RUSAGE_CHILDREN:
                return usages[who]
            return resource.struct_rusage((self.cpu_ns() / _SECOND_NS, 0.0, *usages[who][2:]))

        return [
            (time, "process_time", lambda: self.cpu_ns() / _SECOND_NS),
            (time, "process_time_ns", self.cpu_ns),
            (time, "thread_time", lambda: self.cpu_ns() / _SECOND_NS),
            (time, "thread_time_ns", self.cpu_ns),
            (time, "clock_gettime", clock_s),
            (time, "clock_gettime_ns", clock_ns),
            (os, "times", times),
            (resource, "getrusage", getrusage),
        ]

    def _move_day(self, undo: Undo) -> None:
        try:
            import time_machine

            travel = time_machine.travel(self._wall_ns / _SECOND_NS, tick=False)
            day: Any = travel.start()
        except Exception as error:  # no build for this interpreter, or a time that there is not
            self.problem = f"{type(error).__name__}: {error}"[:300]
            return
        undo.add(travel.stop)
        day.time_ns = self.wall_ns
        day.time = lambda: self.wall_ns() / _SECOND_NS  # what releases before 3 ask for

    def _stand_before_selectors(self, undo: Undo) -> None:
        for name in _SELECTORS:
            cls = getattr(selectors, name, None)
            if cls is not None:
                undo.set(cls, "select", self._select(cls.select))

    def _select(self, original: Callable[..., list[Any]]) -> Callable[..., list[Any]]:
        def select(own: Any, timeout: float | None = None) -> list[Any]:
            found = original(own, 0)
            if found or (timeout is not None and timeout <= 0):
                return found
            if threading.active_count() > 1:  # it may be one of these that is waited for
                found = original(own, _REAL_WAIT_S if timeout is None else min(timeout, _REAL_WAIT_S))
                if not found and timeout is not None:
                    self.advance(int(min(timeout, _REAL_WAIT_S) * _SECOND_NS))
                return found
            if timeout is None:
                return original(own, None)
            self.advance(int(timeout * _SECOND_NS))
            return original(own, 0)

        return select


def _of_theirs(real: Callable[..., Any], new: Callable[..., Any]) -> Callable[..., Any]:
    """`new`, but for Relive's own modules, whose limits count what they really take."""

    def told(*given: Any) -> Any:
        caller = sys._getframe(1).f_globals.get("__name__")
        return (real if type(caller) is str and caller.startswith(_OURS) else new)(*given)

    return told


def _replace(module: ModuleType, instead: dict[int, tuple[Any, Any]], undo: Undo) -> None:
    """Where a module has taken one of the functions out of `time` by name."""
    if module.__name__.startswith(_OURS):
        return
    for name, value in list(vars(module).items()):
        found = instead.get(id(value))
        if found is not None and found[0] is value:
            undo.set(module, name, found[1])


_sleep: Final = time.sleep
