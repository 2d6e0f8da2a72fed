"""The event queue as the rest of the platform uses it."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path

from relive_platform.durable.committer import Committer
from relive_platform.durable.model import CommitLimits
from relive_platform.triggers.queue import statements as sql
from relive_platform.triggers.queue.backoff import Backoff
from relive_platform.triggers.queue.holdings import STATES
from relive_platform.triggers.queue.intake import Intake, Known, Taken
from relive_platform.triggers.queue.model import (
    Clock,
    Counts,
    EventRow,
    FailOutcome,
    Lease,
    QueuedEvent,
    QueueLimits,
    Receipt,
    SystemClock,
)
from relive_platform.triggers.queue.table import EventTable

__all__ = ["EventQueue"]

_MAX_LISTED = 10_000


class EventQueue:
    """Durable events in one SQLite file. Every method may be called from any thread and never blocks.

    Each returns a `concurrent.futures.Future` that ends after the commit which makes its outcome durable;
    wait for it with `asyncio.wrap_future` or `.result()`. Delivery is at least once.
    """

    def __init__(
        self,
        path: str | Path,
        clock: Clock | None = None,
        *,
        limits: QueueLimits | None = None,
        backoff: Backoff | None = None,
        draw: random.Random | None = None,
        on_ready: Callable[[], None] = lambda: None,
    ) -> None:
        """Open or create the file; leases of a process before become ready. Raises QueueError.

        `on_ready` is called, in the queue's thread, after each commit that made events ready: keep it short.
        """
        self._clock = clock or SystemClock()
        self._limits = limits or QueueLimits()
        self._on_ready = on_ready
        commits = CommitLimits(backlog=self._limits.backlog, ballast_bytes=self._limits.ballast_bytes)
        self._committer = Committer(Path(path), self._clock, commits)
        db = self._committer.db
        self._table = EventTable(
            db,
            self._clock,
            self._limits,
            backoff or Backoff(),
            draw or random.Random(random.SystemRandom().random()),
            self._committer.free_bytes,
        )
        self._intake = Intake(db)
        self._committer.prepare(self._open)
        self._committer.reload = self._table.reload
        self._committer.before_commit = self._table.holdings.keep
        self._committer.committed = self._committed
        self._committer.tidy = self._table.tidy
        self._committer.idle = lambda: not self._table.holdings.any_live()
        self._committer.start()

    def _open(self) -> None:
        self._committer.space.open()
        self._committer.db.executescript(sql.SCHEMA)
        self._intake.open()
        self._table.recover()

    def _committed(self) -> None:
        if self._table.holdings.made_ready:
            self._table.holdings.made_ready = False
            self._on_ready()

    def copy(self, target: Path, limit_s: float, wanted: Callable[[], bool]) -> Future[None]:
        """The queue's file as it is at one moment, as `target`; see Committer."""
        return self._committer.copy(target, limit_s, wanted)

    def on_death(self, then: Callable[[QueuedEvent, int, str, bool], QueuedEvent | None]) -> None:
        """What is published in the commit that makes an event a dead one: given the event, its attempts, the
        last error, and whether it is dead of its age. Called in the queue's thread: keep it short."""
        self._table.then = then

    @property
    def then_refused(self) -> int:
        """How many events that were to follow the end of others found no room."""
        return self._table.then_refused

    @property
    def disk_full(self) -> bool:
        """Whether the disk is full, so that events are refused."""
        return self._committer.disk_full

    def publish(
        self, event: QueuedEvent, *, mark: tuple[str, int] | None = None, taken: Taken | None = None
    ) -> Future[Receipt]:
        """Accept an event. `mark`: (timer's key, the firing's time in ns), moved in the same commit; `taken`:
        the records that it consists of, written down in it.

        Fails with Conflict (409), QueueFull or QueueBusy (429), DiskFull (507).
        """

        def run() -> Receipt:
            receipt = self._table.publish(event, mark)
            if taken is not None:
                self._intake.take(taken)
            return receipt

        return self._committer.submit(run, adds_to=event.function)

    def taken(self, trigger: str) -> Future[list[str]]:
        """Positions of records that are events here, and may not be acknowledged at their source yet."""
        return self._committer.submit(lambda: self._intake.taken(trigger))

    def waiting(self, function: str, prefix: str) -> Future[int]:
        """How many events of a function whose ids begin with `prefix` wait or run."""
        return self._committer.submit(lambda: self._intake.waiting(function, prefix))

    def known_triggers(self) -> Future[list[Known]]:
        """The triggers that have ever taken records, and may hold something at their source."""
        return self._committer.submit(self._intake.known)

    def know_trigger(self, known: Known) -> Future[None]:
        """Remember a trigger beyond its function's service."""
        return self._committer.submit(lambda: self._intake.know(known))

    def forget_trigger(self, trigger: str) -> Future[None]:
        """It holds nothing at its source any more."""
        return self._committer.submit(lambda: self._intake.forget(trigger))

    def lease(
        self, limit: int, in_flight: Mapping[str, int] | None = None, others: int | None = None
    ) -> Future[list[Lease]]:
        """Up to `limit` due events, functions by turns. No function gets more than `in_flight[function]`
        (or `others`; None: no limit) leases at once, those it holds already included."""
        held = dict(in_flight or {})
        return self._committer.submit(lambda: self._table.lease(limit, held, others))

    def extend(self, lease: Lease, seconds: float | None = None) -> Future[None]:
        """A heartbeat: the lease lasts `seconds` (RELIVE_LEASE_S) from now. Fails with StaleLease."""
        return self._committer.submit(lambda: self._table.extend(lease, seconds))

    def complete(
        self,
        lease: Lease,
        *,
        invocation_id: str = "",
        result: bytes | None = None,
        then: QueuedEvent | None = None,
    ) -> Future[None]:
        """The event is done; `result` answers duplicates of it, `then` is published in the same commit. Fails
        with StaleLease.

        No limit refuses it; if the disk is full, the result is left out.
        """

        def run() -> None:
            kept = None if self._committer.disk_full else result
            self._table.complete(lease, invocation_id, kept, then)

        return self._committer.submit(run)

    def fail(
        self, lease: Lease, error: str, retry_at_ns: int | None = None, *, retry: bool = True
    ) -> Future[FailOutcome]:
        """The delivery failed: again at `retry_at_ns` (None: by backoff), or dead when retries or age are
        used up or `retry` is False. Fails with StaleLease."""
        return self._committer.submit(lambda: self._table.fail(lease, error, retry_at_ns, retry))

    def release(self, lease: Lease) -> Future[None]:
        """Give back an event that never reached a worker; no attempt is counted. Fails with StaleLease."""
        return self._committer.submit(lambda: self._table.release(lease))

    def expire(self) -> Future[int]:
        """Take back leases that ran out (`lease` does it too). Gives how many."""
        return self._committer.submit(self._table.expire)

    def next_due_ns(self) -> Future[int | None]:
        """When the next ready event is due, ns since the epoch; None without one."""
        return self._committer.submit(self._table.next_due_ns)

    def next_expiry_monotonic_ns(self) -> Future[int | None]:
        """When the next lease runs out, on the monotonic clock; None without one."""
        return self._committer.submit(self._table.next_expiry_monotonic_ns)

    def retry(self, event_id: str, function: str = "") -> Future[QueuedEvent]:
        """Make a dead or waiting event due now, with all its attempts, and give it: it may be done before
        anybody could ask for it. `event_id` may be abbreviated.

        Fails with UnknownEvent, or with Conflict while it is being delivered.
        """
        return self._committer.submit(lambda: self._table.desk.retry(event_id, function))

    def discard(self, event_id: str, function: str = "") -> Future[str]:
        """Remove a dead or waiting event. Fails with UnknownEvent, or with Conflict while it is leased."""
        return self._committer.submit(lambda: self._table.desk.discard(event_id, function))

    def retry_dead(self, function: str = "", *, until_ns: int = 0, count: int = 1_000) -> Future[int]:
        """Make up to `count` dead events due now, of one function or of all; those that died up to `until_ns`
        (0: now). Gives how many."""
        until = until_ns or self._clock.time_ns()
        return self._committer.submit(
            lambda: self._each(
                function, count, lambda name, left: self._table.keeping.revive(name, until, left)
            )
        )

    def discard_all(
        self, state: str, function: str = "", *, until_ns: int = 0, count: int = 1_000
    ) -> Future[int]:
        """Remove up to `count` events in `state`: "dead", "ready", or "done" (what is remembered of them).

        Of one function or of all; those of up to `until_ns` (0: now). Gives how many.
        """
        if state not in ("dead", "ready", "done"):
            raise ValueError(f"events in the state {state!r} cannot be discarded")
        until, keeping = until_ns or self._clock.time_ns(), self._table.keeping

        def discard(name: str, left: int) -> int:
            if state == "done":
                return keeping.forget_done(name, until, left)
            return keeping.discard(name, STATES.index(state), until, left)

        return self._committer.submit(lambda: self._each(function, count, discard))

    def _each(self, function: str, count: int, work: Callable[[str, int], int]) -> int:
        """Of one function, or of all until there are `count`."""
        done = 0
        for name in [function] if function else self._table.holdings:
            if done < count:
                done += work(name, count - done)
                self._table.holdings.tidy(name)
        return done

    def tidy(self) -> Future[bool]:
        """Drop some of what is too old or too much, as happens by itself, too. Whether there is more."""
        return self._committer.submit(self._table.tidy)

    def file_bytes(self) -> Future[tuple[int, int]]:
        """Size of the file, and what of it is unused and will be given back or used again."""
        space = self._committer.space
        return self._committer.submit(lambda: (space.file_bytes(), space.spare_bytes()))

    def get(self, event_id: str, function: str = "") -> Future[tuple[QueuedEvent, int]]:
        """An event that is not done, and its attempts so far. Fails with UnknownEvent."""
        return self._committer.submit(lambda: self._table.desk.get(event_id, function))

    def look(self, event_id: str, function: str) -> Future[tuple[EventRow, bytes | None]]:
        """Where one event is, by its whole id; "done" with its result while that is remembered
        (RELIVE_DONE_KEEP_S). Fails with UnknownEvent."""
        return self._committer.submit(lambda: self._table.desk.look(event_id, function))

    def list(self, state: str = "", function: str = "", limit: int = 256) -> Future[list[EventRow]]:
        """Events, newest first. `state`: ready, leased, dead or "" for all; ValueError for another one."""
        if state and state not in STATES:
            raise ValueError(f"the state {state!r} is none of {', '.join(STATES)}")
        count = min(limit, _MAX_LISTED)
        return self._committer.submit(lambda: self._table.desk.rows(state, function, count))

    def counts(self) -> Future[Counts]:
        """How many events are ready, leased and dead."""
        return self._committer.submit(self._table.holdings.counts)

    def holders(self) -> Future[tuple[str, ...]]:
        """The functions of which anything is kept here."""
        return self._committer.submit(lambda: tuple(self._table.holdings))

    def marks(self) -> Future[dict[str, int]]:
        """Each timer's last firing, ns since the epoch."""
        return self._committer.submit(self._table.marks)

    def mark(self, key: str, value_ns: int) -> Future[None]:
        """Move a timer's mark without an event."""
        return self._committer.submit(lambda: self._table.mark(key, value_ns))

    def unmark(self, key: str) -> Future[None]:
        """Forget a timer."""
        return self._committer.submit(lambda: self._table.unmark(key))

    def close(self, timeout_s: float = 10.0) -> None:
        """Work off what waits and close the file; leases stay and become ready at the next start."""
        self._committer.close(timeout_s)
