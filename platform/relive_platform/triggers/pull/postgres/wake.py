"""Waiting for something to happen in a database: a NOTIFY if there is a channel, else a while."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from relive_base.within import within

from relive_platform.triggers.pull.postgres.setup import connect

__all__ = ["Wake"]


class Wake:
    """A notification is never the record itself: it may be lost, and has 8,000 bytes at most."""

    def __init__(self, channel: str, poll_s: float) -> None:
        self._channel = channel
        self._poll_s = poll_s
        self._connection: Any = None
        self._listening: asyncio.Task[None] | None = None
        self._called = asyncio.Event()
        self._look_at = 0.0
        self.warning = ""

    async def open(self, address: str) -> None:
        """Listen, on a connection of its own."""
        if not self._channel:
            return
        from psycopg.sql import SQL, Identifier

        self._connection = await connect(address)
        await self._connection.execute(SQL("LISTEN {}").format(Identifier(self._channel)))
        self._listening = asyncio.get_running_loop().create_task(self._listen())

    async def _listen(self) -> None:
        try:
            async for _ in self._connection.notifies():
                self._called.set()
        except Exception as error:
            self.warning = f"nobody listens to {self._channel} any more: {type(error).__name__}"

    async def wait(self, wait_s: float) -> bool:
        """Whether somebody has called or it is time to look; waits `wait_s` for that at most."""
        left_s = self._look_at - time.monotonic()
        try:
            if left_s > 0:
                await within(self._called.wait(), min(wait_s, left_s))
        except TimeoutError:
            if left_s > wait_s:
                return False
        self._called.clear()
        self._look_at = time.monotonic() + self._poll_s
        return True

    async def close(self) -> None:
        """Listen no more."""
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)
        if self._connection is not None:
            await self._connection.close()
