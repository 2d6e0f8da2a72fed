"""Loading a version's handler once in a real worker, before the version goes into service."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from relive_base.errors import ReliveError
from relive_base.frames import Call, Done, ErrorInfo, FunctionSpec, InitFailed, Ready, Result

from relive_platform.engine.host import WorkerHost
from relive_platform.engine.invocation import Running
from relive_platform.engine.supervisor.verdict import init_verdict
from relive_platform.engine.workers.worker import Worker
from relive_platform.engine.workers.zygote import ZygoteKey
from relive_platform.registry.model import FunctionVersion, TrialResult

__all__ = ["WorkerTrial"]

_LEAVE_S: Final = 5.0
_PLACE: Final = re.compile(r'File "([^"]+)", line (\d+)')


class WorkerTrial:
    """Forks one worker with the version's own limits and isolation. Call it from another thread than the
    loop's."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        host: WorkerHost,
        worker_of: Callable[[FunctionVersion], tuple[FunctionSpec, ZygoteKey]],
        timeout_s: float,
    ) -> None:
        self._loop = loop
        self._host = host
        self._worker_of = worker_of
        self._timeout_s = timeout_s

    def __call__(self, version: FunctionVersion) -> TrialResult:
        """Wait until the handler is loaded, or is not. Never raises for what the user's code does."""
        return asyncio.run_coroutine_threadsafe(self.run(version), self._loop).result()

    async def run(self, version: FunctionVersion) -> TrialResult:
        """The same on the loop. The import of dependencies in the zygote has its own limit."""
        began = time.monotonic()
        spec, key = self._worker_of(version)
        try:
            await self._host.zygotes.get(key)
        except ReliveError as error:
            return TrialResult(ok=False, message=str(error), seconds=time.monotonic() - began)
        owner = _Owner(self._host)
        worker = self._host.launch(owner, spec, key)
        try:
            await asyncio.wait_for(owner.told.wait(), self._timeout_s)
        except TimeoutError:
            worker.condemned = "timeout"
        result = self._result(version, worker, time.monotonic() - began)
        worker.retire = True
        worker.kill()
        try:
            await asyncio.wait_for(owner.gone.wait(), _LEAVE_S)
        except TimeoutError:
            pass  # its zygote reaps it later; the trial is decided
        return result

    def _result(self, version: FunctionVersion, worker: Worker, seconds: float) -> TrialResult:
        if worker.ready is not None:
            return TrialResult(ok=True, seconds=seconds)
        if worker.condemned == "timeout":
            message = f"loading the handler took longer than {self._timeout_s:g} s"
            return TrialResult(ok=False, message=message, seconds=seconds)
        error = init_verdict(worker)
        file, line = _place(error, version)
        return TrialResult(
            ok=False,
            message=f"{error.type}: {error.message}",
            file=file,
            line=line,
            traceback=error.traceback,
            seconds=seconds,
        )


class _Owner:
    """Hears of one worker that gets no event. What its module prints is shown when it serves."""

    def __init__(self, host: WorkerHost) -> None:
        self.told = asyncio.Event()
        self.gone = asyncio.Event()
        self._host = host

    def on_ready(self, worker: Worker, ready: Ready) -> None:
        self.told.set()

    def on_init_failed(self, worker: Worker, failed: InitFailed) -> None:
        self.told.set()

    def on_gone(self, worker: Worker) -> None:
        self._host.gone(worker)
        self._host.freed()
        self.told.set()
        self.gone.set()

    def on_crashed(self, worker: Worker) -> None:
        worker.kill()  # its fault handler has told where

    def on_result(self, worker: Worker, running: Running, result: Result) -> None: ...
    def on_done(self, worker: Worker, running: Running, done: Done) -> None: ...
    def on_saved(self, worker: Worker, running: Running) -> None: ...
    def on_skipped(self, worker: Worker, running: Running) -> None: ...
    def take_back(self, worker: Worker) -> None: ...
    def scale(self) -> None: ...
    def on_call(self, worker: Worker, call: Call) -> None: ...
    def on_telemetry(self, worker: Worker, payload: bytes) -> None: ...


def _place(error: ErrorInfo, version: FunctionVersion) -> tuple[str, int]:
    """File and line in the user's code: of the innermost frame; a syntax error has none, but names its place;
    a handler that is missing or no function is its module's fault."""
    places = [(error.file, error.line), *reversed(_PLACE.findall(error.traceback))]
    for file, line in places:
        path = Path(version.code_dir, file)  # paths in the user's code are told relative to it
        if file and path.is_file() and path.is_relative_to(version.code_dir):
            return str(path), int(line)
    module = version.spec.handler.partition(":")[0].replace(".", "/")
    for name in (f"{module}.py", f"{module}/__init__.py"):
        path = Path(version.code_dir, name)
        if path.is_file():
            return str(path), 0
    return "", 0
