"""Loading a version's handler once in a real worker, before the version goes into service."""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from relive_base.errors import ReliveError
from relive_base.wire.messages import (
    Call,
    CallBegun,
    Done,
    ErrorInfo,
    FunctionSpec,
    InitFailed,
    Ready,
    Result,
)
from relive_base.within import within

from relive_platform.engine.attempt import Attempt
from relive_platform.engine.host import WorkerHost
from relive_platform.engine.runtime import Runtime
from relive_platform.engine.supervisor.verdict import init_verdict
from relive_platform.engine.workers.life import IDLE, STARTING
from relive_platform.engine.workers.worker import Worker

__all__ = ["Tried", "try_worker"]

_LEAVE_S: Final = 5.0
_PLACE: Final = re.compile(r'File "([^"]+)", line (\d+)')


@dataclass(frozen=True, slots=True)
class Tried:
    """Whether a version's handler loads. `file` and `line` say where in the user's code it failed."""

    ok: bool
    message: str = ""
    file: str = ""
    line: int = 0
    traceback: str = ""
    seconds: float = 0.0


async def try_worker(
    host: WorkerHost, spec: FunctionSpec, runtime: Runtime, code_dir: str, timeout_s: float
) -> Tried:
    """Fork one worker with the version's own limits and isolation, and wait until the handler is loaded, or
    is not. Never raises for what the user's code does. The import of dependencies in the zygote has its own
    limit."""
    began = time.monotonic()
    try:
        await runtime.prepare()
    except ReliveError as error:
        return Tried(ok=False, message=str(error), seconds=time.monotonic() - began)
    owner = _Owner(host)
    worker = host.launch(owner, spec, runtime)
    late = ""
    try:
        await within(owner.told.wait(), timeout_s)
    except TimeoutError:
        late = f"loading the handler took longer than {timeout_s:g} s"
    seconds = time.monotonic() - began
    tried = _tried(worker, code_dir, late, seconds)
    if worker.ready is not None and worker.state == STARTING:
        worker.become(IDLE)
    worker.dismiss()
    try:
        await within(owner.gone.wait(), _LEAVE_S + spec.stop_timeout_s)
    except TimeoutError:
        pass  # its zygote reaps it later; the trial is decided
    return tried


def _tried(worker: Worker, code_dir: str, late: str, seconds: float) -> Tried:
    if worker.ready is not None:
        return Tried(ok=True, seconds=seconds)
    if late:
        return Tried(ok=False, message=late, seconds=seconds)
    error = init_verdict(worker)
    file, line = _place(error, Path(code_dir), worker.spec.handler)
    return Tried(False, f"{error.type}: {error.message}", file, line, error.traceback, seconds)


class _Owner:
    """Hears of one worker that gets no event. What its module prints is shown when it serves."""

    def __init__(self, host: WorkerHost) -> None:
        self.told = asyncio.Event()
        self.gone = asyncio.Event()
        self.healthy = None
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

    def on_orphaned(self, worker: Worker) -> None:
        worker.handle.lose()

    def on_result(self, worker: Worker, attempt: Attempt, result: Result) -> None: ...
    def on_done(self, worker: Worker, attempt: Attempt, done: Done) -> None: ...
    def on_saved(self, worker: Worker, attempt: Attempt) -> None: ...
    def on_skipped(self, worker: Worker, attempt: Attempt) -> None: ...
    def take_back(self, worker: Worker) -> None: ...
    def scale(self) -> None: ...
    def on_call(self, worker: Worker, attempt: Attempt | None, call: Call) -> None: ...
    def on_call_begun(self, worker: Worker, begun: CallBegun) -> None: ...
    def on_telemetry(self, worker: Worker, attempt: Attempt | None, payload: bytes) -> None: ...


def _place(error: ErrorInfo, code: Path, handler: str) -> tuple[str, int]:
    """File and line in the user's code: of the innermost frame; a syntax error has none, but names its place;
    a handler that is missing or no function is its module's fault."""
    places = [(error.file, error.line), *reversed(_PLACE.findall(error.traceback))]
    for file, line in places:
        path = code / file  # paths in the user's code are told relative to it
        if file and path.is_file() and path.is_relative_to(code):
            return str(path), int(line)
    module = handler.partition(":")[0].replace(".", "/")
    for name in (f"{module}.py", f"{module}/__init__.py"):
        path = code / name
        if path.is_file():
            return str(path), 0
    return "", 0
