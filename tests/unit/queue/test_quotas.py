"""What one function holds never costs another, no limit refuses an end, and the file gives room back."""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
from pathlib import Path

import pytest
from relive_platform.durable.committer import Committer
from relive_platform.durable.model import CommitLimits
from relive_platform.triggers.queue import (
    Conflict,
    DiskFull,
    EventQueue,
    QueueBusy,
    QueuedEvent,
    QueueFull,
    holdings,
)

KIB, MIB = 1024, 1024 * 1024


def event(function: str = "f", body: bytes = b"{}", event_id: str = "", **more: object) -> QueuedEvent:
    return QueuedEvent(function=function, body=body, event_id=event_id, **more)  # type: ignore[arg-type]


def finish(queue: EventQueue, result: bytes | None = None) -> int:
    leases = queue.lease(1000).result(60)
    for lease in leases:
        queue.complete(lease, invocation_id="inv", result=result).result(60)
    return len(leases)


def bury(queue: EventQueue, function: str, count: int, body: bytes = b"{}") -> None:
    for number in range(count):
        queue.publish(event(function, body, f"{function}{number}", retries=0)).result(60)
    for lease in queue.lease(1000).result(60):
        queue.fail(lease, "boom").result(60)


def tidied(queue: EventQueue) -> None:
    while queue.tidy().result(60):
        pass


def dead(queue: EventQueue, function: str = "") -> list[str]:
    return [row.event_id for row in queue.list("dead", function).result(60)]


def test_an_idle_queue_writes_nothing(open_queue, tmp_path: Path) -> None:
    # Given what is kept of events: one waits, one is dead, and the result of one
    queue = open_queue()
    bury(queue, "dead", 1)
    queue.publish(event("done")).result(60)
    finish(queue, b"result")
    queue.publish(event("waits")).result(60)
    tidied(queue)

    # When there is nothing to tidy
    # I expect neither the file nor its log to change
    def written() -> list[bytes]:
        return [(tmp_path / name).read_bytes() for name in ("events.db", "events.db-wal")]

    before = written()
    tidied(queue)
    assert written() == before


def test_what_an_idle_queue_forgets_is_written_down(open_queue, clock) -> None:
    queue = open_queue(done_keep_s=10.0)
    queue.publish(event("done")).result(60)
    finish(queue, b"result")
    clock.advance(11.0)
    tidied(queue)
    queue.close()

    with contextlib.closing(sqlite3.connect(queue._committer._path)) as db:
        assert db.execute("SELECT count(*) FROM holdings").fetchone() == (0,)


@pytest.mark.parametrize(
    ("limits", "body"), [({"events": 3}, b"{}"), ({"event_bytes": 10 * KIB}, b"x" * 3 * KIB)]
)
def test_the_backlog_of_one_function_refuses_no_other(open_queue, limits, body) -> None:
    # Given a function that has filled its share
    queue = open_queue(**limits)
    outcomes = [queue.publish(event("greedy", body)).exception(60) for _ in range(20)]
    assert isinstance(outcomes[-1], QueueFull)
    assert "greedy" in outcomes[-1].message

    # When another one sends
    # I expect it to be accepted and delivered, and the first one again once it is worked off
    queue.publish(event("modest", body)).result(60)
    accepted = outcomes.count(None) + 1
    assert finish(queue) == accepted
    queue.publish(event("greedy", body)).result(60)


def test_dead_events_take_no_room_of_the_living_and_the_oldest_leave_first(open_queue, clock) -> None:
    # Given a function with more dead events than may be kept
    queue = open_queue(events=4, dead_keep_events=3)
    for number in range(6):
        queue.publish(event("f", event_id=f"e{number}", retries=0)).result(60)
        (lease,) = queue.lease(1).result(60)
        queue.fail(lease, "boom").result(60)
        clock.advance(1)

    # I expect its newest, how many have left, and its next event to be accepted
    assert dead(queue) == ["e5", "e4", "e3"]
    assert queue.counts().result(60).dead_dropped == {"f": 3}
    for _ in range(4):
        queue.publish(event("f")).result(60)


