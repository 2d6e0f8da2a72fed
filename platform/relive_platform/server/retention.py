"""Keeps the store within its days and its size, off the event loop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from concurrent.futures import Executor
from typing import Final

from relive_base.errors import ReliveError
from relive_store import Store, apply_retention, drop_oldest

__all__ = ["Retention"]

_EVERY_S: Final = 3600.0
_log = logging.getLogger(__name__)


class Retention:
    """`start` sets the days; then the size is looked at, at once and every `every_s`."""

    def __init__(
        self,
        store: Store,
        executor: Executor,
        *,
        days: Mapping[str, int],
        limit_bytes: int = 0,
        every_s: float = _EVERY_S,
    ) -> None:
        self._store = store
        self._executor = executor
        self._days = days
        self._limit_bytes = limit_bytes
        self._every_s = every_s
        self._started = False
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """A store that refuses is logged: invocations matter more than its tidiness. Does nothing the second
        time."""
        if self._started:
            return
        self._started = True
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._executor, self._set_days)
        if self._limit_bytes:
            self._task = loop.create_task(self._watch())

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await loop.run_in_executor(self._executor, self._drop)
            await asyncio.sleep(self._every_s)

    def _set_days(self) -> None:
        try:
            apply_retention(self._store, self._days)
        except ReliveError as error:
            _log.error("the store's retention was not set: %s", error)

    def _drop(self) -> None:
        try:
            dropped = drop_oldest(self._store, self._limit_bytes)
        except ReliveError as error:
            _log.warning("the store's size could not be looked at: %s", error)
            return
        if dropped:
            _log.warning("the store was over %d bytes; dropped: %s", self._limit_bytes, ", ".join(dropped))

    async def close(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
