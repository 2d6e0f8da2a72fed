"""Queues of messages on a clock that stands still."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from relive_platform.resources.queue.model import MessageLimits, QueueInfo
from relive_platform.resources.queue.queues import MessageQueues


class FakeClock:
    """Moves only when it is told to; the wall clock can be set apart from the monotonic one."""

    def __init__(self) -> None:
        self.mono = 1_000_000_000_000
        self.wall = 1_800_000_000_000_000_000

    def time_ns(self) -> int:
        return self.wall

    def monotonic_ns(self) -> int:
        return self.mono

    def advance(self, seconds: float) -> None:
        self.mono += int(seconds * 1e9)
        self.wall += int(seconds * 1e9)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


OpenQueues = Callable[..., MessageQueues]


@pytest.fixture
async def open_queues(tmp_path: Path, clock: FakeClock) -> AsyncIterator[OpenQueues]:
    opened: list[MessageQueues] = []

    def open_them(**limits: object) -> MessageQueues:
        chosen = MessageLimits(**{"ballast_bytes": 0, **limits})  # type: ignore[arg-type]
        queues = MessageQueues(tmp_path / "queues.db", chosen, clock)
        opened.append(queues)
        return queues

    yield open_them
    for queues in opened:
        queues.close()


@pytest.fixture
async def queues(open_queues: OpenQueues) -> MessageQueues:
    """With a standard queue `jobs`, a FIFO queue `line.fifo`, and their dead-letter queues."""
    from relive_platform.resources.queue.model import Redrive

    found = open_queues()
    for name in ("dead", "dead.fifo"):
        await found.create(QueueInfo(name=name, fifo=name.endswith(".fifo"), content_deduplication=False))
    await found.create(QueueInfo(name="jobs", redrive=Redrive(queue="dead", max_receives=2)))
    await found.create(
        QueueInfo(
            name="line.fifo",
            fifo=True,
            content_deduplication=True,
            redrive=Redrive(queue="dead.fifo", max_receives=2),
        )
    )
    return found
