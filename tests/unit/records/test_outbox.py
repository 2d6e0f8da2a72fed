"""Records on their way from the collector's process to the server: nothing is lost or told twice over a
kill."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from relive_platform.engine.invocation import InvokeRequest
from relive_platform.signals.exporters.subscriptions import FailureGroups, SubscribedWriter, Subscriptions
from relive_platform.signals.signal import Rows
from relive_platform.subscriptions.outbox import Entry, Outbox
from relive_platform.subscriptions.rules import Hears, Rule, write_rules
from relive_platform.triggers.queue.model import QueueFull
from relive_platform.triggers.queue.publisher import Accepted
from relive_platform.triggers.records.config import LogsTrigger
from relive_platform.triggers.records.source import RecordSource
from relive_store import Mark


def entry(number: int) -> Entry:
    return Entry("r", "f", 1, "i", number, 1_700_000_000_000_000_000 + number, body=f"line {number}")


def test_sealed_batches_are_the_same_after_a_kill(tmp_path: Path) -> None:
    # Given three batches of which two are sealed, by a process that is killed before it removes them
    outbox = Outbox(tmp_path / "outbox")
    for number in range(3):
        outbox.write(f"{number:016x}", [entry(number)])
    paths = [path for path, _, _ in outbox.waiting()]
    kept = {path: path.read_bytes() for path in paths[:2]}
    sealed = outbox.seal(paths[:2])
    for path, content in kept.items():
        path.write_bytes(content)

    # I expect the next one to find them once
    again = Outbox(tmp_path / "outbox")
    assert again.sealed() == [sealed]
    assert [one.body for one in again.entries(sealed)] == ["line 0", "line 1"]
    assert [path.name for path, _, _ in again.waiting()] == [paths[2].name]
    again.done(sealed)
    assert not again.sealed()

    # ... and a batch that cannot be read to cost itself alone
    paths[2].write_bytes(b"\xff")
    outbox.write("3", [entry(3)])
    left = again.seal([path for path, _, _ in again.waiting()])
    assert [one.body for one in again.entries(left)] == ["line 3"]
    assert Outbox(tmp_path / "nothing").waiting() == []


def test_a_batch_that_comes_again_after_it_was_taken_is_removed(tmp_path: Path) -> None:
    # Given a collector that is killed after it has written a batch, and before it could say so
    outbox = Outbox(tmp_path / "outbox")
    number = f"{7:016x}-{10:016x}-r"
    outbox.write(number, [entry(1)])
    outbox.done(outbox.seal([path for path, _, _ in outbox.waiting()]))

    # I expect the same batch of the next one not to be taken, but what follows it, and other series
    outbox.write(number, [entry(1)])
    outbox.write(f"{7:016x}-{11:016x}-r", [entry(2)])
    outbox.write(f"{7:016x}-{10:016x}-s", [entry(3)])
    outbox.write(f"{8:016x}-{1:016x}-r", [entry(4)])
    taken = outbox.seal([path for path, _, _ in outbox.waiting()])
    assert sorted(one.body for one in outbox.entries(taken)) == ["line 2", "line 3", "line 4"]


def lines(*bodies: str, function: str = "f", number: int = 17) -> Rows:
    count = len(bodies)
    columns: dict[str, list[object]] = {
        "ServiceName": [function] * count,
        "Body": list(bodies),
        "SeverityNumber": [number] * count,
        "SeverityText": ["ERROR"] * count,
        "Timestamp": list(range(1, count + 1)),
        "TraceId": ["t"] * count,
        "SpanId": ["s"] * count,
        "LogAttributes": [{"faas.invocation_id": "inv"}] * count,
        "ResourceAttributes": [{"faas.version": "3", "service.instance.id": "w1"}] * count,
    }
    return Rows("otel_logs", columns, "logs")


def waiting(folder: Path) -> list[Entry]:
    return [
        one
        for path, _, _ in Outbox(folder).waiting()
        for one in msgspec.msgpack.decode(path.read_bytes(), type=list[Entry])
    ]


def test_drafts_of_killed_processes_are_removed(tmp_path: Path) -> None:
    # Given what a collector's process and a server were writing when they were killed
    outbox = Outbox(tmp_path / "outbox")
    outbox.write(f"{1:016x}", [entry(1)])
    for name in ("2.new", "1.draft"):
        (outbox.folder / name).write_bytes(b"half")
    # When the next ones begin, I expect what is whole alone
    Subscriptions(outbox.folder, 1_000)
    assert outbox.sealed() == []
    assert [path.name for path in outbox.folder.iterdir()] == [f"{1:016x}.batch"]


def test_lines_that_somebody_wants_are_written_under_their_batch_number(tmp_path: Path) -> None:
    # Given a function that wants errors of one other
    folder = tmp_path / "outbox"
    told = Subscriptions(folder, 1_000_000)
    told.export([lines("nobody listens")])
    assert not folder.exists()
    rule = Rule(ident="r", function="a", kind="logs", of=Hears(("f",)), filter="disk", severity=17)
    write_rules(folder.with_suffix(".json"), [rule])

    # When batches come, one of them twice
    batch = [lines("disk full", "net down"), lines("disk", function="g"), lines("disk", number=9)]
    for _ in range(2):
        told.export(batch, Mark(1, rows=10))

    # I expect what fits, once
    [found] = waiting(folder)
    assert (found.function, found.version, found.instance, found.body) == ("f", 3, "w1", "disk full")
    assert (found.trace_id, found.invocation_id) == ("t", "inv")

    # ... and no more when nobody wants it any more
    write_rules(folder.with_suffix(".json"), [])
    told.export(batch, Mark(1, rows=20))
    assert len(waiting(folder)) == 1


def test_a_full_outbox_drops_and_counts(tmp_path: Path) -> None:
    folder = tmp_path / "outbox"
    write_rules(folder.with_suffix(".json"), [Rule(ident="r", function="a", kind="logs")])
    told = Subscriptions(folder, 1_000)
    for number in range(10):
        told.export([lines("x" * 400)], Mark(1, rows=number + 1))
    assert told.counts.dropped == 10 - told.counts.taken > 0
    assert Outbox(folder).size_bytes() < 3_000

    # what cannot be written costs the store nothing
    os.chmod(folder, 0o700)
    blocked = Subscriptions(Path("/proc/nothing/outbox"), 1_000)
    blocked._rules = told._rules
    blocked.export([lines("y")], Mark(1, rows=99))
    assert blocked.counts.dropped == 1


def failure(invocation: str, fingerprint: str, function: str = "f") -> dict[str, list[object]]:
    row: dict[str, object] = {
        "InvocationId": invocation,
        "Attempt": 1,
        "CapturedAt": 5,
        "Function": function,
        "Version": 2,
        "App": "app",
        "Kind": "exception",
        "ErrorType": "ValueError",
        "Message": "m",
        "Fingerprint": fingerprint,
        "File": "a.py",
        "Line": 7,
        "ErrorFunction": "g",
        "TraceId": "t",
        "SpanId": "s",
    }
    return {name: [value] for name, value in row.items()}


class Writer:
    def __init__(self) -> None:
        self.taken: list[Any] = []

    def add_all(self, tables: Sequence[Any], mark: Mark | None = None) -> None:
        self.taken.append((list(tables), mark))


def test_the_first_failure_of_a_group_is_told_as_new_across_restarts(tmp_path: Path) -> None:
    # Given functions that want the first of each group, and every failure
    folder = tmp_path / "outbox"
    rules = [
        Rule(ident="new", function="a", kind="failures"),
        Rule(ident="all", function="b", kind="failures", every=True),
    ]
    write_rules(folder.with_suffix(".json"), rules)

    def tell(number: int, invocation: str, fingerprint: str) -> list[tuple[str, object]]:
        writer = Writer()
        told = Subscriptions(folder, 1_000_000, FailureGroups(tmp_path / "groups.db"))
        tables = [("failure_scenes", failure(invocation, fingerprint))]
        SubscribedWriter(writer, told).add_all(tables, Mark(1, scenes=number))
        assert writer.taken == [(tables, Mark(1, scenes=number))]
        found = waiting(folder)
        for path, _, _ in Outbox(folder).waiting():
            path.unlink()
        return [(one.rule, one.more["first"]) for one in found]

    # I expect new ones to be told apart, also when the same row comes again (with its heap)
    assert tell(1, "i1", "x") == [("new", 1), ("all", 1)]
    assert tell(2, "i2", "x") == [("all", 0)]
    assert tell(3, "i1", "x") == [("new", 1), ("all", 1)]
    assert tell(4, "i3", "y") == [("new", 1), ("all", 1)]


async def test_a_function_that_takes_no_more_keeps_no_others_records_back(tmp_path: Path) -> None:
    # Given two functions that hear of the same lines, of which one takes no more
    source = RecordSource(tmp_path / "outbox")
    outbox = Outbox(tmp_path / "outbox")
    triggers = {"full": LogsTrigger(shape="plain"), "free": LogsTrigger(shape="plain")}
    idents = {name: trigger.rule(name).ident for name, trigger in triggers.items()}
    source._triggers = {idents[name]: (name, trigger) for name, trigger in triggers.items()}
    got: list[tuple[str, str]] = []
    room = {"full": False, "free": True}

    async def publish(request: InvokeRequest, key: str, publisher: object, identity: bytes) -> Accepted:
        if not room[request.function]:
            raise QueueFull("no room")
        got.append((request.function, key))
        return Accepted("e", "i", "t", "s")

    source.publish = publish
    batch = [Entry(idents[name], "f", 1, "w", place, 5, body="x") for place, name in enumerate(triggers)]
    outbox.write("1", batch)
    outbox.seal([path for path, _, _ in outbox.waiting()])

    # I expect the other's to be told, once, and the rest when there is room
    for _ in range(3):
        await source._round()
    assert [name for name, _ in got] == ["free"]
    assert outbox.size_bytes() > 0
    room["full"] = True
    await source._round()
    assert [name for name, _ in got] == ["free", "full"]
    assert outbox.size_bytes() == 0