def test_dead_events_have_a_size_and_an_age_of_their_own(open_queue, clock) -> None:
    queue = open_queue(dead_keep_bytes=20 * KIB, dead_keep_s=100.0)
    bury(queue, "large", 10, b"x" * 4 * KIB)
    clock.advance(50)
    bury(queue, "small", 2)

    assert len(dead(queue, "large")) == 4
    clock.advance(51)
    tidied(queue)
    assert dead(queue, "large") == []
    assert len(dead(queue, "small")) == 2
    assert queue.counts().result(60).dead_dropped == {"large": 10}


def test_a_wall_clock_that_is_set_ends_no_dead_event(open_queue, clock) -> None:
    queue = open_queue(dead_keep_s=100.0)
    bury(queue, "f", 2)

    clock.wall += 86_400_000_000_000
    tidied(queue)

    assert len(dead(queue)) == 2


def test_results_have_a_quota_of_their_own_and_ids_outlast_them(open_queue) -> None:
    # Given results that are far larger than their quota, of a function beside one with a small result
    queue = open_queue(done_keep_bytes=100 * KIB, event_bytes=64 * KIB)
    queue.publish(event("quiet", event_id="q")).result(60)
    finish(queue, b'"kept"')
    for number in range(50):
        queue.publish(event("loud", event_id=str(number))).result(60)
        assert finish(queue, b"x" * 20 * KIB) == 1
    tidied(queue)

    # I expect every event done and known, the newest results there, the oldest gone, and the other's kept
    again = [queue.publish(event("loud", event_id=str(number))).result(60) for number in range(50)]
    assert all(receipt.duplicate and receipt.state == "done" for receipt in again)
    assert [receipt.result is not None for receipt in again] == [False] * 45 + [True] * 5
    assert queue.publish(event("quiet", event_id="q")).result(60).result == b'"kept"'


def test_finished_events_of_one_function_make_no_other_function_forget(open_queue, clock) -> None:
    queue = open_queue(done_keep_events=5, done_keep_s=100.0)
    queue.publish(event("quiet", event_id="q")).result(60)
    finish(queue)
    for number in range(50):
        queue.publish(event("loud", event_id=str(number))).result(60)
    finish(queue)

    assert queue.publish(event("quiet", event_id="q")).result(60).duplicate
    assert queue.counts().result(60).done == 6
    clock.advance(101)
    tidied(queue)
    assert queue.counts().result(60).done == 0
    assert not queue.publish(event("quiet", event_id="q")).result(60).duplicate


def test_what_waits_for_a_commit_refuses_no_end_and_no_other_function(tmp_path, clock) -> None:
    # Given a committer that has not begun, with one function's events lined up to the limit
    committer = Committer(tmp_path / "e.db", clock, CommitLimits(backlog=3, ballast_bytes=0))
    first = [committer.submit(lambda: "in", adds_to="greedy") for _ in range(5)]

    # When others want something
    other = committer.submit(lambda: "in", adds_to="modest")
    ends = [committer.submit(lambda: "done") for _ in range(100)]
    committer.start()

    # I expect only the greedy function's last events to be refused
    assert [type(future.exception(60)) for future in first] == [type(None)] * 3 + [QueueBusy] * 2
    assert other.result(60) == "in"
    assert {future.result(60) for future in ends} == {"done"}
    # and its next one to be accepted, now that nothing waits
    assert committer.submit(lambda: "in", adds_to="greedy").result(60) == "in"
    committer.close()


def test_one_function_fills_no_more_of_a_small_disk_than_it_leaves(open_queue, monkeypatch) -> None:
    # Given a disk that has 1 MiB left, less what the queue's events take
    taken = [0]
    monkeypatch.setattr(Committer, "free_bytes", lambda self: MIB - taken[0])
    queue = open_queue()

    def fill(function: str) -> int:
        for number in range(1000):
            error = queue.publish(event(function, b"x" * 20 * KIB)).exception(60)
            if error is not None:
                assert isinstance(error, DiskFull)
                return number
            taken[0] += 20 * KIB
        raise AssertionError("the disk is full")

    # I expect each to get its part, and the next one to find room
    assert 20 <= fill("greedy") <= 27
    assert 5 <= fill("second") <= 15
    assert fill("third") >= 2


