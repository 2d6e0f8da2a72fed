"""The operations on the queue's tables. Not thread-safe: the committer's thread alone calls them.

Every operation checks before it writes, so one that raises has changed nothing and its batch can go on.
"""

from __future__ import annotations

import hashlib
import logging
import random
import sqlite3
from collections.abc import Callable, Mapping
from typing import Final

import msgspec
from relive_base.errors import ReliveError
from relive_base.ids import new_invocation_id

from relive_platform.triggers.queue import statements as sql
from relive_platform.triggers.queue.backoff import Backoff
from relive_platform.triggers.queue.desk import EventDesk
from relive_platform.triggers.queue.holdings import DEAD, LEASED, READY, STATES, Holdings
from relive_platform.triggers.queue.keeping import Keeping
from relive_platform.triggers.queue.model import (
    Clock,
    Conflict,
    FailOutcome,
    Lease,
    QueuedEvent,
    QueueLimits,
    Receipt,
    StaleLease,
)

__all__ = ["EventTable"]

_NS: Final = 1_000_000_000
_JUMP_NS: Final = 2 * _NS  # a wall clock that moved this far against the monotonic one was set
_MAX_ERROR_CHARACTERS: Final = 2000
_DIGEST_BYTES: Final = 20
_BODY_DIGEST_BYTES: Final = 16  # of rows that were written when the body alone counted
_log = logging.getLogger(__name__)
_Held = tuple[str, str, int, int, bytes, bytes, int]
"""Function, id, attempts, time of acceptance, detail, digest, bytes of body and detail."""


