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

import msgspec
from own_users import COUNT, FIRST
from patience import PATIENCE_S
from relive_base.records import InvocationRecord
from relive_base.wire.messages import FunctionSpec, LogLine, Logs, frame_kind
from relive_platform.engine.engine import Engine, EngineLimits
from relive_platform.engine.host import HostLimits
from relive_platform.engine.invocation import InvokeRequest, Outcome
from relive_platform.engine.pool import FunctionPool, PoolLimits
from relive_platform.engine.workers.cgroups.groups import CgroupLimits
from relive_platform.engine.workers.users import UserRange
from relive_platform.engine.workers.worker import Worker
from relive_platform.engine.workers.zygote import ZygoteKey
from relive_platform.evidence import Finished, HeapFound, SceneJob
from relive_runtime.folder import build_runtime

__all__ = ["Platform", "platform"]


class Recording:
    """Keeps what a collector would get."""

    def __init__(self) -> None:
        self.told: list[str] = []  # what was told of invocations, in its order
        self.payloads: list[bytes] = []
        self.finished_runs: list[SceneJob] = []
        self.console_lines: list[LogLine] = []
        self.heaps: list[tuple[InvocationRecord, HeapFound]] = []

    def begun(self, record: InvocationRecord) -> None:
        self.told.append("begun")

    def answered(self, record: InvocationRecord, job: SceneJob | None) -> None:
        self.told.append("answered")

    def abandoned(self, record: InvocationRecord) -> None: ...

    def telemetry(self, spec: FunctionSpec, record: InvocationRecord | None, payload: bytes) -> None:
        self.payloads.append(payload)
        if frame_kind(payload) == "logs":
            lines = msgspec.msgpack.decode(payload, type=Logs).lines
            self.console_lines += [line for line in lines if line.source == "console"]

    def finished(self, item: Finished, job: SceneJob | None, playback: bytes) -> None:
        self.told.append("finished")
        self.finished_runs.append(job or SceneJob(item.record, profiles=item.profiles))

    def heap(self, record: InvocationRecord, found: HeapFound, redact_keys: list[str]) -> None:
        self.heaps.append((record, found))


class Platform:
    """One host of workers; `deploy` puts a function in service."""

    def __init__(self, folder: Path, limits: HostLimits, tier: int, cgroups: CgroupLimits | None) -> None:
        self.tier = tier
        self.folder = folder
        self.code = folder / "code"
        self.code.mkdir()
        self.recording = Recording()
        self.executor = ThreadPoolExecutor(2)
        users = UserRange(FIRST, COUNT)
        self.engine = Engine(
            self.recording,
            build_runtime(folder),
            folder / "run",
            self.executor,
            EngineLimits(limits, 30.0, users, cgroups),
        )
        self.host = self.engine.host
        self.dispatcher = self.engine.dispatcher
        self.zygotes = self.engine.zygotes
        self.engine.start()

    def deploy(
        self, name: str, source: str, /, *, limits: PoolLimits | None = None, version: int = 1, **spec: Any
    ) -> FunctionPool:
        """`source` becomes the module `NAME_vN`, whose `handler` is served."""
        module = f"{name}_v{version}"
        (self.code / f"{module}.py").write_text(source)
        values = {"timeout_s": 60.0, "memory_mb": 128, "source": str(self.code)} | spec
        values.setdefault("isolation_tier", self.tier)
        built = FunctionSpec(name=name, version=version, handler=f"{module}:handler", **values)
        key = ZygoteKey(sys.executable, tier=self.tier, code_root=str(self.code))
        return self.engine.deploy(built, self.engine.forked(key), limits or PoolLimits(waiting_workers=0))

    async def invoke(self, name: str, event: bytes = b"null", **more: Any) -> Outcome:
        """One event, to its end."""
        return await self.engine.submit(InvokeRequest(function=name, event=event, **more))

    async def idle(self, pool: FunctionPool) -> Worker:
        """A worker that waits: after its answer it may have more to tell, such as a profile."""
        await self.until(lambda: pool.idle)
        return pool.idle[0]

    async def until(self, condition: Callable[[], object], timeout_s: float = PATIENCE_S) -> None:
        """Wait for a condition; fails with its name when it never comes."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline, f"{condition} did not become true within {timeout_s} s"
            await asyncio.sleep(0.005)

    async def close(self) -> None:
        """End all processes."""
        await self.engine.close()
        self.executor.shutdown(wait=False)


@asynccontextmanager
async def platform(
    folder: Path, limits: HostLimits | None = None, tier: int = 1, cgroups: CgroupLimits | None = None
) -> AsyncIterator[Platform]:
    """A platform that leaves no process behind."""
    built = Platform(folder, limits or HostLimits(), tier, cgroups)
    try:
        yield built
    finally:
        await built.close()
