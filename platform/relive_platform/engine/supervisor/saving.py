"""A worker at its memory limit saves itself: frames and heap, in place, within limits of time and memory."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from relive_base.parts import PartState, Reason, State, Why

from relive_platform.engine.attempt import Attempt
from relive_platform.engine.failed.heaps import HeapTaker
from relive_platform.engine.supervisor.told import adopt_place
from relive_platform.engine.workers.life import GONE
from relive_platform.engine.workers.worker import Worker
from relive_platform.evidence import HeapFound

__all__ = ["Saver", "SavingLimits"]

_MB: Final = 1_048_576


@dataclass(frozen=True, slots=True)
class SavingLimits:
    """How long a worker has to react, and how much it may hold until then, times its limit.

    Its main thread may use as much CPU time as one collection of garbage takes; if it waits,
    or the machine is busy, the other limit counts.
    """

    react_cpu_s: float = 0.5
    react_s: float = 1.5
    ceiling: float = 1.25
    look_s: float = 0.005


class Saver:
    """Runs on the event loop."""

    def __init__(
        self,
        heaps: HeapTaker,
        on_heap: Callable[[Attempt, Worker, HeapFound], None],
        limits: SavingLimits | None = None,
    ) -> None:
        self._heaps = heaps
        self._on_heap = on_heap
        self._limits = limits or SavingLimits()

    def ask(self, worker: Worker, attempt: Attempt) -> None:
        """Send the signal; nothing else has told of this failure yet."""
        attempt.evidence.forget_scene()
        worker.process.ask_to_save()

    async def saved(self, worker: Worker, attempt: Attempt) -> Reason | None:
        """Wait until it has; None, or why it has not, and must be stopped and read from outside."""
        limits = self._limits
        begun, begun_cpu_s = time.monotonic(), _main_thread_cpu_s(worker.pid)
        ceiling = worker.spec.memory_mb * _MB * limits.ceiling
        while not attempt.evidence.scene:
            if worker.state == GONE:
                return Reason(Why.ENDED)
            used_s = _main_thread_cpu_s(worker.pid) - begun_cpu_s
            if used_s > limits.react_cpu_s or time.monotonic() - begun > limits.react_s:
                return Reason(Why.NO_REACTION_IN, (time.monotonic() - begun, used_s))
            held = worker.process.held_bytes()
            if held > ceiling:
                return Reason(Why.GREW, (held // _MB,))
            await asyncio.sleep(limits.look_s)
        adopt_place(attempt.evidence, attempt.record.error)
        found = await self._heap(worker, attempt)
        self._on_heap(attempt, worker, found)
        return None

    async def _heap(self, worker: Worker, attempt: Attempt) -> HeapFound:
        error = attempt.record.error
        reason = self._heaps.objection(worker, error.fingerprint if error is not None else "")
        if reason is not None:
            return HeapFound(PartState(State.MISSING, [reason]))
        future: asyncio.Future[HeapFound] = asyncio.get_running_loop().create_future()

        def taken(found: HeapFound) -> None:
            if not future.done():
                future.set_result(found)

        self._heaps.take(worker, attempt, taken)
        return await future


def _main_thread_cpu_s(pid: int) -> float:
    """0 if the system does not say."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_bytes().split()[0]) / 1e9
    except (OSError, ValueError, IndexError):
        return 0.0
