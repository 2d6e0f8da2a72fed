"""Which events run at once, and the heartbeat of those that do."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from relive_platform.engine.invocation import InvokeRequest
from relive_platform.triggers.queue import EventQueue, QueuedEvent, QueueLimits
from relive_platform.triggers.queue.consumer import RUNNING_LIMIT, Consumer
from relive_platform.triggers.queue.model import Lease, StaleLease


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

    await until(lambda: slow.running["a"] > RUNNING_LIMIT // 4)
    assert sum(slow.running.values()) < RUNNING_LIMIT
    await consumer.close(0.0)
    queue.close()


class Extended:
    """A queue whose leases take long to extend: the second one's delivery has ended by then."""

    def __init__(self, ended: Callable[[], None]) -> None:
        self.asked: list[int] = []
        self._ended = ended

    def extend(self, lease: Lease) -> Future[None]:
        self.asked.append(lease.seq)
        self._ended()
        answer: Future[None] = Future()
        answer.set_exception(StaleLease("the lease is no longer valid"))
        return answer


async def test_an_event_that_ended_while_leases_are_extended_is_not_said_to_have_lost_its_own(
    caplog: pytest.LogCaptureFixture,
) -> None:
    # Given three events that run, two of which end while the lease of the first is extended
    leases = {seq: lease_of(seq) for seq in (1, 2, 3)}
    queue = Extended(lambda: (leases.pop(1, None), leases.pop(2, None), None)[-1])
    consumer = Consumer(queue, Slow(), dict, lease_s=0.01)  # type: ignore[arg-type]
    consumer._leases = leases

    # When the heart has beaten
    beating = asyncio.create_task(consumer._heartbeat())
    await until(lambda: 3 in queue.asked)
    await until(lambda: caplog.records)
    beating.cancel()

    # I expect the ended one not to be asked for, and only the one that runs to be warned of
    assert 2 not in queue.asked
    assert all("event-3" in record.getMessage() for record in caplog.records)


def lease_of(seq: int) -> Lease:
    event = QueuedEvent(function="f", body=b"{}", event_id=f"event-{seq}")
    return Lease(event=event, attempt=1, token=1, seq=seq)
