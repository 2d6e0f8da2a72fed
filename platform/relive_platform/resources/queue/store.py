"""The queues' file: opened, looked after, and what is asked of queues as a whole. Not thread-safe: the
committer's thread alone calls it."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

import msgspec

from relive_platform.durable.model import Clock
from relive_platform.durable.totals import keep_totals
from relive_platform.resources.queue import statements as sql
from relive_platform.resources.queue.messages import MessageTable
from relive_platform.resources.queue.model import (
    MessageLimits,
    PurgeTooOften,
    QueueCounts,
    QueueExists,
    QueueFull,
    QueueInfo,
)
from relive_platform.resources.queue.moves import MoveRows
from relive_platform.resources.queue.receipts import Receipts
from relive_platform.resources.queue.shelf import Shelf

__all__ = ["QueueStore"]

_NS: Final = 1_000_000_000
_JUMP_NS: Final = 2 * _NS  # a wall clock that moved this far against the monotonic one was set
_KEY_BYTES: Final = 32
_PURGE_NS: Final = 60 * _NS
_IN_ONE_STEP: Final = 500


class QueueStore:
    """All queues and their messages."""

    def __init__(
        self, db: sqlite3.Connection, clock: Clock, limits: MessageLimits, free_bytes: Callable[[], int]
    ) -> None:
        self._db = db
        self._clock = clock
        self._limits = limits
        self.shelf = Shelf(db, clock, limits, free_bytes)
        self._offset_ns = clock.time_ns() - clock.monotonic_ns()

    def open(self) -> None:
        """Make the tables; what a trigger of the server before held can be received again."""
        self._db.executescript(sql.SCHEMA)
        keep_totals(self._db, "totals", sql.KEEP_TOTALS)
        row = self._db.execute(sql.KEY, ("receipts",)).fetchone()
        key = row[0] if row is not None else secrets.token_bytes(_KEY_BYTES)
        if row is None:
            self._db.execute(sql.ADD_KEY, ("receipts", key))
        self.shelf.load()
        now_ns = self._clock.time_ns()
        for queue in self.shelf:
            self._db.execute(sql.RELEASE_OURS, (now_ns, queue.id, now_ns))
        self.messages = MessageTable(self._db, self._clock, self._limits, self.shelf, Receipts(key))
        self.moves = MoveRows(self._db, self._clock, self.shelf, self.messages)

    # ------------------------------------------------------------ queues

    def create(self, wanted: QueueInfo, same: Collection[str]) -> QueueInfo:
        """A new queue, or the one of that name if it is the `same` in these fields. Raises QueueExists,
        QueueFull."""
        found = self.shelf.find(wanted.name)
        if found is not None:
            for name in same:
                if getattr(found.info, name) != getattr(wanted, name):
                    raise QueueExists(
                        f"the queue {wanted.name} exists with another {name}",
                        hint="set its attributes, or delete it first",
                        field=name,
                    )
            return found.info
        count = sum(queue.info.app == wanted.app for queue in self.shelf)  # none takes another's room
        if count >= self._limits.queues:
            raise QueueFull(
                f"there are {count:,} queues of one owner, as many as may be",
                hint="delete some, or raise RELIVE_MESSAGE_QUEUES",
            )
        now_ns = self._clock.time_ns()
        info = msgspec.structs.replace(wanted, created_ns=now_ns, modified_ns=now_ns)
        return self.shelf.put(info).info

    def change(self, name: str, change: Callable[[QueueInfo], QueueInfo]) -> QueueInfo:
        """Set some of a queue's attributes. Raises UnknownQueue, and what `change` raises."""
        queue = self.shelf.get(name)
        info = msgspec.structs.replace(change(queue.info), modified_ns=self._clock.time_ns())
        self.shelf.put(info)
        self.shelf.ready.add(name)
        return info

    def declare(self, wanted: QueueInfo) -> None:
        """What relive.toml says of a queue: made, or changed if it says something else than before."""
        found = self.shelf.find(wanted.name)
        if found is None:
            now_ns = self._clock.time_ns()
            self.shelf.put(msgspec.structs.replace(wanted, created_ns=now_ns, modified_ns=now_ns))
        elif found.info.wanted != wanted.wanted:
            old = found.info
            info = msgspec.structs.replace(
                wanted, created_ns=old.created_ns, modified_ns=self._clock.time_ns(), purged_ns=old.purged_ns,
                tags=old.tags, stored=old.stored,
            )  # fmt: skip
            self.shelf.put(info)
        elif not found.info.declared or (found.info.app, found.info.resource) != (
            wanted.app,
            wanted.resource,
        ):
            mine = {"declared": True, "app": wanted.app, "resource": wanted.resource}
            self.shelf.put(msgspec.structs.replace(found.info, **mine))
        self.shelf.ready.add(wanted.name)

    def undeclare(self, names: frozenset[str]) -> None:
        """Of all that were declared, only these still are."""
        for queue in self.shelf:
            if queue.info.declared and queue.info.name not in names:
                self.shelf.put(msgspec.structs.replace(queue.info, declared=False))

    def delete(self, name: str) -> None:
        """A queue with all in it. Raises UnknownQueue."""
        self.shelf.drop(self.shelf.get(name))

    def begin_purge(self, name: str, *, often: bool) -> int:
        """The last message that there is now. Raises UnknownQueue, PurgeTooOften."""
        queue = self.shelf.get(name)
        now_ns = self._clock.time_ns()
        if not often and now_ns - queue.info.purged_ns < _PURGE_NS:
            raise PurgeTooOften(f"the queue {name} was purged within the last 60 seconds")
        self.shelf.put(msgspec.structs.replace(queue.info, purged_ns=now_ns))
        self._db.execute(sql.FORGET_SENT_OF, (queue.id,))
        last: int = self._db.execute(sql.LAST).fetchone()[0]
        return last

    def infos(self) -> list[QueueInfo]:
        """All queues, by name."""
        return sorted((queue.info for queue in self.shelf), key=lambda info: info.name)

    def counts(self, name: str) -> QueueCounts:
        """How much is in a queue. Raises UnknownQueue."""
        queue = self.shelf.get(name)
        now_ns = self._clock.time_ns()
        in_flight, delayed = self.messages.hidden(queue, now_ns)
        row = self._db.execute(sql.OLDEST, (queue.id, now_ns)).fetchone()
        sent_ns, due_ns = row or (now_ns, now_ns)
        tally: Mapping[str, Any] = queue.tally
        return QueueCounts(
            visible=max(queue.count - in_flight - delayed, 0),
            in_flight=in_flight,
            delayed=delayed,
            bytes=queue.bytes,
            oldest_s=max(now_ns - sent_ns, 0) / _NS,
            lag_s=max(now_ns - due_ns, 0) / _NS,
            **tally,
        )

    # ------------------------------------------------------------ looking after it

    def tidy(self) -> bool:
        """Delete some of what is too old, or of queues that are gone. Whether there is more."""
        self._follow_clock()
        now_ns = self._clock.time_ns()
        more = False
        for queue in self.shelf:
            if queue.count:
                more |= self.messages.expire(queue, now_ns, _IN_ONE_STEP) == _IN_ONE_STEP
        for queue_id in list(self.shelf.orphans):
            last = (1 << 63) - 1
            rows = self._db.execute(sql.SOME, (queue_id, last, _IN_ONE_STEP)).fetchall()
            self._db.executemany(sql.DELETE, [(row[0],) for row in rows])
            if len(rows) < _IN_ONE_STEP:
                self.shelf.orphans.discard(queue_id)
                self._db.execute(sql.FORGET_TOTAL, (queue_id,))
            more |= bool(self.shelf.orphans)
        forgotten = self._db.execute(sql.FORGET_SENT, (now_ns, _IN_ONE_STEP)).rowcount
        return more or forgotten == _IN_ONE_STEP

    def idle(self) -> bool:
        """Whether no queue holds a message."""
        return not any(queue.count for queue in self.shelf)

    def _follow_clock(self) -> None:
        """When the wall clock was set, waits and ages move with it: they were meant as durations."""
        offset_ns = self._clock.time_ns() - self._clock.monotonic_ns()
        jump_ns = offset_ns - self._offset_ns
        if abs(jump_ns) >= _JUMP_NS:
            self._offset_ns = offset_ns
            self._db.execute(sql.SHIFT, (jump_ns, jump_ns))
