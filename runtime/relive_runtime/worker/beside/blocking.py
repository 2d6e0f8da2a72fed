"""Who keeps the event loop for itself while others wait: nobody else tells those that it delays."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import FrameType
from typing import Any, Final, TypeAlias

from relive_base.kept_builtins import KEPT
from relive_base.wire.messages import StackFrames
from relive_profiler.record import Look

from relive_runtime.worker.beside.attempt import BesideAttempt
from relive_runtime.worker.beside.whereabouts import Whereabouts

__builtins__ = KEPT

__all__ = ["LoopWatch"]

BLOCKED_NS: Final = 50_000_000
"""Shorter turns of the loop are nothing that anybody need be told of."""
_REMEMBERED: Final = 10
"""Blocks that those can be told of that were sent meanwhile, and begin now."""
_Place: TypeAlias = tuple[str, str, int, str]  # whose code, its file, line and function
_UNTOLD: Final = {"by": "", "from_ns": 0, "ms": 0, "file": "", "line": 0, "function": "", "route": ""}


@dataclass(slots=True)
class _Block:
    """Times are perf_counter_ns, which is CLOCK_MONOTONIC. `told`: what those hear of it that it delays."""

    since_ns: int
    told: dict[str, Any]
    until_ns: int = 0
    place_ns: int = 0  # that it was seen at the place that is told

    def seen(self, places: Mapping[_Place, int]) -> None:
        """Where its blocker was since it was told last: it is told of where it was for longest."""
        told = self.told
        for (ident, file, line, function), ns in places.items():
            if ident == told["by"] and ns >= self.place_ns:
                self.place_ns = ns
                told.update(file=file, line=line, function=function)


class LoopWatch:
    """At each tick of the sampler the loop is asked to say when it goes on. Until it does, it is blocked, by
    the one whose code had most of the time since that was told last: several can block one turn of it, one
    after the other."""

    def __init__(
        self,
        attempts: Mapping[str, BesideAttempt],
        where: Whereabouts,
        clock: Callable[[], int] = time.perf_counter_ns,
    ) -> None:
        self._attempts = attempts
        self._where = where
        self._clock = clock
        self.soon: Callable[[Callable[[], None]], object] | None = None
        self._since_ns = 0  # when the loop was asked; 0: it has answered
        self._tick_ns = 0
        self._met: dict[str, int] = {}  # whose code the ticks since then have met, and for how many ns
        self._places: dict[_Place, int] = {}  # ... and where
        self._told_ns = 0  # up to when what blocks it has been told
        self._closing = False
        self._open: _Block | None = None  # it, once it is long enough
        self._blocks: deque[_Block] = deque(maxlen=_REMEMBERED)

    def tick(
        self, now_ns: int, look: Look | None, stack: StackFrames | None, _frame: FrameType | None
    ) -> None:
        """In the sampler's signal, on the main thread."""
        if self.soon is None:
            return
        before_ns, self._tick_ns = self._tick_ns, now_ns
        if look is None:
            return
        if not self._since_ns:
            self._since_ns = self._told_ns = before_ns = now_ns
            self._open = None
            self._met, self._places = {}, {}
            self.soon(self._goes_on)
        ident = look.invocation_id
        had_ns = now_ns - max(before_ns, self._told_ns)
        self._met[ident] = self._met.get(ident, 0) + had_ns
        if stack is not None and stack.files:
            place = ident, stack.files[-1], stack.lines[-1], stack.functions[-1]
            self._places[place] = self._places.get(place, 0) + had_ns

    def _goes_on(self) -> None:
        """In the loop."""
        self._close(self._clock())
        self._since_ns = 0

    def close_open(self) -> None:
        """Tell of a block that still lasts: somebody it delays is about to be told of, or who blocks ends.
        In other threads than the loop's it does nothing: who ends there has not blocked it."""
        if self._since_ns and not self._closing and threading.current_thread() is threading.main_thread():
            self._close(self._clock())

    def begins_late(self, attempt: BesideAttempt) -> None:
        """It was sent long before it begins: those blocks that lay between have kept it waiting, too."""
        sent_ns = attempt.invoke.sent_monotonic_ns
        self.close_open()  # the loop has turned, whether or not `_goes_on` has had its turn
        for block in self._blocks:
            held_ns = block.until_ns - max(block.since_ns, sent_ns)
            if held_ns > 0:
                attempt.blocked(block.told, held_ns)
                attempt.blocked_before_ns += held_ns

    def _close(self, now_ns: int) -> None:
        self._closing = True  # a time limit that strikes here tells of it, too
        try:
            self._tell(now_ns)
        finally:
            self._closing = False

    def _tell(self, now_ns: int) -> None:
        met, places = dict(self._met), dict(self._places)  # ticks go on
        blocker_id = max(met, key=lambda one: met[one], default="")
        block = self._open
        if block is not None and block.told["by"] != blocker_id:
            block = None  # the next one that blocks this turn of the loop
        if not met or (block is None and now_ns - self._told_ns < BLOCKED_NS):
            return
        if 2 * met[blocker_id] < sum(met.values()):
            return  # many short turns: the loop is busy, and nobody blocks it
        told_ns, self._told_ns, self._met = self._told_ns, now_ns, {}
        self._places = {}
        wall_ns = time.time_ns() - now_ns  # from the one clock to the other
        if block is None:
            block = self._open = _Block(told_ns, dict(_UNTOLD, from_ns=told_ns + wall_ns))
            self._blocks.append(block)
        block.until_ns = now_ns
        told = block.told
        blocker = self._attempts.get(blocker_id)
        if blocker is not None:
            others_ns = sum(met.values()) - met[blocker_id]
            blocker.blocking_ns += max(now_ns - told_ns - others_ns, 0)
        route = _route(blocker) if blocker is not None or told["by"] != blocker_id else told["route"]
        told.update(
            by=blocker_id,
            ms=(now_ns - block.since_ns) // 1_000_000,
            route=route,
        )
        block.seen(places)
        self._delayed(told, now_ns, told_ns, met)

    def _delayed(self, told: dict[str, Any], now_ns: int, told_ns: int, met: Mapping[str, int]) -> None:
        """Those that it kept waiting in this time hear of it."""
        wall_ns = time.time_ns() - now_ns
        for attempt in list(self._attempts.values()):
            if attempt.invocation_id == told["by"] or attempt.answered:
                continue
            began_ns = attempt.started_ns - wall_ns
            own_ns = met.get(attempt.invocation_id, 0)  # its code had its turn in between
            delayed_ns = now_ns - max(told_ns, began_ns) - own_ns
            if delayed_ns > 0:
                if attempt.blocks and attempt.blocks[-1] is told:
                    attempt.blocked_ns += delayed_ns
                else:
                    attempt.blocked(told, delayed_ns)


def _route(blocker: BesideAttempt | None) -> str:
    http = blocker.invoke.http if blocker is not None else None
    return f"{http.method} {http.mount}{http.path}"[:200] if http is not None else ""
