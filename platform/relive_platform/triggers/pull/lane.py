"""Records between their source and `events.db`, in the order of one lane."""

from __future__ import annotations

import asyncio
from collections import deque

from relive_base.within import within

from relive_platform.triggers.pull.connector import Record

__all__ = ["Lane"]

BATCHES_HELD = 2


class Lane:
    """Holds two batches at most: what the function cannot take stays at the source."""

    def __init__(self, name: str, prefix: str, batch_size: int, batch_bytes: int) -> None:
        self.name = name
        self.prefix = prefix  # of the ids of its events
        self.outstanding = 0  # its events that wait or run, at most
        self.records: deque[Record] = deque()
        self._size = batch_size
        self._limit_bytes = batch_bytes
        self._bytes = 0
        self._came = asyncio.Event()
        self._enough = asyncio.Event()

    @property
    def full(self) -> bool:
        """Whether it takes no more now."""
        return (
            len(self.records) >= BATCHES_HELD * self._size or self._bytes >= BATCHES_HELD * self._limit_bytes
        )

    @property
    def room(self) -> int:
        """How many records it still takes."""
        return 0 if self.full else BATCHES_HELD * self._size - len(self.records)

    def put(self, record: Record) -> None:
        """A record came."""
        self.records.append(record)
        self._bytes += len(record.encoded)
        self._came.set()
        if len(self.records) >= self._size or self._bytes >= self._limit_bytes:
            self._enough.set()

    async def ready(self, window_s: float) -> None:
        """Wait for a batch: until it is full, or `window_s` after its first record."""
        await self._came.wait()
        if window_s > 0 and not self._enough.is_set():
            try:
                await within(self._enough.wait(), window_s)
            except TimeoutError:
                pass  # the window has ended: what there is

    def batch(self) -> list[Record]:
        """The records of the next event; they stay here until `done`."""
        found: list[Record] = []
        size = 0
        for record in self.records:
            size += len(record.encoded)
            if found and (len(found) >= self._size or size > self._limit_bytes):
                break
            found.append(record)
        return found

    def done(self, count: int) -> None:
        """The first `count` records are events, or no longer ours."""
        for _ in range(count):
            self._bytes -= len(self.records.popleft().encoded)
        if not self.records:
            self._came.clear()
        if len(self.records) < self._size and self._bytes < self._limit_bytes:
            self._enough.clear()
