"""What was acknowledged is there: after kill -9, and on a disk that is really full."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from relive_platform.triggers.queue import DiskFull, EventQueue, QueuedEvent, QueueLimits

PRODUCER = """
import os, sys, threading
from relive_platform.triggers.queue import EventQueue, QueuedEvent
queue = EventQueue(sys.argv[1])
def produce(name):
    number = 0
    while True:
        event_id = f"{sys.argv[2]}-{name}-{number}"
        event = QueuedEvent(function=f"f{name % 3}", body=event_id.encode(), event_id=event_id)
        queue.publish(event).result()
        os.write(1, f"{event_id}\\n".encode())  # acknowledged
        number += 1
        if name == 0 and number % 3 == 0:
            for lease in queue.lease(2).result():
                queue.complete(lease).result()
                os.write(1, f"done {lease.event.event_id}\\n".encode())
threads = [threading.Thread(target=produce, args=(name,)) for name in range(16)]
[thread.start() for thread in threads]
"""


def produce_and_kill(path: Path, run: int, lines: int) -> list[str]:
    """Acknowledged ids ("done ID" for finished ones) up to a kill -9 in the midst of the work, of all
    threads."""
    process = subprocess.Popen(
        [sys.executable, "-c", PRODUCER, str(path), str(run)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    seen: list[str] = []
    while len(seen) < lines or sum(line.startswith("done ") for line in seen) < 4:
        seen.append(process.stdout.readline().strip())
    os.kill(process.pid, signal.SIGKILL)
    seen += [line.strip() for line in process.stdout if line.endswith("\n")]
    process.wait()
    process.stdout.close()
    return seen


def test_no_acknowledged_event_is_lost_by_kill_9(tmp_path) -> None:
    # Given a server that was killed four times while it accepted, delivered and finished events
    path = tmp_path / "events.db"
    told = [line for run in range(4) for line in produce_and_kill(path, run, lines=300 + 150 * run)]
    done = {line.removeprefix("done ") for line in told if line.startswith("done ")}
    accepted = {line for line in told if line and not line.startswith("done ")}

    # When it starts again
    queue = EventQueue(path)
    leases = queue.lease(1_000_000).result(60)
    found = {lease.event.event_id: lease for lease in leases}

    # Then every acknowledged event is there once, whole, and no finished one came back
    assert len(accepted) > 1000
    assert len(done) > 10
    assert accepted - done - found.keys() <= set(queue_done(queue, accepted - done - found.keys()))
    assert not done & found.keys()
    assert len(found) == len(leases)
    assert all(lease.event.body == event_id.encode() for event_id, lease in found.items())
    queue.close()


def queue_done(queue: EventQueue, ids: set[str]) -> list[str]:
    """Those of `ids` that were finished, though the producer was killed before it could say so."""
    finished = []
    for event_id in ids:
        event = QueuedEvent(
            function=f"f{int(event_id.split('-')[1]) % 3}", body=event_id.encode(), event_id=event_id
        )
        if queue.publish(event).result(60).state == "done":
            finished.append(event_id)
    assert len(finished) <= 8, "at most the two leases of each killed run may lack their 'done' line"
    return finished


@pytest.fixture
def small_disk(tmp_path: Path):
    """A file system of 24 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("mounting a small file system needs privileges that this machine does not give")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """A file that takes the last byte of the disk."""
    filler = folder / "filler"
    with filler.open("ab", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(b"x" * 4096):
            pass
    return filler


def test_a_full_disk_refuses_loses_nothing_and_is_worked_off(small_disk: Path) -> None:
    # Given a small disk and a function that sends more than it holds
    queue = EventQueue(small_disk / "events.db", limits=QueueLimits(ballast_bytes=8 << 20))
    body = b"x" * 20_000
    outcomes = [queue.publish(QueuedEvent(function="f", body=body)).exception(60) for _ in range(1200)]
    accepted = outcomes.count(None)

    # Then what does not fit is refused, and other functions have room
    assert accepted > 10
    assert isinstance(outcomes[-1], DiskFull)
    queue.publish(QueuedEvent(function="g", body=body)).result(60)

    # When something else takes the rest of the disk
    filler = fill(small_disk)
    more = [queue.publish(QueuedEvent(function="g", body=body)).exception(60) for _ in range(200)]
    assert isinstance(more[-1], DiskFull)

    # Then what was accepted can be delivered and finished on the full disk, results or not, and that is said
    leases = queue.lease(1000).result(60)
    assert len(leases) == accepted + 1 + more.count(None)
    assert queue.disk_full
    for lease in leases:
        assert lease.event.body == body
        queue.complete(lease, result=body).result(60)
    assert queue.counts().result(60).leased == 0
    queue.close()

    # And the queue can be opened on a disk that is full to the last byte
    (small_disk / "events.db.ballast").unlink(missing_ok=True)
    fill(small_disk)
    full = EventQueue(small_disk / "events.db")
    assert isinstance(full.publish(QueuedEvent(function="f", body=b"{}")).exception(60), DiskFull)
    full.close()
    filler.unlink()

    # And with room again, events are accepted again
    again = EventQueue(small_disk / "events.db", limits=QueueLimits(ballast_bytes=1 << 10))
    assert again.publish(QueuedEvent(function="f", body=b"{}")).exception(60) is None
    again.close()


def test_many_producers_share_a_commit(tmp_path) -> None:
    # Given more producers than cores, all at once
    queue = EventQueue(tmp_path / "events.db")
    gate = threading.Barrier(32)

    def produce(name: int) -> int:
        gate.wait()
        for number in range(50):
            queue.publish(QueuedEvent(function="f", body=b"{}", event_id=f"{name}-{number}")).result(120)
        return 50

    with ThreadPoolExecutor(32) as pool:
        total = sum(pool.map(produce, range(32)))

    # Then every event is there once
    leases = queue.lease(10_000).result(120)
    queue.close()
    assert len({lease.event.event_id for lease in leases}) == len(leases) == total == 1600