def test_results_take_no_more_of_a_small_disk_than_they_leave(open_queue, monkeypatch) -> None:
    # Given a disk with little room
    monkeypatch.setattr(Committer, "free_bytes", lambda self: 2 * MIB)
    queue = open_queue()
    for number in range(30):
        queue.publish(event("f", event_id=str(number))).result(60)
        finish(queue, b"r" * 200 * KIB)

    # I expect only some of the results to be kept, and all ids; and others' events to be accepted
    again = [queue.publish(event("f", event_id=str(number))).result(60) for number in range(30)]
    assert all(receipt.state == "done" for receipt in again)
    assert 1 <= sum(receipt.result is not None for receipt in again) <= 10
    queue.publish(event("g", b"x" * 500 * KIB)).result(60)
    queue.publish(event("f", b"x" * 500 * KIB)).result(60)


def test_the_file_gives_its_room_back(open_queue, tmp_path, clock) -> None:
    # Given a queue through which much has gone
    queue = open_queue(done_keep_bytes=MIB)
    for round_ in range(3):
        for number in range(100):
            queue.publish(event(body=b"x" * 100 * KIB, event_id=f"{round_}-{number}")).result(60)
        finish(queue, b"y" * 100 * KIB)
    file = tmp_path / "events.db"
    largest, _ = queue.file_bytes().result(60)
    assert largest > 8 * MIB

    # When it is tidied, as it is now and then
    size = largest
    for _ in range(1000):
        clock.advance(6)
        size = sum(part.stat().st_size for part in (file, tmp_path / "events.db-wal") if part.exists())
        if size < 5 * MIB:
            break
        queue.counts().result(60)

    # I expect the disk to have the room again, and the queue to be whole
    assert size < 5 * MIB
    assert queue.publish(event(event_id="2-99", body=b"x" * 100 * KIB)).result(60).result is not None
    queue.close()
    with sqlite3.connect(file) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


OLD_SCHEMA = """
CREATE TABLE events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, function TEXT NOT NULL, id TEXT NOT NULL, state INTEGER NOT NULL,
    next_at_ns INTEGER NOT NULL, attempts INTEGER NOT NULL, token INTEGER NOT NULL,
    enqueued_ns INTEGER NOT NULL, last_error TEXT NOT NULL, digest BLOB NOT NULL, detail BLOB NOT NULL,
    body BLOB NOT NULL, UNIQUE (function, id)
);
CREATE INDEX events_ready ON events (function, next_at_ns, seq) WHERE state = 0;
CREATE INDEX events_by_id ON events (id);
CREATE TABLE finished (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, function TEXT NOT NULL, id TEXT NOT NULL,
    finished_ns INTEGER NOT NULL, invocation_id TEXT NOT NULL, digest BLOB NOT NULL, result BLOB,
    UNIQUE (function, id)
);
CREATE TABLE marks (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
"""


