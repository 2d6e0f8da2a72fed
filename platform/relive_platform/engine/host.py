"""All workers of this host: forking within the host's limit, keeping failed ones frozen, ending all."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from relive_base.parts import PartState, State, Why, missing
from relive_base.wire.messages import FunctionSpec
from relive_base.within import within
from relive_capture.explore.scene import kept_part

from relive_platform.engine.attempt import Attempt
from relive_platform.engine.clock import Clock
from relive_platform.engine.failed.debugging import DebugLimits, DebugSessions
from relive_platform.engine.failed.frozen import FrozenLimits, FrozenWorkers
from relive_platform.engine.failed.heaps import HeapLimits, HeapTaker
from relive_platform.engine.pool import FunctionPool
from relive_platform.engine.runtime import Runtime
from relive_platform.engine.workers.life import BUSY, IDLE, STARTING
from relive_platform.engine.workers.worker import Worker, WorkerOwner
from relive_platform.evidence import LOGS, SPANS, Take

__all__ = ["HostLimits", "WorkerHost"]

_WARM_EVERY_S: Final = 0.1
_CLOSE_S: Final = 3.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class HostLimits:
    """Limits of this host."""

    workers: int = 32
    starts: int = 1_000  # workers that start at once
    frozen: int = 2
    frozen_s: float = 600.0
    frozen_memory_mb: int = 256
    debug_s: float = 3_600.0
    heap: HeapLimits = field(default_factory=HeapLimits)
    takes: tuple[Take, ...] = (SPANS, LOGS)  # the telemetry that workers may send while they run


class WorkerHost:
    """Owns every worker of this host. Everything runs on the event loop."""

    def __init__(
        self,
        limits: HostLimits,
        heaps: Path,
        watch: Callable[[Worker], None],
        tidy: Callable[[], None],
        clock: Clock | None = None,
        first_id: int = 1,
    ) -> None:
        """Snapshots of heaps go to the folder `heaps`; `watch` is the supervisor's; `tidy` is called
        every now and then. `first_id`: of its workers, where other processes have some, too."""
        self.limits = limits
        self._clock = clock = clock or Clock()
        self.pools: dict[tuple[str, int], FunctionPool] = {}
        self.workers: dict[int, Worker] = {}
        self.frozen = FrozenWorkers(
            FrozenLimits(limits.frozen, limits.frozen_s, limits.frozen_memory_mb), now=clock.mono
        )
        self.debugging = DebugSessions(self.frozen, DebugLimits(longest_s=limits.debug_s))
        self.heaps = HeapTaker(limits.heap, heaps, now=clock.mono)
        self._watch = watch
        self._tidy = tidy
        self._next_id = first_id
        self.refused = 0  # workers that somebody waits for, for want of room
        self.lent = 0  # of the workers that it may have, those that are other processes' now
        self._starved = False
        self._closed = False
        self._empty = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, worker: Worker) -> None:
        """A worker got an event, or has crashed in one."""
        self._watch(worker)

    def start(self) -> None:
        """Begin the slow round: idle workers, spare workers, frozen ones that are too old."""
        self._timer = asyncio.get_running_loop().call_later(_WARM_EVERY_S, self._round)

    def _round(self) -> None:
        now = self._clock.mono()
        for key, pool in list(self.pools.items()):
            pool.expire(now)
            pool.keep_warm()
            if pool.draining and not pool.workers and not pool.waiting:
                del self.pools[key]
        if self._starved:
            self.freed()
        self.frozen.expire()
        self._tidy()
        for worker in list(self.workers.values()):
            worker.handle.look()  # what threads of the user's write between two invocations
            worker.look_at_group()
        self.start()

    def counts(self) -> dict[str, int]:
        """Workers by state: idle, busy, frozen, starting; lagging are those of them whose event loop does not
        turn."""
        states = [worker.state for worker in self.workers.values()]
        return {
            "idle": states.count(IDLE),
            "busy": states.count(BUSY),
            "frozen": len(self.frozen),
            "starting": states.count(STARTING),
            "lagging": sum(worker.lags for worker in self.workers.values()),
        }

    def fork(self, pool: FunctionPool, *, spare: bool) -> bool:
        """Begin to start a worker. False if the host has no room for it."""
        if self._closed:
            return False
        starting = sum(worker.state == STARTING for worker in self.workers.values())
        if starting >= self.limits.starts or (not self.has_room(pool) and (spare or not self._evict(pool))):
            self._starved = True
            self.refused += not spare
            return False
        pool.workers.add(self.launch(pool, pool.spec, pool.runtime, pool.limits.capacity))
        return True

    def launch(self, owner: WorkerOwner, spec: FunctionSpec, runtime: Runtime, capacity: int = 1) -> Worker:
        """Begin to start a worker, whatever the limit says: `fork`, or the one trial of a deploy."""
        worker = Worker(self._next_id, spec, owner, runtime, capacity, self.limits.takes, self._clock)
        self._next_id += 1
        self.workers[worker.worker_id] = worker
        self._empty.clear()
        return worker

    def has_room(self, pool: FunctionPool) -> bool:
        """Whether it may have one more worker. What is reserved for others is not taken; a pool with a
        reservation has its own room."""
        living = len(self.workers) - len(self.frozen) + self.lent
        if living >= self.limits.workers:
            return False
        reserving = [other for other in self.pools.values() if other.limits.reserved]
        if not reserving or pool.limits.reserved:
            return True
        held = sum(len(other.live()) + other.starting for other in reserving)
        reserved = sum(other.limits.max_workers for other in reserving)
        return living - held < max(self.limits.workers - reserved, 1)

    def _evict(self, wanting: FunctionPool) -> bool:
        """End the worker that has been idle longest, of another function."""
        idle = [
            pool.idle[0]
            for pool in self.pools.values()
            if pool.idle and pool is not wanting and len(pool.live()) > pool.kept
        ]
        if not idle:
            return False
        oldest = min(idle, key=lambda worker: worker.idle_since)
        owner = oldest.owner
        if isinstance(owner, FunctionPool):
            owner.remove_idle(oldest)
        return True

    def freed(self) -> None:
        """A worker became idle or left: another function may want its place."""
        if self._starved:
            self._starved = False
            for pool in list(self.pools.values()):
                pool.scale()

    def gone(self, worker: Worker) -> None:
        """A worker was reaped."""
        self.workers.pop(worker.worker_id, None)
        if not self.workers:
            self._empty.set()
        self.heaps.gone(worker)
        self.debugging.gone(worker)
        self.frozen.gone(worker)
        worker.handle.release()

    def freeze(self, worker: Worker, attempt: Attempt) -> bool:
        """Keep a failed worker, stopped, as the live scene; the scene says so, or why it is not there."""
        reason = self.frozen.keep(worker, attempt.record)
        kept = kept_part(self.limits.frozen_s)
        attempt.evidence.mark("live", kept if reason is None else PartState(State.MISSING, [reason]))
        return reason is None

    def lost(self, worker: Worker, attempt: Attempt) -> None:
        """A worker ended, or had to be ended, in the middle of an invocation: there is nothing to debug."""
        how = Why.LOST_STOPPED if worker.condemned else Why.LOST_BY_ITSELF
        how = Why.LOST_CANCELLED if worker.condemned == "cancelled" else how
        how = Why.LOST_TO_SERVER if worker.ended_for else how
        how = Why.LOST_TO_KERNEL if worker.is_ended_by_kernel() else how
        how = Why.LOST_CRASHED if worker.crashed is not None else how
        part = missing(how)
        self.frozen.note(attempt.record.invocation_id, part.reason)
        attempt.evidence.mark("live", part)

    async def close(self) -> None:
        """End every worker, and wait until they are gone."""
        self._closed = True
        self.heaps.close()
        self.debugging.close()
        if self._timer is not None:
            self._timer.cancel()
        limit_s = 0.0
        for worker in list(self.workers.values()):
            worker.retire()
            worker.handle.give_up()
            worker.dismiss()
            limit_s = max(limit_s, worker.spec.stop_timeout_s if worker.serves else 0.0)
        if self.workers:
            try:
                await within(self._empty.wait(), limit_s + _CLOSE_S)
            except TimeoutError:
                limit_s += _CLOSE_S
                _log.warning("%d workers were not reaped within %g s", len(self.workers), limit_s)
