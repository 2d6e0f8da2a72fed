"""Waiting for client libraries that do not end, and what they write to the log meanwhile."""

from __future__ import annotations

import asyncio
import logging

import pytest
from relive_platform.triggers.pull.bounded import bounded
from relive_platform.triggers.pull.kafka.sparing import Sparing


async def stubborn(ended: asyncio.Event) -> None:
    """Swallows every cancellation, and waits on."""
    while not ended.is_set():
        try:
            await ended.wait()
        except asyncio.CancelledError:
            pass


async def test_a_result_and_an_error_come_through() -> None:
    async def fail() -> None:
        raise ConnectionError("cut")

    assert await bounded(asyncio.sleep(0, "there"), 60.0) == "there"
    with pytest.raises(ConnectionError):
        await bounded(fail(), 60.0)


async def test_a_library_that_swallows_its_cancellation_holds_up_nobody() -> None:
    # Given work that never ends, when its time is over or whoever waits is cancelled
    ended = asyncio.Event()
    with pytest.raises(TimeoutError):
        await bounded(stubborn(ended), 0.01)
    waiting = asyncio.ensure_future(bounded(stubborn(ended), 3_600.0))
    await asyncio.sleep(0)
    waiting.cancel()
    # I expect both to go on at once
    with pytest.raises(asyncio.CancelledError):
        await waiting
    ended.set()


async def test_a_library_that_cancels_itself_is_a_failure_and_no_cancellation() -> None:
    async def gives_up() -> None:
        raise asyncio.CancelledError

    with pytest.raises(ConnectionError):
        await bounded(gives_up(), 60.0)


def test_a_line_that_comes_again_and_again_is_written_once_a_minute() -> None:
    # Given lines of two places in the code, the first of them fifty times a second
    now_s = 1_000.0
    sparing = Sparing(lambda: now_s)
    written = []
    for second in range(61):
        now_s = 1_000.0 + second
        for line, text in [(1, "cannot connect to %s")] * 50 + [(2, "marked dead")] * (second == 5):
            record = logging.LogRecord("aiokafka", logging.ERROR, "f.py", line, text, None, None)
            if sparing.filter(record):
                written.append(str(record.msg))
    assert written == [
        "cannot connect to %s",
        "marked dead",
        "cannot connect to %s (2999 more of these since)",
    ]
