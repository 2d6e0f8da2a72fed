"""Loading a version's handler once in a real worker, before the version goes into service."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import asdict
from typing import Final

from relive_base.wire.messages import FunctionSpec
from relive_runtime.adapters.table import has_python

from relive_platform.engine.engine import Engine
from relive_platform.engine.trial import try_worker
from relive_platform.engine.workers.zygote import ZygoteKey
from relive_platform.registry.model import FunctionVersion, TrialResult

__all__ = ["WorkerTrial"]

_TELL_S: Final = 8.0


class WorkerTrial:
    """The registry's trial, in the server's engine. Call it from another thread than the loop's."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        engine: Engine,
        worker_of: Callable[[FunctionVersion], tuple[FunctionSpec, ZygoteKey]],
        timeout_s: float,
    ) -> None:
        self._loop = loop
        self._engine = engine
        self._worker_of = worker_of
        self._timeout_s = timeout_s

    def __call__(self, version: FunctionVersion) -> TrialResult:
        """Wait until the handler is loaded, or is not. Never raises for what the user's code does."""
        spec, key = self._worker_of(version)
        # A program has a limit of its own, and tells what it was when that struck.
        limit_s = self._timeout_s if has_python(spec.kind) else spec.load_timeout_s + _TELL_S
        trial = try_worker(self._engine.host, spec, self._engine.forked(key), version.code_dir, limit_s)
        return TrialResult(**asdict(asyncio.run_coroutine_threadsafe(trial, self._loop).result()))
