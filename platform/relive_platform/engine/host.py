"""All workers of this host: forking within the host's limit, keeping failed ones frozen, ending all."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import socket
import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec
from relive_base.errors import ReliveError
from relive_base.wire.messages import Fork, Forked, FunctionSpec
from relive_base.wire.ring import RingReader, make_ring
from relive_capture.explore.scene import kept_part

from relive_platform.engine.failed.debugging import DebugLimits, DebugSessions
from relive_platform.engine.failed.frozen import FrozenLimits, FrozenWorkers
from relive_platform.engine.failed.heaps import HeapLimits, HeapTaker
from relive_platform.engine.invocation import Running
from relive_platform.engine.pool import FunctionPool
from relive_platform.engine.workers.cgroups.groups import Cgroups
from relive_platform.engine.workers.console import ConsoleReader
from relive_platform.engine.workers.fault_file import FaultFile
from relive_platform.engine.workers.life import BUSY, FINISHING, IDLE, STARTING
from relive_platform.engine.workers.users import UserBlock
from relive_platform.engine.workers.worker import Worker, WorkerOwner
from relive_platform.engine.workers.zygote import Zygote, ZygoteKey
from relive_platform.engine.workers.zygotes import Zygotes
from relive_platform.evidence import LOGS, SPANS, Take

__all__ = ["HostLimits", "WorkerHost"]

_WARM_EVERY_S: Final = 0.1
_CLOSE_S: Final = 3.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class HostLimits:
    """Limits of this host."""

    workers: int = 32
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
        zygotes: Zygotes,
        limits: HostLimits,
        scratch_dir: Path,
        watch: Callable[[Worker], None],
        cgroups: Cgroups,
    ) -> None:
        self.zygotes = zygotes
        self.limits = limits
        self.pools: dict[tuple[str, int], FunctionPool] = {}
        self.workers: dict[int, Worker] = {}
        self.frozen = FrozenWorkers(FrozenLimits(limits.frozen, limits.frozen_s, limits.frozen_memory_mb))
        self.debugging = DebugSessions(self.frozen, DebugLimits(longest_s=limits.debug_s))
        self.heaps = HeapTaker(limits.heap, scratch_dir.parent / "heaps")
        self._watch = watch
        self._cgroups = cgroups
        self._scratch_dir = scratch_dir
        self._next_id = 1
        self._users: dict[int, UserBlock] = {}  # where a worker's user is from
        self._starved = False
        self._closed = False
        self._empty = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, worker: Worker) -> None:
        """A worker got an event, or has crashed in one."""
        self._watch(worker)

    def start(self) -> None:
        """Begin the slow round: idle workers, spare workers, frozen ones that are too old."""
        self._timer = asyncio.get_running_loop().call_later(_WARM_EVERY_S, self._round)

    def _round(self) -> None:
        now = time.monotonic()
        for key, pool in list(self.pools.items()):
            pool.expire(now)
            pool.keep_warm()
            if pool.draining and not pool.workers and not pool.waiting:
                del self.pools[key]
        self.frozen.expire()
        self._cgroups.tidy()
        for worker in list(self.workers.values()):
            worker.look()  # what threads of the user's write between two invocations
            worker.look_at_group()
        self.start()

    def counts(self) -> dict[str, int]:
        """Workers by state: idle, busy, frozen, starting."""
        states = [worker.state for worker in self.workers.values()]
        return {
            "idle": states.count(IDLE),
            "busy": states.count(BUSY) + states.count(FINISHING),
            "frozen": len(self.frozen),
            "starting": states.count(STARTING),
        }

    def fork(self, pool: FunctionPool, *, spare: bool) -> bool:
        """Begin to start a worker. False if the host has no room for it."""
        if self._closed:
            return False
        if len(self.workers) - len(self.frozen) >= self.limits.workers and (spare or not self._evict(pool)):
            self._starved = True
            return False
        pool.workers.add(self.launch(pool, pool.spec, pool.zygote))
        return True

    def launch(self, owner: WorkerOwner, spec: FunctionSpec, key: ZygoteKey) -> Worker:
        """Begin to start a worker, whatever the limit says: `fork`, or the one trial of a deploy."""
        worker_id = self._next_id
        self._next_id += 1
        scratch = key.scratch_root(self._scratch_dir) / str(worker_id)
        own = msgspec.structs.replace(spec, scratch=str(scratch), instance=str(uuid.uuid4()))
        worker = Worker(worker_id, own, owner, self.limits.takes)
        self.workers[worker_id] = worker
        self._empty.clear()
        task = asyncio.get_running_loop().create_task(self._start(worker, key, scratch))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return worker

    def _evict(self, wanting: FunctionPool) -> bool:
        """End the worker that has been idle longest, of another function."""
        idle = [pool.idle[0] for pool in self.pools.values() if pool.idle and pool is not wanting]
        if not idle:
            return False
        oldest = min(idle, key=lambda worker: worker.idle_since)
        owner = oldest.owner
        if isinstance(owner, FunctionPool):
            owner.remove_idle(oldest)
        return True

    async def _start(self, worker: Worker, key: ZygoteKey, scratch: Path) -> None:
        try:
            zygote = self.zygotes.ready(key) or await self.zygotes.get(key)
            os.makedirs(scratch, mode=0o700, exist_ok=True)
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
            console_read, console_write = os.pipe()
            ours.setblocking(False)
            self._give_user(worker, zygote, scratch, console_write)
            worker.faults = FaultFile()
            ring = make_ring()
            await worker.open(ours, RingReader(ring) if ring >= 0 else None)
            console = ConsoleReader(worker.console)
            console.open(console_read)
        except (ReliveError, OSError) as error:
            worker.on_forked(Forked(worker_id=worker.worker_id, pid=0, error=str(error)))
            return
        except asyncio.CancelledError:
            # The host closes before there was a process: nothing will ever be reaped.
            worker.on_forked(Forked(worker_id=worker.worker_id, pid=0, error="the host was closed"))
            raise
        descriptors = [theirs.detach(), console_write, worker.faults.duplicate()]
        if ring >= 0:
            descriptors.append(ring)
        zygote.fork(
            Fork(worker_id=worker.worker_id, spec=worker.spec, descriptors=len(descriptors)),
            descriptors,
            lambda forked: self._forked(worker, forked),
            worker.on_exited,
        )

    def _forked(self, worker: Worker, forked: Forked) -> None:
        worker.on_forked(forked)
        if forked.pid and self._cgroups.available:
            spec = worker.spec
            own_tmp_mb = spec.tmp_mb if spec.isolation_tier else 0
            worker.group = self._cgroups.take_in(worker.worker_id, forked.pid, spec.memory_mb + own_tmp_mb)

    def _give_user(self, worker: Worker, zygote: Zygote, scratch: Path, console: int) -> None:
        uid = zygote.take_user(worker.spec.isolation_tier)
        if uid and zygote.users is not None:
            worker.spec = msgspec.structs.replace(worker.spec, uid=uid)
            self._users[worker.worker_id] = zygote.users
        zygote.hand_over(uid, scratch, console)

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
        if worker.group is not None:
            self._cgroups.let_go(worker.group)
        users = self._users.pop(worker.worker_id, None)
        # Nothing waits for it: the folder is inside run/, which is emptied at the next start.
        removed = asyncio.get_running_loop().run_in_executor(None, _remove, Path(worker.spec.scratch))
        if users is not None:
            uid = worker.spec.uid
            removed.add_done_callback(lambda _: users.give_back(uid))

    def freeze(self, worker: Worker, running: Running) -> bool:
        """Keep a failed worker, stopped, as the live scene; the scene says so, or why it is not there."""
        reason = self.frozen.keep(worker, running.record)
        kept = kept_part(self.limits.frozen_s)
        running.external_parts["live"] = ("missing", reason) if reason else kept
        return not reason

    def lost(self, worker: Worker, running: Running) -> None:
        """A worker ended, or had to be ended, in the middle of an invocation: there is nothing to debug."""
        how = "had to be stopped from outside, as it did not react" if worker.condemned else "ended by itself"
        if worker.condemned == "cancelled":
            how = "was ended by relive cancel"
        how = "was ended by the server" if worker.ended_for else how
        how = "was ended by the kernel, for the memory of its cgroup" if worker.is_ended_by_kernel() else how
        how = "crashed" if worker.crashed is not None else how
        reason = f"its process {how}; what could be saved is in the scene"
        self.frozen.note(running.record.invocation_id, reason)
        running.external_parts["live"] = ("missing", reason)

    def zygote_died(self, key: ZygoteKey) -> None:
        """Its workers cannot be reaped any more: idle ones leave now, others after their invocation."""
        for pool in self.pools.values():
            if pool.zygote == key:
                for worker in list(pool.workers):
                    worker.retire()
                    if worker.state == IDLE:
                        pool.remove_idle(worker)
                    if worker.state != BUSY:
                        worker.lose()

    def busy(self) -> Iterable[Worker]:
        """Workers with an invocation."""
        return [worker for worker in self.workers.values() if worker.state in (BUSY, FINISHING)]

    async def close(self) -> None:
        """End every worker and every zygote, and wait until they are gone."""
        self._closed = True
        self.heaps.close()
        self.debugging.close()
        if self._timer is not None:
            self._timer.cancel()
        for task in list(self._tasks):
            task.cancel()
        for worker in list(self.workers.values()):
            worker.retire()
            worker.kill()
        if self.workers:
            try:
                await asyncio.wait_for(self._empty.wait(), _CLOSE_S)
            except TimeoutError:
                _log.warning("%d workers were not reaped within %g s", len(self.workers), _CLOSE_S)
        await self.zygotes.close()


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
