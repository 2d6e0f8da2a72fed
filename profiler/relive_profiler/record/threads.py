"""What other threads do between two looks: where they tick (ticks.py), else where they are met.

Threads that tick tell where they compute; where they are met they wait for the rest of the time. If there are
no ticks, the CPU time is told of the stacks at which threads were met.

A thread may have ended before the next look, or wait for work in its pool. What it used since it was last
looked at is then of the stack at which that was: of a thread that has ended, nobody but the process's clock
still knows it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from types import FrameType
from typing import Final

from relive_base.kept_builtins import KEPT
from relive_base.wire.messages import StackFrames

from relive_profiler.record.ticks import ThreadTicks

__builtins__ = KEPT

__all__ = ["OtherThreads", "Share", "Threads", "TickingThreads"]

Threads = Iterable[tuple[int, FrameType | None, int]]
"""The kernel's id, the innermost frame (None: it waits for work) and the CPU time of each."""

Share = tuple[StackFrames, int, int, int]
"""A stack, its samples, wall ns and CPU ns."""

_NOWHERE: Final = None


class OtherThreads:
    """Of one invocation at a time. Threads are told apart by the kernel's ids: Python's are used again."""

    __slots__ = ("_known", "_main_ns", "_process_clock", "_process_ns")

    def __init__(self, process_clock: Callable[[], int] = time.process_time_ns) -> None:
        self._process_clock = process_clock
        self._known: dict[int, tuple[int, StackFrames | None]] = {}  # CPU time, and where it was met
        self._main_ns = self._process_ns = 0

    def begin(self, threads: Threads, main_ns: int) -> None:
        """An invocation begins: what threads have used up to now is not its own."""
        self._known = {native: (used_ns, _NOWHERE) for native, _, used_ns in threads}
        self._main_ns = main_ns
        self._process_ns = self._process_clock() if self._known else 0

    def look(
        self,
        threads: Threads,
        stack_of: Callable[[FrameType], StackFrames | None],
        main_ns: int,
        wall_ns: int,
    ) -> list[Share]:
        """`main_ns`: CPU time of the main thread; `wall_ns`: since the look before."""
        before, self._known = self._known, {}
        if not before:
            self._process_ns = 0  # who came and went since then was never looked at
        shares: list[Share] = []
        living_ns = 0
        for native, frame, used_ns in threads:
            was_ns, stack = before.pop(native, (0, _NOWHERE))
            spent_ns = max(used_ns - was_ns, 0)
            living_ns += spent_ns
            spent_ns = min(spent_ns, wall_ns)
            if frame is not None:
                stack = stack_of(frame)
                if stack is not None:
                    shares.append((stack, 1, wall_ns, spent_ns))
            elif stack is not None and spent_ns:
                shares.append((stack, 0, spent_ns, spent_ns))
                stack = _NOWHERE
            self._known[native] = (used_ns, stack)
        if before or self._known:
            ended = [stack for _, stack in before.values() if stack is not None]
            self._of_ended(shares, ended, living_ns, main_ns, wall_ns)
        return shares

    def end(self) -> list[Share]:
        """The invocation is over: what has not been told."""
        return []

    def close(self) -> None:
        """No look any more."""

    def _of_ended(
        self, shares: list[Share], ended: list[StackFrames], living_ns: int, main_ns: int, wall_ns: int
    ) -> None:
        process_ns = self._process_clock()
        if ended and self._process_ns:
            rest_ns = process_ns - self._process_ns - (main_ns - self._main_ns) - living_ns
            part_ns = min(rest_ns // len(ended), wall_ns)
            if part_ns > 0:
                shares.extend((stack, 0, part_ns, part_ns) for stack in ended)
        self._process_ns, self._main_ns = process_ns, main_ns


class TickingThreads:
    """The same, where threads tick."""

    __slots__ = ("_known", "_ticks")

    def __init__(self, ticks: ThreadTicks) -> None:
        self._ticks = ticks
        self._known: dict[int, int] = {}

    def begin(self, threads: Threads, main_ns: int) -> None:
        """An invocation begins: what threads have used up to now is not its own."""
        self._known = {native: used_ns for native, _, used_ns in threads}
        self._ticks.watch(self._known)
        self._ticks.begin()

    def look(
        self,
        threads: Threads,
        stack_of: Callable[[FrameType], StackFrames | None],
        main_ns: int,
        wall_ns: int,
    ) -> list[Share]:
        """`wall_ns`: since the look before."""
        shares = self.end()
        before, self._known = self._known, {}
        for native, frame, used_ns in threads:
            self._known[native] = used_ns
            stack = stack_of(frame) if frame is not None else None
            if stack is None:
                continue
            spent_ns = min(max(used_ns - before.get(native, 0), 0), wall_ns)
            if not self._ticks.ticks(native):  # it is new: what it has used so far no tick tells
                shares.append((stack, 1, wall_ns, spent_ns))
            elif wall_ns > spent_ns:
                shares.append((stack, 1, wall_ns - spent_ns, 0))
        self._ticks.watch(self._known)
        return shares

    def end(self) -> list[Share]:
        """What ticks have told."""
        return [
            (one.stack, 1, one.cpu_ns, one.cpu_ns) for one in self._ticks.fetch() if one.stack is not None
        ]

    def close(self) -> None:
        """No ticks any more."""
        self._ticks.close()
