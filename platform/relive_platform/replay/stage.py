"""Workers of a replay: the same zygotes, workers and supervisor as a server's, without a server."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from relive_base.frames import FunctionSpec, LogLine, Logs, encode_frame

from relive_platform.engine.dispatcher import Dispatcher
from relive_platform.engine.failed.heaps import HeapLimits
from relive_platform.engine.host import HostLimits, WorkerHost
from relive_platform.engine.invocation import HeapFound, InvokeRequest, Running
from relive_platform.engine.pool import FunctionPool, PoolLimits
from relive_platform.engine.supervisor.dumping import dump_worker
from relive_platform.engine.supervisor.saving import Saver
from relive_platform.engine.supervisor.watch import Supervisor
from relive_platform.engine.workers.worker import Worker
from relive_platform.engine.workers.zygote import ZygoteKey
from relive_platform.engine.workers.zygotes import Zygotes
from relive_platform.settings import Settings
from relive_platform.signals.batches import SceneJob
from relive_platform.signals.collector import scene_job

if TYPE_CHECKING:
    from relive_platform.server.debugging import LocalDebugCall

__all__ = ["Played", "Stage"]

_END_S: Final = 30.0
_START_SLACK_S: Final = 1.0


@dataclass(slots=True)
class Played:
    """One run to its last frame."""

    running: Running
    job: SceneJob  # what the scene of its failure is made of
    playback: bytes = b""  # payload of the Playback frame


class _Listener:
    """Takes the place of the collector."""

    def __init__(self) -> None:
        self.finished_run: asyncio.Future[Played] | None = None

    def begun(self, running: Running) -> None: ...

    def answered(self, running: Running) -> None: ...

    def abandoned(self, running: Running) -> None: ...

    def telemetry(self, worker: Worker, payload: bytes) -> None: ...

    def heap(self, running: Running, worker: Worker, found: HeapFound) -> None: ...

    def finished(self, running: Running, worker: Worker | None) -> None:
        waiting = self.finished_run
        if waiting is not None and not waiting.done():
            # The job at once: what a fault handler wrote goes with the worker.
            played = worker.playback if worker is not None else b""
            waiting.set_result(Played(running, scene_job(running, running.worker, []), played))


class Stage:
    """A zygote that is started once, and a fresh worker for each run. Coroutines run on one event loop.

    `keep`: a worker that fails stays, for `debug`.
    """

    def __init__(self, settings: Settings, runtime: Path, folder: Path, *, keep: bool = False) -> None:
        self._settings = settings
        self._listener = _Listener()
        self._stack = AsyncExitStack()
        zygotes = Zygotes(runtime, folder, settings.zygote_timeout_s, lambda key: self._host.zygote_died(key))
        self._host = WorkerHost(
            zygotes,
            HostLimits(workers=2, frozen=int(keep), heap=HeapLimits(at_once=0)),
            folder / "scratch",
            self._console,
            lambda worker: self._supervisor.watch(worker),
        )
        self._dispatcher = Dispatcher(self._listener, self._host.pools)
        self._executor = ThreadPoolExecutor(2, thread_name_prefix="replay")
        self._supervisor = Supervisor(
            lambda: self._host.workers,
            self._dispatcher.on_condemned,
            dump_worker,
            self._executor,
            saver=Saver(self._host.heaps, self._dispatcher.on_heap),
        )

    async def open(self) -> None:
        """Call it first; and `close` at the end, in any case."""
        self._stack.callback(self._executor.shutdown, wait=False, cancel_futures=True)
        self._stack.push_async_callback(self._host.close)
        self._stack.callback(self._supervisor.close)
        self._host.start()

    async def close(self) -> None:
        """End all workers and the zygote."""
        await self._stack.aclose()

    async def debug(self, invocation_id: str) -> LocalDebugCall:
        """A debugging session in the worker that has just failed, if it was made to keep one. Raises
        NotKept."""
        from relive_platform.server.debugging import attach_local

        return attach_local(self._host.debugging, invocation_id)

    async def run(self, spec: FunctionSpec, key: ZygoteKey, request: InvokeRequest) -> Played:
        """One invocation in a worker of its own. Raises ReliveError if the zygote cannot be started."""
        settings = self._settings
        await self._host.zygotes.get(key)
        limits = PoolLimits(
            max_workers=1,
            waiting_workers=0,
            start_timeout_s=max(settings.start_timeout_s, spec.timeout_s) + _START_SLACK_S,
        )
        pool = FunctionPool(spec, key, limits, self._host, self._dispatcher)
        self._host.pools[spec.name, spec.version] = pool
        self._dispatcher.serve(pool)
        self._listener.finished_run = asyncio.get_running_loop().create_future()
        self._dispatcher.submit(request)
        limit_s = limits.start_timeout_s + spec.timeout_s + _END_S
        try:
            return await asyncio.wait_for(self._listener.finished_run, limit_s)
        finally:
            self._listener.finished_run = None
            pool.drain()

    def _console(self, worker: Worker, lines: list[LogLine]) -> None:
        """Text that a worker's process wrote past Python."""
        running = worker.writing()
        invocation_id = running.record.invocation_id if running is not None else ""
        worker.console(encode_frame(Logs(invocation_id=invocation_id, lines=lines))[4:])
