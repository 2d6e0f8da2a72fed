"""A clock that stands still, and queues on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from relive_platform.triggers.queue import Backoff, EventQueue, QueueLimits


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


OpenQueue = Callable[..., EventQueue]


@pytest.fixture
def open_queue(tmp_path: Path, clock: FakeClock) -> Iterator[OpenQueue]:
    opened: list[EventQueue] = []

    def open_one(**limits: object) -> EventQueue:
        chosen = QueueLimits(**{"ballast_bytes": 0, **limits})  # type: ignore[arg-type]
        queue = EventQueue(tmp_path / "events.db", clock, limits=chosen, backoff=Backoff(1.0, 60.0))
        opened.append(queue)
        return queue

    yield open_one
    for queue in opened:
        queue.close()
