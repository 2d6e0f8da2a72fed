"""The runtime whose workers are forked by a zygote: one for each dependency set."""

from __future__ import annotations

import asyncio
import os
import socket
import uuid
from pathlib import Path

import msgspec
from relive_base.errors import ReliveError
from relive_base.wire.messages import Fork, Forked, FunctionSpec
from relive_base.wire.ring import RingReader, make_ring

from relive_platform.engine.runtime import WorkerEvents
from relive_platform.engine.workers.console import ConsoleReader
from relive_platform.engine.workers.fault_file import FaultFile
from relive_platform.engine.workers.forked import ForkedWorker
from relive_platform.engine.workers.zygote import Zygote, ZygoteKey
from relive_platform.engine.workers.zygotes import Zygotes

__all__ = ["ZygoteRuntime"]


class ZygoteRuntime:
    """Has the zygote of `key` fork workers; it is started when it is first needed."""

    def __init__(self, zygotes: Zygotes, key: ZygoteKey) -> None:
        self.key = key
        self._zygotes = zygotes

    async def prepare(self) -> None:
        """Start the zygote if it does not run. Raises ZygoteError."""
        await self._zygotes.get(self.key)

    def start(self, worker_id: int, spec: FunctionSpec, events: WorkerEvents) -> ForkedWorker:
        """Begin to start a worker. Never raises: `events` hears of all that goes wrong."""
        scratch = self.key.scratch_root(self._zygotes.scratch_dir) / str(worker_id)
        own = msgspec.structs.replace(spec, scratch=str(scratch), instance=str(uuid.uuid4()))
        worker = ForkedWorker(worker_id, own, events, self._zygotes.cgroups)
        worker.starting = asyncio.get_running_loop().create_task(self._start(worker, scratch, events))
        return worker

    async def _start(self, worker: ForkedWorker, scratch: Path, events: WorkerEvents) -> None:
        try:
            zygote = self._zygotes.ready(self.key) or await self._zygotes.get(self.key)
            os.makedirs(scratch, mode=0o700, exist_ok=True)
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
            console_read, console_write = os.pipe()
            ours.setblocking(False)
            _give_user(worker, zygote, scratch, console_write)
            worker.faults = FaultFile()
            ring = make_ring()
            await worker.open(ours, RingReader(ring) if ring >= 0 else None)
            ConsoleReader(events.on_console).open(console_read)
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
        fork = Fork(worker_id=worker.worker_id, spec=worker.spec, descriptors=len(descriptors))
        zygote.fork(fork, descriptors, worker)


def _give_user(worker: ForkedWorker, zygote: Zygote, scratch: Path, console: int) -> None:
    uid = zygote.take_user(worker.spec.isolation_tier)
    if uid and zygote.users is not None:
        worker.become_user(uid, zygote.users)
    zygote.hand_over(uid, scratch, console)
