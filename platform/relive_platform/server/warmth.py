"""What the engine's warmth is told by others: the records of before, and when timers come."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from typing import Final

from relive_base.errors import ReliveError
from relive_store import Store
from relive_tracer.explore.warmth import Habits, habits

from relive_platform.engine.warmth.keeper import Warmth

__all__ = ["WarmthTeller"]

_EVERY_S: Final = 1.0
_TRIES_S: Final = (0.5, 2.0, 10.0, 60.0)  # the store may be starting
_log = logging.getLogger(__name__)


class WarmthTeller:
    """Two tasks while the server runs; what blocks is asked for in `executor`."""

    def __init__(
        self,
        warmth: Warmth,
        store: Store,
        next_runs: Callable[[], Mapping[str, int]],
        executor: Executor,
    ) -> None:
        self._warmth = warmth
        self._store = store
        self._next_runs = next_runs
        self._executor = executor
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin."""
        self._tasks = [asyncio.create_task(self._timers())]
        if self._warmth.learns:
            self._tasks.append(asyncio.create_task(self._records()))

    async def close(self) -> None:
        """Tell nothing more."""
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _timers(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self._warmth.expect(await loop.run_in_executor(self._executor, self._next_runs))
            await asyncio.sleep(_EVERY_S)

    async def _records(self) -> None:
        """Once: from then on the engine sees for itself. Without a store it begins with what is usual."""
        loop = asyncio.get_running_loop()
        for wait_s in _TRIES_S:
            await asyncio.sleep(wait_s)
            try:
                found: list[Habits] = await loop.run_in_executor(self._executor, habits, self._store)
            except ReliveError as error:
                _log.info("what was recorded of idle times cannot be read yet: %s", error)
                continue
            for one in found:
                self._warmth.learn(one.function, one.gaps_s, one.start_s, one.memory_bytes)
            return
