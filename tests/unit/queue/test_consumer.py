"""Which events run at once: slow ones of one function leave room for those of the others."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from relive_platform.engine.invocation import InvokeRequest
from relive_platform.triggers.queue import EventQueue, QueuedEvent, QueueLimits
from relive_platform.triggers.queue.consumer import RUNNING_LIMIT, Consumer


class Slow:
    """Stands where the dispatcher is: takes every event and answers none."""

    def __init__(self) -> None:
        self.running: dict[str, int] = {}

    def submit(self, request: InvokeRequest) -> asyncio.Future[Any]:
        self.running[request.function] = self.running.get(request.function, 0) + 1
        return asyncio.get_running_loop().create_future()


async def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


async def test_slow_events_of_some_functions_leave_room_for_all_others(tmp_path: Path) -> None:
    # Given functions with more slow events than the server runs at once
    wake = threading.Event()
    queue = EventQueue(tmp_path / "e.db", limits=QueueLimits(ballast_bytes=0), on_ready=wake.set)
    slow = Slow()
    workers = dict.fromkeys(("a", "b", "late", "later"), 1000)
    consumer = Consumer(queue, slow, lambda: workers)  # type: ignore[arg-type]
    for number in range(300):
        for name in ("a", "b"):
            queue.publish(QueuedEvent(function=name, body=b"{}", event_id=str(number))).result(60)
    consumer.start()
    await until(lambda: sum(slow.running.values()) >= RUNNING_LIMIT // 2)

    # When others send theirs, one after the other
    for name in ("late", "later"):
        queue.publish(QueuedEvent(function=name, body=b"{}")).result(60)
        consumer.wake()
        # I expect them to run
        await until(lambda name=name: slow.running.get(name))  # type: ignore[misc]

    assert slow.running["a"] > RUNNING_LIMIT // 4
    assert sum(slow.running.values()) < RUNNING_LIMIT
    await consumer.close(0.0)
    queue.close()
