"""What a file of queues knows when it is opened, and that it looks at no message for that."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from relive_platform.durable.model import SystemClock
from relive_platform.resources.queue import statements as sql
from relive_platform.resources.queue.messages import OTHERS, OURS
from relive_platform.resources.queue.model import Held, Message, MessageLimits, QueueInfo, Redrive
from relive_platform.resources.queue.store import QueueStore

COUNTED = "SELECT queue, count(*), sum(length(body) + length(detail)) FROM messages GROUP BY queue"
ROOM = 1 << 40


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "queues.db"


def opened(path: Path) -> QueueStore:
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA synchronous = OFF")
    store = QueueStore(db, SystemClock(), MessageLimits(), lambda: ROOM)
    store.open()
    return store


def filled(path: Path, count: int) -> QueueStore:
    """A store with `count` messages in `jobs`, and some in the others."""
    store = opened(path)
    store._db.execute("BEGIN")
    for info in (
        QueueInfo(name="dead"),
        QueueInfo(name="jobs", redrive=Redrive(queue="dead", max_receives=1)),
        QueueInfo(name="line.fifo", fifo=True, content_deduplication=True),
    ):
        store.create(info, ("fifo",))
    for number in range(count):
        store.messages.send("jobs", Message(body=b"x" * number))
    for number in range(4):
        store.messages.send("line.fifo", Message(body=b"%d" % number, group=f"g{number % 2}"))
    store._db.execute("COMMIT")
    return store


def totals(store: QueueStore) -> list[Any]:
    return sorted(store._db.execute(sql.TOTALS))


def counted(store: QueueStore) -> list[Any]:
    return sorted(store._db.execute(COUNTED))


def held_in_memory(store: QueueStore) -> dict[str, tuple[int, int]]:
    return {queue.info.name: (queue.count, queue.bytes) for queue in store.shelf}


def test_the_totals_are_those_of_the_messages_whatever_happens_to_them(path: Path) -> None:
    # Given messages that are deleted, become dead letters, are purged, and a transaction that is undone
    store = filled(path, 20)
    taken, _ = store.messages.receive("jobs", 6, None, OURS, ROOM)
    held = [Held(found.seq, found.token) for found in taken]
    store.messages.complete("jobs", held[:2])
    store.messages.fail("jobs", held[2:], 0)
    store.messages.purge("line.fifo", ROOM, 3)
    store._db.execute("BEGIN")
    store.messages.send("dead", Message(body=b"undone"))
    store._db.execute("ROLLBACK")
    store.shelf.load()
    # I expect the file's totals to be what a count gives, before and after it is opened again
    assert totals(store) == counted(store)
    assert held_in_memory(store)["dead"][0] == 4
    assert held_in_memory(opened(path)) == held_in_memory(store)
    # When a queue goes with what is in it, I expect no total of it to stay
    store.delete("jobs")
    while store.tidy():
        pass
    assert totals(store) == counted(store)
    assert store._db.execute("SELECT count(*) FROM totals WHERE messages = 0").fetchone() == (0,)


def test_a_file_of_before_is_counted_once(path: Path) -> None:
    store = filled(path, 5)
    for thing in ("TRIGGER totals_in", "TRIGGER totals_out", "TABLE totals"):
        store._db.execute(f"DROP {thing}")
    again = opened(path)
    assert totals(again) == counted(again) != []
    assert held_in_memory(again) == held_in_memory(store)


def test_opening_takes_as_long_with_many_messages_as_with_few(tmp_path: Path) -> None:
    # Given two files, of which one has a hundred times as many messages, and both some that were received
    steps = []
    for count in (10, 1_000):
        store = filled(tmp_path / str(count), count)
        store.messages.receive("jobs", 3, None, OURS, ROOM)
        store.messages.receive("jobs", 3, None, OTHERS, ROOM)
        store._db.close()
        # When it is opened, and SQLite's instructions are counted
        db = sqlite3.connect(tmp_path / str(count), isolation_level=None)
        done: list[int] = []
        db.set_progress_handler(lambda done=done: done.append(1), 1)
        again = QueueStore(db, SystemClock(), MessageLimits(), lambda: ROOM)
        again.open()
        steps.append(len(done))
        # I expect what triggers held to be free again, and what others hold to be theirs
        assert again.counts("jobs").in_flight == 3
    assert steps[1] < steps[0] * 1.1, steps
