"""Waiting for something with a limit, in an event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

__all__ = ["within"]

T = TypeVar("T")


async def within(awaitable: Awaitable[T], timeout_s: float | None) -> T:
    """What it gives, or TimeoutError; None: no limit.

    Unlike `asyncio.wait_for` on Python 3.11, it never takes a cancellation of its caller for its own: a task
    that loops over it would go on, and whoever has cancelled it would wait for ever.
    """
    async with asyncio.timeout(timeout_s):
        return await awaitable
