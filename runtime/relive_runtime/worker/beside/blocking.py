"""Who keeps the event loop for itself while others wait: nobody else tells those that it delays."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import FrameType
from typing import Any, Final

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


@dataclass(slots=True)
class _Block:
    """Times are perf_counter_ns, which is CLOCK_MONOTONIC. `told`: what those hear of it that it delays."""

    since_ns: int
    told: dict[str, Any]
    until_ns: int = 0


class LoopWatch:
    """At each tick of the sampler the loop is asked to say when it goes on. Until it does, it is blocked, by
    the one whose code most ticks have met."""

    def __init__(self, attempts: Mapping[str, BesideAttempt], where: Whereabouts) -> None:
        self._attempts = attempts
        self._where = where
        self.soon: Callable[[Callable[[], None]], object] | None = None
        self._since_ns = 0  # when the loop was asked; 0: it has answered
        self._met: Counter[str] = Counter()
        self._place: tuple[str, int, str] = ("", 0, "")
        self._told_ns = 0  # up to when the block that lasts has been told
        self._open: _Block | None = None  # it, once it is long enough
        self._blocks: deque[_Block] = deque(maxlen=_REMEMBERED)

    def tick(
        self, now_ns: int, look: Look | None, stack: StackFrames | None, _frame: FrameType | None
    ) -> None:
        """In the sampler's signal, on the main thread."""
        if self.soon is None or look is None:
            return
        if not self._since_ns:
            self._since_ns = self._told_ns = now_ns
            self._open = None
            self._met.clear()
            self.soon(self._goes_on)
        self._met[look.invocation_id] += 1
        if stack is not None and stack.files:
            self._place = stack.files[-1], stack.lines[-1], stack.functions[-1]

    def _goes_on(self) -> None:
        """In the loop."""
        self._close(time.perf_counter_ns())
        self._since_ns = 0

    def close_open(self) -> None:
        """Tell of a block that still lasts: somebody it delays is about to be told of, or who blocks ends."""
        if self._since_ns:
            self._close(time.perf_counter_ns())

    def begins_late(self, attempt: BesideAttempt) -> None:
        """It was sent long before it begins: those blocks that lay between have kept it waiting, too."""
        sent_ns = attempt.invoke.sent_monotonic_ns
        if not sent_ns:
            return
        self.close_open()  # the loop has turned, whether or not `_goes_on` has had its turn
        for block in self._blocks:
            held_ns = block.until_ns - max(block.since_ns, sent_ns)
            if held_ns > 0:
                attempt.blocked(block.told, held_ns)
                attempt.blocked_before_ns += held_ns

    def _close(self, now_ns: int) -> None:
        since_ns = self._since_ns
        if not since_ns or now_ns - since_ns < BLOCKED_NS or not self._met:
            return
        blocker_id, seen = self._met.most_common(1)[0]
        if 2 * seen < self._met.total():
            return  # many short turns: the loop is busy, and nobody blocks it
        wall_ns = time.time_ns() - now_ns  # from the one clock to the other
        lasted_ns = now_ns - self._told_ns
        blocker = self._attempts.get(blocker_id)
        if blocker is not None:
            blocker.blocking_ns += lasted_ns
        block = self._open
        if block is None:
            block = self._open = _Block(since_ns, {"by": "", "from_ns": since_ns + wall_ns, "route": ""})
            self._blocks.append(block)
        block.until_ns = now_ns
        told = block.told
        file, line, function = self._place
        route = _route(blocker) if blocker is not None or told["by"] != blocker_id else told["route"]
        told.update(
            by=blocker_id,
            ms=(now_ns - since_ns) // 1_000_000,
            file=file,
            line=line,
            function=function,
            route=route,
        )
        for attempt in list(self._attempts.values()):
            if attempt is blocker or attempt.answered:
                continue
            began_ns = attempt.started_ns - wall_ns
            delayed_ns = now_ns - max(self._told_ns, began_ns)
            if delayed_ns > 0:
                if attempt.blocks and attempt.blocks[-1] is told:
                    attempt.blocked_ns += delayed_ns
                else:
                    attempt.blocked(told, delayed_ns)
        self._told_ns = now_ns


def _route(blocker: BesideAttempt | None) -> str:
    http = blocker.invoke.http if blocker is not None else None
    return f"{http.method} {http.mount}{http.path}"[:200] if http is not None else ""
