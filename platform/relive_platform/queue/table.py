"""The operations on the queue's tables. Not thread-safe: the committer's thread alone calls them.

Every operation checks before it writes, so one that raises has changed nothing and its batch can go on.
"""

from __future__ import annotations

import hashlib
import random
import sqlite3
from collections import defaultdict
from collections.abc import Mapping
from typing import Final

import msgspec
from relive_base.ids import new_invocation_id

from relive_platform.queue import statements as sql
from relive_platform.queue.backoff import Backoff
from relive_platform.queue.model import (
    Clock,
    Conflict,
    Counts,
    EventRow,
    FailOutcome,
    Lease,
    QueuedEvent,
    QueueFull,
    QueueLimits,
    Receipt,
    StaleLease,
    UnknownEvent,
)

__all__ = ["STATES", "EventTable"]

STATES: Final = ("ready", "leased", "dead")
_READY, _LEASED, _DEAD = range(3)
_NS: Final = 1_000_000_000
_JUMP_NS: Final = 2 * _NS  # a wall clock that moved this far against the monotonic one was set
_MAX_ERROR_CHARACTERS: Final = 2000
_FORGET_EVERY: Final = 256


class EventTable:
    """The queue's state: the tables, counts of them, and the leases with their monotonic ends."""

    def __init__(
        self, db: sqlite3.Connection, clock: Clock, limits: QueueLimits, backoff: Backoff, draw: random.Random
    ) -> None:
        self._db = db
        self._clock = clock
        self._limits = limits
        self._backoff = backoff
        self._draw = draw
        self._counts: dict[str, list[int]] = {}
        self._total = 0
        self._leases: dict[int, tuple[int, int]] = {}  # seq -> (token, monotonic end)
        self._turn = ""  # the function that was served last
        self._offset_ns = clock.time_ns() - clock.monotonic_ns()
        self._finished_first = self._finished_last = 0
        self._until_forget = _FORGET_EVERY
        self._encoder = msgspec.json.Encoder()
        self._decoder = msgspec.json.Decoder(QueuedEvent)
        self.made_ready = False  # since the listener was last told

    # ------------------------------------------------------------ opening, and after a rollback

    def recover(self) -> None:
        """Leases of the process before are void; attempts stay counted."""
        self._db.execute(sql.RELEASE_ALL, (self._clock.time_ns(),))
        self.reload()

    def reload(self) -> None:
        """Read counts again, and drop leases that the tables do not have."""
        self._counts = defaultdict(lambda: [0, 0, 0])
        for function, state, count in self._db.execute(sql.COUNTS):
            self._counts[function][state] = count
        self._total = sum(sum(counts) for counts in self._counts.values())
        self._leases = {
            seq: (token, end)
            for seq, (token, end) in self._leases.items()
            if self._db.execute(sql.STILL_HELD, (seq, token)).fetchone()
        }
        self._finished_first, self._finished_last = self._db.execute(sql.FINISHED_RANGE).fetchone()
        self.made_ready = any(count[_READY] for count in self._counts.values())

    def _move(self, function: str, before: int | None, after: int | None) -> None:
        counts = self._counts[function]
        self._total += (before is None) - (after is None)
        if before is not None:
            counts[before] -= 1
        if after is not None:
            counts[after] += 1
            self.made_ready |= after == _READY
        elif not any(counts):
            del self._counts[function]

    # ------------------------------------------------------------ in

    def publish(self, event: QueuedEvent, mark: tuple[str, int] | None) -> Receipt:
        """Add an event, and move a timer's mark in the same commit. Raises Conflict, QueueFull."""
        digest = hashlib.blake2b(event.body, digest_size=16).digest()
        event_id = event.event_id
        if event_id:
            known = self._known(event, digest)
            if known is not None:
                if mark is not None:
                    self._db.execute(sql.MARK, mark)
                return known
        else:
            event_id = new_invocation_id()
        if self._total >= self._limits.events:
            message = f"the event queue holds {self._total} events, its limit"
            remedy = (
                "retry or discard dead events (`relive events --state dead`), or raise RELIVE_QUEUE_EVENTS"
            )
            raise QueueFull(message, remedy=remedy)
        now_ns = self._clock.time_ns()
        detail = self._encoder.encode(msgspec.structs.replace(event, event_id="", body=b"", enqueued_ns=0))
        due_ns = max(now_ns, event.not_before_ns)
        self._db.execute(sql.INSERT, (event.function, event_id, due_ns, now_ns, digest, detail, event.body))
        if mark is not None:
            self._db.execute(sql.MARK, mark)
        self._move(event.function, None, _READY)
        return Receipt(event_id=event_id)

    def _known(self, event: QueuedEvent, digest: bytes) -> Receipt | None:
        key = (event.function, event.event_id)
        if row := self._db.execute(sql.KNOWN, key).fetchone():
            receipt = Receipt(event_id=event.event_id, duplicate=True, state=STATES[row[0]])
            first = row[1]
        elif row := self._db.execute(sql.KNOWN_FINISHED, key).fetchone():
            first, invocation_id, result = row
            receipt = Receipt(
                event_id=event.event_id,
                duplicate=True,
                state="done",
                invocation_id=invocation_id,
                result=result,
            )
        else:
            return None
        if first != digest:
            raise Conflict(
                f"event {event.event_id!r} of function {event.function!r} was accepted with another body",
                remedy="use a new event id for a new event",
            )
        return receipt

    # ------------------------------------------------------------ out

    def lease(self, limit: int, in_flight: Mapping[str, int], others: int | None) -> list[Lease]:
        """Up to `limit` due events, functions by turns; see EventQueue.lease."""
        self._follow_clock()
        self.expire()
        now_ns = self._clock.time_ns()
        end_ns = self._clock.monotonic_ns() + int(self._limits.lease_s * _NS)
        leases: list[Lease] = []
        candidates = self._by_turns()
        while candidates and len(leases) < limit:
            share = max((limit - len(leases)) // len(candidates), 1)
            left = []
            for function in candidates:
                room = limit - len(leases)
                cap = in_flight.get(function, others)
                if cap is not None:
                    room = min(room, cap - self._counts[function][_LEASED])
                wanted = min(share, room)
                if wanted <= 0:
                    continue
                taken, more = self._take(function, wanted, now_ns, end_ns)
                leases += taken
                self._turn = function if taken else self._turn
                if more:
                    left.append(function)
            candidates = left
        return leases

    def _by_turns(self) -> list[str]:
        """Functions with ready events, beginning after the one that was served last."""
        names = sorted(name for name, counts in self._counts.items() if counts[_READY] > 0)
        return [name for name in names if name > self._turn] + [name for name in names if name <= self._turn]

    def _take(self, function: str, wanted: int, now_ns: int, end_ns: int) -> tuple[list[Lease], bool]:
        rows = self._db.execute(sql.DUE, (function, now_ns, wanted)).fetchall()
        taken = []
        for seq, event_id, attempts, token, enqueued_ns, detail, body in rows:
            event = msgspec.structs.replace(
                self._decoder.decode(detail), event_id=event_id, body=body, enqueued_ns=enqueued_ns
            )
            if now_ns - enqueued_ns > event.max_age_s * _NS:
                self._bury(function, seq, _READY, f"it is older than {event.max_age_s:g} s")
                continue
            self._db.execute(sql.TAKE, (seq,))
            self._leases[seq] = (token + 1, end_ns)
            self._move(function, _READY, _LEASED)
            taken.append(Lease(event=event, attempt=attempts + 1, token=token + 1, seq=seq))
        return taken, len(rows) == wanted

    def next_due_ns(self) -> int | None:
        """When the next ready event is due, ns since the epoch; None without one."""
        self._follow_clock()
        due = (self._db.execute(sql.NEXT_DUE, (name,)).fetchone()[0] for name in self._by_turns())
        return min((time_ns for time_ns in due if time_ns is not None), default=None)

    def next_expiry_monotonic_ns(self) -> int | None:
        """When the next lease ends, on the monotonic clock."""
        return min((end for _, end in self._leases.values()), default=None)

    def extend(self, lease: Lease, seconds: float | None) -> None:
        """A heartbeat. Raises StaleLease."""
        held = self._leases.get(lease.seq)
        if held is None or held[0] != lease.token:
            raise self._stale(lease)
        seconds = self._limits.lease_s if seconds is None else seconds
        self._leases[lease.seq] = (lease.token, self._clock.monotonic_ns() + int(seconds * _NS))

    def _held(self, lease: Lease) -> tuple[str, str, int, int, bytes, bytes]:
        row = self._db.execute(sql.HELD, (lease.seq, lease.token)).fetchone()
        if row is None:
            raise self._stale(lease)
        found: tuple[str, str, int, int, bytes, bytes] = row
        return found

    def _stale(self, lease: Lease) -> StaleLease:
        return StaleLease(
            f"the lease of event {lease.event.event_id!r} (attempt {lease.attempt}) is no longer valid",
            remedy="extend leases before they end; RELIVE_LEASE_S says how long they last",
        )

    # ------------------------------------------------------------ outcomes

    def complete(self, lease: Lease, invocation_id: str, result: bytes | None) -> None:
        """The event is done. Raises StaleLease."""
        function, event_id, _, _, _, digest = self._held(lease)
        if result is not None and len(result) > self._limits.result_bytes:
            result = None
        self._db.execute(sql.DELETE, (lease.seq,))
        if self._limits.done_keep_events:
            row = (function, event_id, self._clock.time_ns(), invocation_id, digest, result)
            self._finished_last = self._db.execute(sql.FINISH, row).lastrowid or 0
        self._leases.pop(lease.seq, None)
        self._move(function, _LEASED, None)
        self._until_forget -= 1
        if self._until_forget <= 0:
            self.forget()

    def fail(self, lease: Lease, error: str, retry_at_ns: int | None, retry: bool) -> FailOutcome:
        """The delivery failed. Raises StaleLease."""
        function, _, attempts, enqueued_ns, detail, _ = self._held(lease)
        return self._failed(lease.seq, function, attempts, enqueued_ns, detail, error, retry_at_ns, retry)

    def _failed(
        self,
        seq: int,
        function: str,
        attempts: int,
        enqueued_ns: int,
        detail: bytes,
        error: str,
        retry_at_ns: int | None = None,
        retry: bool = True,
    ) -> FailOutcome:
        event = self._decoder.decode(detail)
        now_ns = self._clock.time_ns()
        if retry_at_ns is None:
            retry_at_ns = now_ns + int(self._backoff.delay_s(attempts, self._draw.random()) * _NS)
        self._leases.pop(seq, None)
        too_old = retry_at_ns - enqueued_ns > event.max_age_s * _NS
        if not retry or attempts > event.retries or too_old:
            self._bury(function, seq, _LEASED, error)
            return FailOutcome("dead")
        self._db.execute(sql.AGAIN, (retry_at_ns, error[:_MAX_ERROR_CHARACTERS], seq))
        self._move(function, _LEASED, _READY)
        return FailOutcome("ready", retry_at_ns)

    def _bury(self, function: str, seq: int, before: int, error: str) -> None:
        self._db.execute(sql.BURY, (error[:_MAX_ERROR_CHARACTERS], seq))
        self._move(function, before, _DEAD)

    def release(self, lease: Lease) -> None:
        """Give back an event that never reached a worker; no attempt is counted. Raises StaleLease."""
        function = self._held(lease)[0]
        self._db.execute(sql.GIVE_BACK, (lease.seq,))
        self._leases.pop(lease.seq, None)
        self._move(function, _LEASED, _READY)

    def expire(self) -> int:
        """Take back the leases that ran out; each was an attempt. Returns how many."""
        now_ns = self._clock.monotonic_ns()
        ended = [(seq, token) for seq, (token, end_ns) in self._leases.items() if end_ns <= now_ns]
        for seq, token in ended:
            row = self._db.execute(sql.HELD, (seq, token)).fetchone()
            if row is None:
                self._leases.pop(seq, None)
                continue
            function, _, attempts, enqueued_ns, detail, _ = row
            error = f"attempt {attempts}: the lease ran out without an answer"
            self._failed(seq, function, attempts, enqueued_ns, detail, error)
        return len(ended)

    def retry(self, event_id: str, function: str) -> str:
        """Make a dead or waiting event due now, attempts anew. Raises UnknownEvent, Conflict."""
        seq, name, state, found = self._find(event_id, function)
        if state == _LEASED:
            raise Conflict(f"event {found!r} is being delivered", remedy="wait for its outcome")
        now_ns = self._clock.time_ns()
        self._db.execute(sql.REVIVE, (now_ns, now_ns, seq))
        self._move(name, state, _READY)
        return found

    def discard(self, event_id: str, function: str) -> str:
        """Remove a dead or waiting event. Raises UnknownEvent, Conflict."""
        seq, name, state, found = self._find(event_id, function)
        if state == _LEASED:
            raise Conflict(f"event {found!r} is being delivered", remedy="wait for its outcome")
        self._db.execute(sql.DELETE, (seq,))
        self._move(name, state, None)
        return found

    def _find(self, prefix: str, function: str) -> tuple[int, str, int, str]:
        """seq, function, state and id of the only event whose id is, or begins with, `prefix`."""
        for upper in (f"{prefix}\0", f"{prefix}\U0010ffff"):  # exactly, then as a prefix
            rows = self._db.execute(sql.FIND, (prefix, upper, function, function)).fetchall()
            if len(rows) == 1:
                seq, name, state = rows[0]
                return seq, name, state, self._db.execute(sql.LOAD, (seq,)).fetchone()[1]
            if rows:
                raise UnknownEvent(
                    f"{prefix!r} means more than one event", remedy="give more of the id, or FN"
                )
        raise UnknownEvent(f"there is no event {prefix!r}", remedy="`relive events` lists them")

    # ------------------------------------------------------------ looking, and housekeeping

    def rows(self, state: str, function: str, limit: int) -> list[EventRow]:
        """Events, newest first; empty `state` or `function`: all."""
        number = STATES.index(state) if state else -1
        found = self._db.execute(sql.LIST, (number, number, function, function, limit))
        return [
            EventRow(
                event_id=row[0], function=row[1], state=STATES[row[2]], attempts=row[3], next_at_ns=row[4],
                last_error=row[5], enqueued_ns=row[6], body_bytes=row[7],
            )
            for row in found
        ]  # fmt: skip

    def look(self, event_id: str, function: str) -> tuple[EventRow, bytes | None]:
        """Where an event is: as in `rows`, or "done" with its result while that is remembered.

        Raises UnknownEvent.
        """
        if row := self._db.execute(sql.LOOK, (function, event_id)).fetchone():
            found = EventRow(
                event_id=row[0], function=row[1], state=STATES[row[2]], attempts=row[3], next_at_ns=row[4],
                last_error=row[5], enqueued_ns=row[6], body_bytes=row[7],
            )  # fmt: skip
            return found, None
        if row := self._db.execute(sql.KNOWN_FINISHED, (function, event_id)).fetchone():
            done = EventRow(
                event_id=event_id, function=function, state="done", attempts=0, next_at_ns=0, last_error="",
                enqueued_ns=0, body_bytes=0,
            )  # fmt: skip
            return done, row[2]
        raise UnknownEvent(f"there is no event {event_id!r}", remedy="`relive events` lists them")

    def get(self, event_id: str, function: str) -> tuple[QueuedEvent, int]:
        """An event with its body, and its attempts so far. Raises UnknownEvent."""
        seq = self._find(event_id, function)[0]
        _, found, attempts, _, enqueued_ns, detail, body = self._db.execute(sql.LOAD, (seq,)).fetchone()
        event = self._decoder.decode(detail)
        return msgspec.structs.replace(event, event_id=found, body=body, enqueued_ns=enqueued_ns), attempts

    def counts(self) -> Counts:
        """How many events are where."""
        by_function = {name: (c[0], c[1], c[2]) for name, c in self._counts.items()}
        ready, leased, dead = (sum(counts[state] for counts in by_function.values()) for state in range(3))
        return Counts(ready, leased, dead, by_function)

    def marks(self) -> dict[str, int]:
        """Each timer's last firing, ns since the epoch."""
        return dict(self._db.execute(sql.MARKS).fetchall())

    def mark(self, key: str, value_ns: int) -> None:
        """Move a timer's mark without an event."""
        self._db.execute(sql.MARK, (key, value_ns))

    def unmark(self, key: str) -> None:
        """Forget a timer."""
        self._db.execute(sql.UNMARK, (key,))

    def forget(self) -> None:
        """Drop finished events that are too old or too many, at most 1,000 at a time."""
        self._until_forget = _FORGET_EVERY
        oldest_ns = self._clock.time_ns() - int(self._limits.done_keep_s * _NS)
        self._db.execute(sql.FORGET, (oldest_ns, self._finished_last - self._limits.done_keep_events))

    def _follow_clock(self) -> None:
        """When the wall clock was set, waiting events move with it: their waits were meant as durations."""
        offset_ns = self._clock.time_ns() - self._clock.monotonic_ns()
        jump_ns = offset_ns - self._offset_ns
        if abs(jump_ns) < _JUMP_NS:
            return
        self._offset_ns = offset_ns
        self._db.execute(sql.SHIFT, (jump_ns, self._clock.time_ns() - jump_ns))
