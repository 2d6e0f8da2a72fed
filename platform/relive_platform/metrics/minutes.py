"""Keeps the server's own figures by minute: samples are put together here, and a minute is written once."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from relive_base.errors import ReliveError

from relive_platform.metrics.families import Attributes, Family

__all__ = ["MinuteKeeper", "Minutes"]

SAMPLE_S: Final = 15.0
KEPT_MINUTES: Final = 60
"""While the store is down; after that the oldest minutes are dropped and counted."""
MAX_SERIES: Final = 2_000
_MINUTE_S: Final = 60
_log = logging.getLogger(__name__)

Row = tuple[str, str, dict[str, str], int, float, float, float, float]
"""metric, unit, attributes, samples, total, least, most, last"""


@dataclass(slots=True)
class _Series:
    unit: str
    samples: int
    total: float
    least: float
    most: float
    last: float


class Minutes:
    """Samples to minutes. `take` gives those that are over; what does not fit is counted in `dropped`."""

    def __init__(self) -> None:
        self._minute = 0
        self._series: dict[tuple[str, Attributes], _Series] = {}
        self._over: deque[tuple[int, list[Row]]] = deque()
        self.dropped = 0  # minutes

    def add(self, families: Sequence[Family], now_s: float) -> None:
        """One sample of everything."""
        minute = int(now_s) // _MINUTE_S * _MINUTE_S
        if minute != self._minute:
            self._end()
            self._minute = minute
        for family in families:
            for point in family.numbers:
                self._sample((family.name, point.attributes), family.unit, point.value)

    def _sample(self, key: tuple[str, Attributes], unit: str, value: float) -> None:
        found = self._series.get(key)
        if found is None:
            if len(self._series) < MAX_SERIES:
                self._series[key] = _Series(unit, 1, value, value, value, value)
            return
        found.samples += 1
        found.total += value
        found.least = min(found.least, value)
        found.most = max(found.most, value)
        found.last = value

    def _end(self) -> None:
        if self._series:
            rows: list[Row] = [
                (name, one.unit, dict(pairs), one.samples, one.total, one.least, one.most, one.last)
                for (name, pairs), one in self._series.items()
            ]
            self._over.append((self._minute, rows))
            self._series = {}
        while len(self._over) > KEPT_MINUTES:
            self._over.popleft()
            self.dropped += 1

    def oldest(self) -> tuple[int, list[Row]] | None:
        """The oldest minute that is over and was not written."""
        return self._over[0] if self._over else None

    def written(self) -> None:
        """That minute is in the store."""
        self._over.popleft()


class MinuteKeeper:
    """Takes a sample every SAMPLE_S and writes the minutes that are over. On the event loop."""

    def __init__(
        self,
        sample: Callable[[], Awaitable[list[Family]]],
        write: Callable[[int, list[Any]], Awaitable[None]],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`write` raises ReliveError if the store does not take it: the next sample tries it again."""
        self._sample = sample
        self._write = write
        self._clock = clock
        self.minutes = Minutes()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.get_running_loop().create_task(self._keep())

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(SAMPLE_S)
            try:
                await self.once()
            except Exception:  # whatever it was, the next sample is due
                _log.exception("the server's own figures could not be taken")

    async def once(self) -> None:
        """One sample, and all minutes that are over by now."""
        self.minutes.add(await self._sample(), self._clock())
        with contextlib.suppress(ReliveError):  # the store is down: it is told what waits later
            while (found := self.minutes.oldest()) is not None:
                await self._write(*found)
                self.minutes.written()

    async def close(self) -> None:
        """Sample no more. The minute that has begun is not written: its next one will never be."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