class EventTable:
    """The queue's state: the tables, what each function holds of them, and the leases with their ends."""

    def __init__(
        self,
        db: sqlite3.Connection,
        clock: Clock,
        limits: QueueLimits,
        backoff: Backoff,
        draw: random.Random,
        free_bytes: Callable[[], int],
    ) -> None:
        self._db = db
        self._clock = clock
        self._limits = limits
        self._backoff = backoff
        self._draw = draw
        self.holdings = Holdings(db, clock, limits, free_bytes)
        self.keeping = Keeping(db, clock, limits, self.holdings)
        self.desk = EventDesk(db, clock, self.holdings)
        self._leases: dict[int, tuple[int, int]] = {}  # seq -> (token, monotonic end)
        self.then: Callable[[QueuedEvent, int, str, bool], QueuedEvent | None] = lambda *_: None
        self.then_refused = 0
        self._turn = ""  # the function that was served last
        self._offset_ns = clock.time_ns() - clock.monotonic_ns()
        self._encoder = msgspec.json.Encoder()
        self._decoder = msgspec.json.Decoder(QueuedEvent)

    # ------------------------------------------------------------ opening, and after a rollback

    def recover(self) -> None:
        """Leases of the process before are void; attempts stay counted."""
        self.holdings.open()
        self.reload()
        if self.holdings.release_all():
            self._db.execute(sql.RELEASE_ALL, (self._clock.time_ns(),))

    def reload(self) -> None:
        """Read counts again, and drop leases that the tables do not have."""
        self.holdings.load()
        self._leases = {
            seq: (token, end)
            for seq, (token, end) in self._leases.items()
            if self._db.execute(sql.STILL_HELD, (seq, token)).fetchone()
        }

    # ------------------------------------------------------------ in

    def publish(self, event: QueuedEvent, mark: tuple[str, int] | None) -> Receipt:
        """Add an event, and move a timer's mark in the same commit. Raises Conflict, QueueFull, DiskFull."""
        digest = hashlib.blake2b(event.identity or event.body, digest_size=_DIGEST_BYTES).digest()
        event_id = event.event_id
        if event_id:
            known = self._known(event, digest)
            if known is not None:
                if mark is not None:
                    self._db.execute(sql.MARK, mark)
                return known
        else:
            event_id = new_invocation_id()
        kept = msgspec.structs.replace(event, event_id="", body=b"", identity=b"", enqueued_ns=0)
        detail = self._encoder.encode(kept)
        size = len(event.body) + len(detail)
        self.holdings.admit(event.function, size)
        now_ns = self._clock.time_ns()
        due_ns = max(now_ns, event.not_before_ns)
        self._db.execute(sql.INSERT, (event.function, event_id, due_ns, now_ns, digest, detail, event.body))
        if mark is not None:
            self._db.execute(sql.MARK, mark)
        self.holdings.move(event.function, None, READY, size)
        return Receipt(event_id=event_id)

    def _known(self, event: QueuedEvent, digest: bytes) -> Receipt | None:
        key = (event.function, event.event_id)
        if row := self._db.execute(sql.KNOWN, key).fetchone():
            state, first, detail, enqueued_ns = row
            accepted = msgspec.structs.replace(
                self._decoder.decode(detail), event_id=event.event_id, enqueued_ns=enqueued_ns
            )
            receipt = Receipt(event_id=event.event_id, duplicate=True, state=STATES[state], accepted=accepted)
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
        if len(first) == _BODY_DIGEST_BYTES:
            digest = hashlib.blake2b(event.body, digest_size=_BODY_DIGEST_BYTES).digest()
        if first != digest:
            raise Conflict(
                f"event {event.event_id!r} of function {event.function!r} was accepted with another body"
                " or as another request",
                hint="use a new event id for a new event",
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
                    room = min(room, cap - self.holdings.leased(function))
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
        names = self.holdings.with_ready()
        return [name for name in names if name > self._turn] + [name for name in names if name <= self._turn]

    def _take(self, function: str, wanted: int, now_ns: int, end_ns: int) -> tuple[list[Lease], bool]:
        rows = self._db.execute(sql.DUE, (function, now_ns, wanted)).fetchall()
        taken = []
        for seq, event_id, attempts, token, enqueued_ns, due_ns, detail, body in rows:
            size = len(body) + len(detail)
            try:
                known = self._decoder.decode(detail)
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                # One that nobody can read must not keep the others back.
                self._bury(function, seq, READY, f"it cannot be read: {error}", size)
                continue
            event = msgspec.structs.replace(known, event_id=event_id, body=body, enqueued_ns=enqueued_ns)
            if now_ns - enqueued_ns > event.max_age_s * _NS:
                why = f"it is older than {event.max_age_s:g} s"
                self._follow(seq, event, attempts, why, aged=True)
                self._bury(function, seq, READY, why, size)
                continue
            self._db.execute(sql.TAKE, (seq,))
            self._leases[seq] = (token + 1, end_ns)
            self.holdings.move(function, READY, LEASED, size)
            taken.append(Lease(event=event, attempt=attempts + 1, token=token + 1, seq=seq, due_ns=due_ns))
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

    def _held(self, lease: Lease) -> _Held:
        row = self._db.execute(sql.HELD, (lease.seq, lease.token)).fetchone()
        if row is None:
            raise self._stale(lease)
        found: _Held = row
        return found

    def _stale(self, lease: Lease) -> StaleLease:
        return StaleLease(
            f"the lease of event {lease.event.event_id!r} (attempt {lease.attempt}) is no longer valid",
            hint="extend leases before they end; RELIVE_LEASE_S says how long they last",
        )

    # ------------------------------------------------------------ outcomes

    def complete(
        self, lease: Lease, invocation_id: str, result: bytes | None, then: QueuedEvent | None = None
    ) -> None:
        """The event is done, and `then` is published. Raises StaleLease."""
        function, event_id, _, _, _, digest, size = self._held(lease)
        self._db.execute(sql.DELETE, (lease.seq,))
        self._leases.pop(lease.seq, None)
        self.keeping.finished(function, event_id, invocation_id, digest, result)
        self.holdings.move(function, LEASED, None, size)
        self._publish_then(then)

    def _follow(self, seq: int, event: QueuedEvent, attempts: int, error: str, *, aged: bool) -> None:
        """Publish what follows the death of an event."""
        _, event_id, _, _, enqueued_ns, _, body = self._db.execute(sql.LOAD, (seq,)).fetchone()
        whole = msgspec.structs.replace(event, event_id=event_id, body=body, enqueued_ns=enqueued_ns)
        try:
            then = self.then(whole, attempts, error, aged)
        except Exception:  # the event has to die all the same
            _log.exception("what follows the death of event %s cannot be made", event_id)
            self.then_refused += 1
        else:
            self._publish_then(then)

    def _publish_then(self, event: QueuedEvent | None) -> None:
        """What follows the end of another. That it finds no room must not undo the end."""
        if event is None:
            return
        try:
            self.publish(event, None)
        except ReliveError as error:
            self.then_refused += 1
            _log.error("the outcome for %s could not be queued: %s", event.function, error)

    def fail(self, lease: Lease, error: str, retry_at_ns: int | None, retry: bool) -> FailOutcome:
        """The delivery failed. Raises StaleLease."""
        return self._failed(lease.seq, self._held(lease), error, retry_at_ns, retry)

    def _failed(
        self, seq: int, held: _Held, error: str, retry_at_ns: int | None = None, retry: bool = True
    ) -> FailOutcome:
        function, _, attempts, enqueued_ns, detail, _, size = held
        try:
            event = self._decoder.decode(detail)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            event, retry = QueuedEvent(function=function, body=b""), False
        now_ns = self._clock.time_ns()
        if retry_at_ns is None:
            retry_at_ns = now_ns + int(self._backoff.delay_s(attempts, self._draw.random()) * _NS)
        self._leases.pop(seq, None)
        too_old = retry_at_ns - enqueued_ns > event.max_age_s * _NS
        if not retry or attempts > event.retries or too_old:
            self._follow(seq, event, attempts, error, aged=too_old and retry and attempts <= event.retries)
            self._bury(function, seq, LEASED, error, size)
            return FailOutcome("dead")
        self._db.execute(sql.AGAIN, (retry_at_ns, error[:_MAX_ERROR_CHARACTERS], seq))
        self.holdings.move(function, LEASED, READY, size)
        return FailOutcome("ready", retry_at_ns)

    def _bury(self, function: str, seq: int, before: int, error: str, size: int) -> None:
        self._db.execute(sql.BURY, (error[:_MAX_ERROR_CHARACTERS], self._clock.time_ns(), seq))
        self.holdings.move(function, before, DEAD, size)
        self.keeping.died(function)

    def release(self, lease: Lease) -> None:
        """Give back an event that never reached a worker; no attempt is counted. Raises StaleLease."""
        held = self._held(lease)
        self._db.execute(sql.GIVE_BACK, (lease.seq,))
        self._leases.pop(lease.seq, None)
        self.holdings.move(held[0], LEASED, READY, held[6])

    def expire(self) -> int:
        """Take back the leases that ran out; each was an attempt. Returns how many."""
        now_ns = self._clock.monotonic_ns()
        ended = [(seq, token) for seq, (token, end_ns) in self._leases.items() if end_ns <= now_ns]
        for seq, token in ended:
            held = self._db.execute(sql.HELD, (seq, token)).fetchone()
            if held is None:
                self._leases.pop(seq, None)
                continue
            self._failed(seq, held, f"attempt {held[2]}: the lease ran out without an answer")
        return len(ended)

    # ------------------------------------------------------------ timers and clocks

    def marks(self) -> dict[str, int]:
        """Each timer's last firing, ns since the epoch."""
        return dict(self._db.execute(sql.MARKS).fetchall())

    def mark(self, key: str, value_ns: int) -> None:
        """Move a timer's mark without an event."""
        self._db.execute(sql.MARK, (key, value_ns))

    def unmark(self, key: str) -> None:
        """Forget a timer."""
        self._db.execute(sql.UNMARK, (key,))

    def tidy(self) -> bool:
        """Remove some of what is too old or too much. Whether there is more."""
        self._follow_clock()
        return self.keeping.tidy()

    def _follow_clock(self) -> None:
        """When the wall clock was set, waits and ages move with it: they were meant as durations."""
        offset_ns = self._clock.time_ns() - self._clock.monotonic_ns()
        jump_ns = offset_ns - self._offset_ns
        if abs(jump_ns) < _JUMP_NS:
            return
        self._offset_ns = offset_ns
        self._db.execute(sql.SHIFT, (jump_ns, self._clock.time_ns() - jump_ns))
        self._db.execute(sql.SHIFT_DEAD, (jump_ns,))
        self._db.execute(sql.SHIFT_DONE, (jump_ns,))
