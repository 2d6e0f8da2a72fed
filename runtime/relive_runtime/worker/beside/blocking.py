"""Who keeps the event loop for itself while others wait: nobody else tells those that it delays."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
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

    def tick(
        self, now_ns: int, look: Look | None, stack: StackFrames | None, _frame: FrameType | None
    ) -> None:
        """In the sampler's signal, on the main thread."""
        if self.soon is None or look is None:
            return
        if not self._since_ns:
            self._since_ns = self._told_ns = now_ns
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
        """Tell of a block that still lasts: somebody it delays is about to be told of."""
        if self._since_ns:
            self._close(time.perf_counter_ns())

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
        file, line, function = self._place
        block: dict[str, Any] = {
            "by": blocker_id,
            "from_ns": since_ns + wall_ns,
            "ms": (now_ns - since_ns) // 1_000_000,
            "file": file,
            "line": line,
            "function": function,
            "route": _route(blocker),
        }
        for attempt in list(self._attempts.values()):
            if attempt is blocker or attempt.answered:
                continue
            began_ns = attempt.started_ns - wall_ns
            delayed_ns = now_ns - max(self._told_ns, began_ns)
            if delayed_ns > 0:
                known = attempt.blocks and attempt.blocks[-1]["from_ns"] == block["from_ns"]
                if known:
                    attempt.blocked_ns += delayed_ns
                    attempt.blocks[-1] = block
                else:
                    attempt.blocked(block, delayed_ns)
        self._told_ns = now_ns


def _route(blocker: BesideAttempt | None) -> str:
    http = blocker.invoke.http if blocker is not None else None
    return f"{http.method} {http.mount}{http.path}"[:200] if http is not None else ""
