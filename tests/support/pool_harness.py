"""Real zygotes and workers under a dispatcher, without store and gateway."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from relive_base.frames import FunctionSpec, LogLine
from relive_platform.engine.dispatcher import Dispatcher
from relive_platform.engine.host import HostLimits, WorkerHost
from relive_platform.engine.invocation import HeapFound, InvokeRequest, Outcome, Running
from relive_platform.engine.pool import FunctionPool, PoolLimits
from relive_platform.engine.supervisor.dumping import dump_worker
from relive_platform.engine.supervisor.saving import Saver
from relive_platform.engine.supervisor.watch import Supervisor
from relive_platform.engine.workers.users import UserRange
from relive_platform.engine.workers.worker import Worker
from relive_platform.engine.workers.zygote import ZygoteKey
from relive_platform.engine.workers.zygotes import Zygotes
from relive_runtime.folder import build_runtime

__all__ = ["Platform", "platform"]


class Recording:
    """Keeps what a collector would get."""

    def __init__(self) -> None:
        self.told: list[str] = []  # what was told of invocations, in its order
        self.payloads: list[bytes] = []
        self.finished_runs: list[Running] = []
        self.console_lines: list[LogLine] = []
        self.heaps: list[tuple[Running, HeapFound]] = []

    def begun(self, running: Running) -> None:
        self.told.append("begun")

    def answered(self, running: Running) -> None:
        self.told.append("answered")

    def abandoned(self, running: Running) -> None: ...

    def telemetry(self, worker: Worker, payload: bytes) -> None:
        self.payloads.append(payload)

    def finished(self, running: Running, worker: Worker | None) -> None:
        self.told.append("finished")
        self.finished_runs.append(running)

    def heap(self, running: Running, worker: Worker, found: HeapFound) -> None:
        self.heaps.append((running, found))


class Platform:
    """One host of workers; `deploy` puts a function in service."""

    def __init__(self, folder: Path, limits: HostLimits, tier: int = 1) -> None:
        self.tier = tier
        self.folder = folder
        self.code = folder / "code"
        self.code.mkdir()
        self.recording = Recording()
        runtime = build_runtime(folder)
        self.zygotes = Zygotes(
            runtime, folder / "run", 30.0, lambda key: self.host.zygote_died(key), UserRange(900_000, 65_536)
        )
        self.executor = ThreadPoolExecutor(2)
        self.host = WorkerHost(
            self.zygotes,
            limits,
            folder / "run" / "scratch",
            lambda worker, lines: self.recording.console_lines.extend(lines),
            lambda worker: self.supervisor.watch(worker),
        )
        self.dispatcher = Dispatcher(self.recording, self.host.pools)
        self.supervisor = Supervisor(
            lambda: self.host.workers,
            self.dispatcher.on_condemned,
            dump_worker,
            self.executor,
            saver=Saver(self.host.heaps, self.dispatcher.on_heap),
        )
        self.host.start()

    def deploy(
        self, name: str, source: str, *, limits: PoolLimits | None = None, version: int = 1, **spec: Any
    ) -> FunctionPool:
        """`source` becomes the module `NAME_vN`, whose `handler` is served."""
        module = f"{name}_v{version}"
        (self.code / f"{module}.py").write_text(source)
        values = {"timeout_s": 5.0, "memory_mb": 128, "source": str(self.code)} | spec
        values.setdefault("isolation_tier", self.tier)
        built = FunctionSpec(name=name, version=version, handler=f"{module}:handler", **values)
        pool = FunctionPool(
            built,
            ZygoteKey(sys.executable, tier=self.tier, code_root=str(self.code)),
            limits or PoolLimits(waiting_workers=0),
            self.host,
            self.dispatcher,
        )
        self.host.pools[name, version] = pool
        replaced = self.dispatcher.serve(pool)
        if replaced is not None:
            replaced.drain()
        return pool

    async def invoke(self, name: str, event: bytes = b"null", **more: Any) -> Outcome:
        """One event, to its end."""
        return await self.dispatcher.invoke(InvokeRequest(function=name, event=event, **more))

    async def until(self, condition: Callable[[], object], timeout_s: float = 10.0) -> None:
        """Wait for a condition; fails with its name when it never comes."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline, f"{condition} did not become true within {timeout_s} s"
            await asyncio.sleep(0.005)

    async def close(self) -> None:
        """End all processes."""
        self.supervisor.close()
        await self.host.close()
        self.executor.shutdown(wait=False)


@asynccontextmanager
async def platform(folder: Path, limits: HostLimits | None = None, tier: int = 1) -> AsyncIterator[Platform]:
    """A platform that leaves no process behind."""
    built = Platform(folder, limits or HostLimits(), tier)
    try:
        yield built
    finally:
        await built.close()
