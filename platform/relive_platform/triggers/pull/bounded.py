"""Waiting for a client library no longer than one wants to, whatever it does."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

__all__ = ["bounded"]

_ENDS_S: Final = 0.5  # for what was cancelled to end, too
_T = TypeVar("_T")


async def bounded(work: Coroutine[Any, Any, _T], limit_s: float) -> _T:
    """The result of `work`. Raises TimeoutError after `limit_s`, and what `work` raises.

    A library may swallow a cancellation and wait on: aiokafka's consumer does, when it is closed while its
    broker is away. So `work` is a task of its own: who waits here is never held up by it, and leaves it
    behind if it does not end.
    """
    task = asyncio.ensure_future(work)
    task.add_done_callback(_told)
    try:
        await asyncio.wait({task}, timeout=limit_s)
        if task.cancelled():
            raise ConnectionError("the client has given up")
        if task.done():
            return task.result()
        raise TimeoutError
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait({task}, timeout=_ENDS_S)


def _told(task: asyncio.Future[Any]) -> None:
    """Nobody else may ask how it ended."""
    if not task.cancelled():
        task.exception()
