"""What people ask of the queue: lists, single events, counts; and to try again or discard."""

from __future__ import annotations

import sqlite3
from typing import Any

import msgspec

from relive_platform.triggers.queue import statements as sql
from relive_platform.triggers.queue.holdings import DEAD, LEASED, READY, STATES, Holdings
from relive_platform.triggers.queue.model import Clock, Conflict, EventRow, QueuedEvent, UnknownEvent

__all__ = ["EventDesk", "event_row"]


class EventDesk:
    """Not thread-safe: the committer's thread alone calls it, within its transactions."""

    def __init__(self, db: sqlite3.Connection, clock: Clock, holdings: Holdings) -> None:
        self._db = db
        self._clock = clock
        self._holdings = holdings
        self._decoder = msgspec.json.Decoder(QueuedEvent)

    def retry(self, event_id: str, function: str) -> QueuedEvent:
        """Make a dead or waiting event due now, attempts anew, and give it. Raises UnknownEvent, Conflict."""
        seq, name, state, found, size = self._find(event_id, function)
        if state == LEASED:
            raise Conflict(f"event {found!r} is being delivered", hint="wait for its outcome")
        now_ns = self._clock.time_ns()
        self._db.execute(sql.REVIVE, (now_ns, now_ns, seq))
        self._holdings.move(name, state, READY, size)
        return self._load(seq)[0]

    def discard(self, event_id: str, function: str) -> str:
        """Remove a dead or waiting event. Raises UnknownEvent, Conflict."""
        seq, name, state, found, size = self._find(event_id, function)
        if state == LEASED:
            raise Conflict(f"event {found!r} is being delivered", hint="wait for its outcome")
        self._db.execute(sql.DELETE, (seq,))
        self._holdings.move(name, state, None, size)
        return found

    def _find(self, prefix: str, function: str) -> tuple[int, str, int, str, int]:
        """seq, function, state, id and bytes of the only event whose id is, or begins with, `prefix`."""
        for upper in (f"{prefix}\0", f"{prefix}\U0010ffff"):  # exactly, then as a prefix
            rows = self._db.execute(sql.FIND, (prefix, upper, function, function)).fetchall()
            if len(rows) == 1:
                seq, name, state, size = rows[0]
                return seq, name, state, self._db.execute(sql.LOAD, (seq,)).fetchone()[1], size
            if rows:
                raise UnknownEvent(f"{prefix!r} means more than one event", hint="give more of the id, or FN")
        raise UnknownEvent(f"there is no event {prefix!r}", hint="`relive events` lists them")

    def rows(self, state: str, function: str, limit: int) -> list[EventRow]:
        """Events, newest first; empty `state` or `function`: all."""
        number = STATES.index(state) if state else -1
        found = self._db.execute(sql.LIST, (number, number, function, function, limit))
        return [event_row(row) for row in found]

    def look(self, event_id: str, function: str) -> tuple[EventRow, bytes | None]:
        """Where an event is: as in `rows`, or "done" with its result while that is remembered.

        Raises UnknownEvent.
        """
        if row := self._db.execute(sql.LOOK, (function, event_id)).fetchone():
            return event_row(row), None
        if row := self._db.execute(sql.KNOWN_FINISHED, (function, event_id)).fetchone():
            done = EventRow(
                event_id=event_id, function=function, state="done", attempts=0, next_at_ns=0, last_error="",
                enqueued_ns=0, body_bytes=0,
            )  # fmt: skip
            return done, row[2]
        raise UnknownEvent(f"there is no event {event_id!r}", hint="`relive events` lists them")

    def get(self, event_id: str, function: str) -> tuple[QueuedEvent, int]:
        """An event with its body, and its attempts so far. Raises UnknownEvent."""
        return self._load(self._find(event_id, function)[0])

    def _load(self, seq: int) -> tuple[QueuedEvent, int]:
        _, found, attempts, _, enqueued_ns, detail, body = self._db.execute(sql.LOAD, (seq,)).fetchone()
        event = self._decoder.decode(detail)
        return msgspec.structs.replace(event, event_id=found, body=body, enqueued_ns=enqueued_ns), attempts


def event_row(row: tuple[Any, ...]) -> EventRow:
    """An event from a row of `statements.LIST`."""
    event_id, function, state, attempts, at_ns, last_error, enqueued_ns, body_bytes = row
    return EventRow(
        event_id=event_id,
        function=function,
        state=STATES[state],
        attempts=attempts,
        next_at_ns=0 if state == DEAD else at_ns,
        last_error=last_error,
        enqueued_ns=enqueued_ns,
        body_bytes=body_bytes,
        died_ns=at_ns if state == DEAD else 0,
    )
