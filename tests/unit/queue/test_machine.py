"""Any order of operations, against a model in memory: nothing is lost, nothing is delivered twice at once."""

from __future__ import annotations

import sqlite3
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from relive_platform.triggers.queue import (
    Backoff,
    Conflict,
    EventQueue,
    Lease,
    QueuedEvent,
    QueueLimits,
    StaleLease,
)
from relive_platform.triggers.queue import statements as sql
from relive_platform.triggers.queue.holdings import ROW_BYTES

IDS = st.sampled_from(["a", "b", "c", "d"])
FUNCTIONS = st.sampled_from(["f", "g"])
RETRIES = 1


class Clock:
    def __init__(self) -> None:
        self.wall, self.mono = 10**18, 10**9

    def time_ns(self) -> int:
        return self.wall

    def monotonic_ns(self) -> int:
        return self.mono


class QueueMachine(RuleBasedStateMachine):
    """`model`: (function, id) -> [state, attempts, body]; states ready, leased, dead, done."""

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.clock = Clock()
        self.model: dict[tuple[str, str], list] = {}  # type: ignore[type-arg]
        self.leases: dict[tuple[str, str], Lease] = {}
        self.old: list[Lease] = []
        self.queue = self.open()

    def open(self) -> EventQueue:
        return EventQueue(
            Path(self.folder.name) / "events.db",
            self.clock,
            limits=QueueLimits(ballast_bytes=0, lease_s=30.0),
            backoff=Backoff(0, 0),
        )

    @rule(function=FUNCTIONS, event_id=IDS, body=st.sampled_from([b"1", b"2"]))
    def publish(self, function: str, event_id: str, body: bytes) -> None:
        event = QueuedEvent(function=function, body=body, event_id=event_id, retries=RETRIES)
        known = self.model.get((function, event_id))
        if known is not None and known[2] != body:
            with pytest.raises(Conflict):
                self.queue.publish(event).result(60)
            return
        receipt = self.queue.publish(event).result(60)
        assert receipt.duplicate == (known is not None)
        assert receipt.state == (known[0] if known else "ready")
        self.model.setdefault((function, event_id), ["ready", 0, body])

    @rule(limit=st.integers(1, 4))
    def lease(self, limit: int) -> None:
        ready = sum(state[0] == "ready" for state in self.model.values())
        leases = self.queue.lease(limit).result(60)
        assert len(leases) == min(limit, ready)
        for lease in leases:
            key = (lease.event.function, lease.event.event_id)
            state = self.model[key]
            assert state[0] == "ready"
            assert lease.event.body == state[2]
            state[0], state[1] = "leased", state[1] + 1
            assert lease.attempt == state[1]
            self.leases[key] = lease

    def failed(self, key: tuple[str, str]) -> str:
        state = self.model[key]
        state[0] = "dead" if state[1] > RETRIES else "ready"
        self.old.append(self.leases.pop(key))
        return str(state[0])

    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        if not self.leases:
            return
        key = data.draw(st.sampled_from(sorted(self.leases)))
        lease = self.leases[key]
        match data.draw(st.sampled_from(["complete", "fail", "release"])):
            case "complete":
                self.queue.complete(lease).result(60)
                self.model[key][0] = "done"
                self.old.append(self.leases.pop(key))
            case "fail":
                outcome = self.queue.fail(lease, "boom").result(60)
                assert outcome.state == self.failed(key)
            case "release":
                self.queue.release(lease).result(60)
                self.model[key][0], self.model[key][1] = "ready", self.model[key][1] - 1
                self.old.append(self.leases.pop(key))

    @rule(data=st.data())
    def a_late_worker(self, data: st.DataObject) -> None:
        if self.old:
            lease = data.draw(st.sampled_from(self.old))
            with pytest.raises(StaleLease):
                self.queue.complete(lease).result(60)

    @rule()
    def leases_run_out(self) -> None:
        self.clock.wall += 31 * 10**9
        self.clock.mono += 31 * 10**9
        assert self.queue.expire().result(60) == len(self.leases)
        for key in list(self.leases):
            self.failed(key)

    @rule(function=FUNCTIONS, event_id=IDS)
    def retry(self, function: str, event_id: str) -> None:
        state = self.model.get((function, event_id))
        if state is not None and state[0] in ("dead", "ready"):
            assert self.queue.retry(event_id, function).result(60).event_id == event_id
            state[0], state[1] = "ready", 0

    @rule()
    def restart(self) -> None:
        self.queue.close()
        self.kept_counts_are_those_of_the_rows()
        self.queue = self.open()
        for key in list(self.leases):
            self.model[key][0] = "ready"
            self.old.append(self.leases.pop(key))

    def kept_counts_are_those_of_the_rows(self) -> None:
        db = sqlite3.connect(Path(self.folder.name) / "events.db")
        kept = {row[0]: row[1:] for row in db.execute(sql.HELD_BY_ALL)}
        counted: dict[str, list[int]] = {}
        for function, state, count, size in db.execute(sql.COUNTS):
            row = counted.setdefault(function, [0] * 8)
            row[state], row[3 + state] = count, size + count * ROW_BYTES
        for function, count, size in db.execute(sql.COUNTS_DONE):
            counted.setdefault(function, [0] * 8)[6:] = [count, size]
        db.close()
        assert kept == {function: tuple(row) for function, row in counted.items()}

    @invariant()
    def counts_and_lists_agree(self) -> None:
        if not hasattr(self, "queue"):
            return
        wanted = {key: state for key, state in self.model.items() if state[0] != "done"}
        rows = self.queue.list().result(60)
        assert {(row.function, row.event_id): (row.state, row.attempts) for row in rows} == {
            key: (state[0], state[1]) for key, state in wanted.items()
        }
        counts = self.queue.counts().result(60)
        for name, count in (("ready", counts.ready), ("leased", counts.leased), ("dead", counts.dead)):
            assert count == sum(state[0] == name for state in wanted.values())

    def teardown(self) -> None:
        self.queue.close()
        self.kept_counts_are_those_of_the_rows()
        self.folder.cleanup()


TestQueueMachine = QueueMachine.TestCase
TestQueueMachine.settings = settings(
    max_examples=30, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
