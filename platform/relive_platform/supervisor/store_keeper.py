"""Keeps the store's process running; invocations go on while it does not."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final, Protocol

__all__ = ["StoreKeeper", "StoreProcessLike"]

_LOOK_S: Final = 0.25
_BACKOFF_S: Final = (0.1, 0.5, 2.0, 5.0, 15.0, 30.0)
_STABLE_S: Final = 60.0
_log = logging.getLogger(__name__)


class StoreProcessLike(Protocol):
    """relive_store.process.StoreProcess."""

    @property
    def pid(self) -> int: ...
    @property
    def alive(self) -> bool: ...
    def start(self, timeout_s: float = ...) -> None: ...
    def stop(self) -> None: ...
    def kill(self) -> None: ...


class StoreKeeper:
    """Looks four times a second whether the process lives; starts it again with growing pauses."""

    def __init__(self, make: Callable[[], StoreProcessLike], start_timeout_s: float = 30.0) -> None:
        self.restarts = 0
        self._make = make
        self._process = make()
        self._start_timeout_s = start_timeout_s
        self._task: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int:
        """0 where it is down."""
        return self._process.pid if self._process.alive else 0

    async def start(self) -> None:
        """Start it and begin to look. Raises what the process's own start raises."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, self._process.start, self._start_timeout_s)
        self._task = loop.create_task(self._watch())

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        failures = 0
        healthy_since = loop.time()
        while True:
            await asyncio.sleep(_LOOK_S)
            if self._process.alive:
                if loop.time() - healthy_since > _STABLE_S:
                    failures = 0
                continue
            delay = _BACKOFF_S[min(failures, len(_BACKOFF_S) - 1)]
            failures += 1
            self.restarts += 1
            _log.error("the store's process ended; it is started again in %g s", delay)
            await asyncio.sleep(delay)
            try:
                await loop.run_in_executor(None, self._replace)
                healthy_since = loop.time()
            except Exception as error:  # whatever it was, the next try is due
                _log.error("the store's process could not be started: %s", error)

    def _replace(self) -> None:
        self._process.kill()
        self._process = self._make()
        self._process.start(self._start_timeout_s)

    async def close(self) -> None:
        """Stop looking, then stop the process in order."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await asyncio.get_running_loop().run_in_executor(None, self._process.stop)
