"""Workers of a replay: the same zygotes, workers and supervisor as a server's, without a server."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from relive_base.records import InvocationRecord
from relive_base.wire.messages import FunctionSpec
from relive_base.within import within

from relive_platform.engine.engine import Engine, EngineLimits
from relive_platform.engine.failed.heaps import HeapLimits
from relive_platform.engine.host import HostLimits
from relive_platform.engine.invocation import InvokeRequest, Outcome
from relive_platform.engine.pool import PoolLimits
from relive_platform.engine.workers.zygote import ZygoteKey
from relive_platform.evidence import Finished, HeapFound, SceneJob
from relive_platform.replay.looping import BackgroundLoop
from relive_platform.settings import Settings

if TYPE_CHECKING:
    from relive_platform.api.local_debug import LocalDebugCall

__all__ = ["Played", "Stage", "Stages"]

_END_S: Final = 30.0
_START_SLACK_S: Final = 1.0
_TELEMETRY_BYTES: Final = 2_097_152


@dataclass(slots=True)
class Played:
    """One run to its last message."""

    outcome: Outcome
    job: SceneJob | None  # what the scene of its failure is made of
    telemetry: list[bytes]  # payloads of Spans and Logs messages
    playback: bytes = b""  # payload of the Playback message


class _Recorder:
    """Takes the place of the collector."""

    def __init__(self) -> None:
        self.ended: asyncio.Future[tuple[SceneJob | None, bytes]] | None = None
        self.payloads: list[bytes] = []
        self._size = 0

    def begin(self) -> asyncio.Future[tuple[SceneJob | None, bytes]]:
        """For the next run."""
        self.payloads, self._size = [], 0
        self.ended = asyncio.get_running_loop().create_future()
        return self.ended

    def begun(self, record: InvocationRecord) -> None: ...

    def answered(self, record: InvocationRecord, job: SceneJob | None) -> None: ...

    def abandoned(self, record: InvocationRecord) -> None: ...

    def heap(self, record: InvocationRecord, found: HeapFound, redact_keys: list[str]) -> None: ...

    def telemetry(self, spec: FunctionSpec, record: InvocationRecord | None, payload: bytes) -> None:
        self._size += len(payload)
        if self._size <= _TELEMETRY_BYTES:
            self.payloads.append(payload)

    def finished(self, item: Finished, job: SceneJob | None, playback: bytes) -> None:
        if self.ended is not None and not self.ended.done():
            self.ended.set_result((job, playback))


class Stage:
    """A zygote that is started once, and a fresh worker for each run. Coroutines run on one event loop.

    `keep`: a worker that fails stays, for `debug`.
    """

    def __init__(self, settings: Settings, runtime: Path, folder: Path, *, keep: bool = False) -> None:
        self._settings = settings
        self._recorder = _Recorder()
        self._stack = AsyncExitStack()
        self._executor = ThreadPoolExecutor(2, thread_name_prefix="replay")
        host = HostLimits(workers=2, frozen=int(keep), heap=HeapLimits(at_once=0))
        limits = EngineLimits(host, settings.zygote_timeout_s)
        self._engine = Engine(self._recorder, runtime, folder, self._executor, limits)

    async def open(self) -> None:
        """Call it first; and `close` at the end, in any case."""
        self._stack.callback(self._executor.shutdown, wait=False, cancel_futures=True)
        self._stack.push_async_callback(self._engine.close)
        self._engine.start()

    async def close(self) -> None:
        """End all workers and the zygote."""
        await self._stack.aclose()

    async def debug(self, invocation_id: str) -> LocalDebugCall:
        """A debugging session in the worker that has just failed, if it was made to keep one. Raises
        NotKept."""
        from relive_platform.api.local_debug import attach_local  # rarely needed, and it takes gRPC

        return attach_local(self._engine, invocation_id)

    async def run(self, spec: FunctionSpec, key: ZygoteKey, request: InvokeRequest) -> Played:
        """One invocation in a worker of its own. Raises ReliveError if the zygote cannot be started."""
        settings = self._settings
        runtime = self._engine.forked(key)
        await runtime.prepare()
        limits = PoolLimits(
            max_workers=1,
            waiting_workers=0,
            start_timeout_s=max(settings.start_timeout_s, spec.timeout_s) + _START_SLACK_S,
        )
        self._engine.deploy(spec, runtime, limits)
        ended = self._recorder.begin()
        answer = self._engine.submit(request)
        limit_s = limits.start_timeout_s + spec.timeout_s + _END_S
        try:
            job, playback = await within(ended, limit_s)
            return Played(await answer, job, self._recorder.payloads, playback)
        finally:
            self._recorder.ended = None
            self._engine.withdraw(spec.name)


class Stages:
    """The one on which a replay runs, and one for what is run beside it, which is the same unless the first
    one keeps a worker for its debugger."""

    def __init__(self, loop: BackgroundLoop, runtime: Path, folder: Path, *, keep: bool) -> None:
        self._loop = loop
        self._runtime = runtime
        self._folder = folder
        self._keep = keep
        self._first: Stage | None = None
        self._spare: Stage | None = None

    def first(self) -> Stage:
        """Open."""
        if self._first is None:
            self._first = self._opened(keep=self._keep)
        return self._first

    def spare(self) -> Stage:
        """Open."""
        if not self._keep:
            return self.first()
        if self._spare is None:
            self._spare = self._opened(keep=False)
        return self._spare

    def close(self) -> None:
        """All that was opened."""
        for stage in (self._first, self._spare):
            if stage is not None:
                self._loop.call(stage.close())

    def _opened(self, *, keep: bool) -> Stage:
        stage = Stage(Settings(), self._runtime, self._folder, keep=keep)
        self._loop.call(stage.open())
        return stage
