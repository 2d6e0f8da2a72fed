"""How many events a second the queue accepts durably (each acknowledged after its commit), with 64 producers.

The figure depends on the disk's flush: the same run measures plain write + fsync of one line beside it.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import threading
import time
from pathlib import Path

from relive_platform.triggers.queue import EventQueue, QueuedEvent

__all__ = ["run", "try_out"]

_PRODUCERS = 64
_BODY = b'{"order": 12345, "items": [1, 2, 3]}'


def _threads(queue: EventQueue, seconds: float) -> float:
    counts = [0] * _PRODUCERS
    stop = time.monotonic() + seconds

    def produce(index: int) -> None:
        while time.monotonic() < stop:
            queue.publish(QueuedEvent(function="f", body=_BODY)).result()
            counts[index] += 1

    threads = [threading.Thread(target=produce, args=(index,)) for index in range(_PRODUCERS)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.monotonic() - began)


async def _tasks(queue: EventQueue, seconds: float) -> float:
    count = 0
    stop = time.monotonic() + seconds

    async def produce() -> None:
        nonlocal count
        while time.monotonic() < stop:
            await asyncio.wrap_future(queue.publish(QueuedEvent(function="f", body=_BODY)))
            count += 1

    began = time.monotonic()
    await asyncio.gather(*(produce() for _ in range(_PRODUCERS)))
    return count / (time.monotonic() - began)


def _drain(queue: EventQueue, seconds: float) -> float:
    done = 0
    began = time.monotonic()
    while time.monotonic() - began < seconds and (leases := queue.lease(256).result()):
        for future in [queue.complete(lease) for lease in leases]:
            future.result()
        done += len(leases)
    return done / (time.monotonic() - began)


def _flushes(folder: Path, seconds: float) -> float:
    count = 0
    began = time.monotonic()
    with (folder / "flush").open("wb", buffering=0) as file:
        while time.monotonic() - began < seconds:
            file.write(_BODY)
            os.fsync(file.fileno())
            count += 1
    return count / (time.monotonic() - began)


def run(quick: bool) -> list[dict[str, object]]:
    """One row a figure: name, value, unit, target, ok. `quick` measures for 1 s instead of 5 s each."""
    threads, tasks, drained, flushes = _measured(1.0 if quick else 5.0)
    figures = [
        ("durable accepts, 64 threads", threads, "1/s", 5_000.0),
        ("durable accepts, 64 asyncio tasks", tasks, "1/s", 5_000.0),
        ("leased and completed, batches of 256", drained, "1/s", 5_000.0),
        ("plain write + fsync on this disk", flushes, "1/s", 0.0),
        ("durable accepts per plain fsync", threads / flushes, "x", 1.0),
    ]
    return [
        {"name": name, "value": round(value, 2), "unit": unit, "target": target, "ok": value >= target}
        for name, value, unit, target in figures
    ]


def _measured(seconds: float) -> tuple[float, float, float, float]:
    with tempfile.TemporaryDirectory(prefix="relive-bench-") as name:
        folder = Path(name)
        flushes = _flushes(folder, seconds)
        queue = EventQueue(folder / "events.db")
        try:
            threads = _threads(queue, seconds)
            tasks = asyncio.run(_tasks(queue, seconds))
            drained = _drain(queue, seconds)
        finally:
            queue.close()
    return threads, tasks, drained, flushes


def try_out() -> None:
    """The smallest run of everything that is set up here; nothing is measured."""
    _measured(0.01)


if __name__ == "__main__":
    for row in run(quick=False):
        print(row)