def old_home(path: Path, wall_ns: int) -> None:
    """A queue of the old form: full of results up to its limit, with events that were never delivered."""
    digest = hashlib.blake2b(b"{}", digest_size=16).digest()
    db = sqlite3.connect(path)
    db.execute("PRAGMA journal_mode = WAL")
    db.executescript(OLD_SCHEMA)
    db.execute(f"PRAGMA max_page_count = {24 * MIB // 4096}")
    detail = b'{"function": "f", "body": "", "retries": 2}'
    rows = [
        ("f", f"waits{number}", number % 2, wall_ns, 0, 0, wall_ns, "", digest, detail, b"{}")
        for number in range(50)
    ]
    rows.append(("f", "died", 2, wall_ns, 3, 3, wall_ns, "boom", digest, detail, b"{}"))
    db.executemany("INSERT INTO events VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
    db.commit()
    with contextlib.suppress(sqlite3.OperationalError):  # it is full
        for number in range(1000):
            row = ("f", f"done{number}", wall_ns, "inv", digest, b"r" * 256 * KIB)
            db.execute("INSERT INTO finished VALUES (NULL, ?, ?, ?, ?, ?, ?)", row)
            db.commit()
    db.close()


def test_a_home_that_was_stuck_full_of_results_comes_alive_again(open_queue, tmp_path, clock) -> None:
    # Given a queue that an older server filled up with results
    path = tmp_path / "events.db"
    old_home(path, clock.wall)
    assert path.stat().st_size > 20 * MIB

    # When this one opens it, with the limit that it was stuck at
    queue = open_queue(event_bytes=24 * MIB, done_keep_bytes=2 * MIB)

    # I expect everything that was accepted to be worked off, new events to be accepted,
    assert len(dead(queue)) == 1
    assert finish(queue, b"z" * 256 * KIB) == 50
    queue.publish(event("g", event_id="new")).result(60)
    # duplicates of old events to be known by their body,
    assert queue.publish(event("f", event_id="done1")).result(60).state == "done"
    with pytest.raises(Conflict):
        queue.publish(event("f", b"other", event_id="done1")).result(60)
    # and the file to become small
    for _ in range(1000):
        clock.advance(6)
        queue.counts().result(60)
        if path.stat().st_size < 6 * MIB:
            break
    assert path.stat().st_size < 6 * MIB


def test_a_large_file_is_opened_with_the_counts_that_it_keeps(
    open_queue, tmp_path, clock, monkeypatch
) -> None:
    # Given a queue that counts as large, with waiting, leased and finished events
    monkeypatch.setattr(holdings, "FEW_ROWS", 1)
    queue = open_queue()
    for number in range(5):
        queue.publish(event("f", event_id=str(number))).result(60)
    leases = queue.lease(3).result(60)
    queue.complete(leases[0], result=b"four").result(60)
    before = queue.counts().result(60)
    assert (before.ready, before.leased, before.done) == (2, 2, 1)
    queue.close()
    # When it is opened again, I expect nothing to be leased, and all counts to be as they were
    queue = open_queue()
    after = queue.counts().result(60)
    assert (after.ready, after.leased, after.done, after.event_bytes) == (4, 0, 1, before.event_bytes)
    queue.close()
    # ... which are those that are kept
    with contextlib.closing(sqlite3.connect(tmp_path / "events.db", isolation_level=None)) as db:
        db.execute("UPDATE holdings SET dead = 7")
    queue = open_queue()
    assert queue.counts().result(60).dead == 7
    queue.close()
    # ... unless somebody has added events who keeps no counts
    with contextlib.closing(sqlite3.connect(tmp_path / "events.db", isolation_level=None)) as db:
        row = ("g", "9", 2, clock.wall, 0, 0, clock.wall, "", b"", b"", b"")
        db.execute("INSERT INTO events VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
    counts = open_queue().counts().result(60)
    assert (counts.ready, counts.dead) == (4, 1)


def test_an_event_that_cannot_be_read_keeps_no_other_back(open_queue, tmp_path) -> None:
    # Given a queue with an event whose details are damaged, before others
    queue = open_queue()
    for name in ("a", "b"):
        for number in range(3):
            queue.publish(event(name, event_id=str(number))).result(60)
    queue.close()
    with sqlite3.connect(tmp_path / "events.db") as db:
        db.execute("UPDATE events SET detail = ? WHERE id = '0'", (b'{"retries": "x"',))
    db.close()

    # I expect all others to be delivered, and the damaged ones to lie dead with the reason
    again = open_queue()
    leases = again.lease(100).result(60)
    assert sorted(lease.event.function for lease in leases) == ["a", "a", "b", "b"]
    assert {row.last_error.split(":")[0] for row in again.list("dead").result(60)} == {"it cannot be read"}


def test_dead_events_are_retried_and_discarded_all_at_once(open_queue) -> None:
    queue = open_queue()
    for name in ("a", "b", "c"):
        bury(queue, name, 5)
    assert queue.counts().result(60).dead == 15

    # Those of one function, and no more at a time than wanted
    assert queue.retry_dead("a", count=3).result(60) == 3
    assert queue.retry_dead("a").result(60) == 2
    assert len(queue.lease(100).result(60)) == 5
    assert queue.discard_all("dead", "b").result(60) == 5
    # Then those of all
    assert queue.discard_all("dead").result(60) == 5
    assert queue.counts().result(60).by_function == {"a": (0, 5, 0)}


def test_what_waits_and_what_is_remembered_can_be_discarded_too(open_queue) -> None:
    queue = open_queue()
    for number in range(5):
        queue.publish(event("a", event_id=str(number))).result(60)
    finish(queue, b'"r"')
    queue.publish(event("a")).result(60)
    queue.publish(event("b")).result(60)

    assert queue.discard_all("ready", "a").result(60) == 1
    assert queue.discard_all("done").result(60) == 5
    assert queue.counts().result(60).by_function == {"b": (1, 0, 0)}
    assert not queue.publish(event("a", event_id="1")).result(60).duplicate
    with pytest.raises(ValueError, match="leased"):
        queue.discard_all("leased")
