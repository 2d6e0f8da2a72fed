"""How much of the queue each function holds, and whether it may hold more; none takes another's room."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from relive_platform.triggers.queue import statements as sql
from relive_platform.triggers.queue.model import Clock, Counts, DiskFull, QueueFull, QueueLimits

__all__ = ["DEAD", "LEASED", "READY", "ROW_BYTES", "STATES", "Holding", "Holdings"]

STATES: Final = ("ready", "leased", "dead")
READY, LEASED, DEAD = range(3)
ROW_BYTES: Final = 300  # of an event beside its body and detail: the other columns and the indexes
FEW_ROWS: Final = 20_000
"""So many are counted at each start, whatever is kept."""
_LOOK_AFTER_BYTES: Final = 1024 * 1024
_LOOK_AFTER_NS: Final = 200_000_000


@dataclass(slots=True)
class Holding:
    """One function's events by state, their bytes by state, and what is remembered of finished ones."""

    events: list[int] = field(default_factory=lambda: [0, 0, 0])
    bytes: list[int] = field(default_factory=lambda: [0, 0, 0])
    done: int = 0
    done_bytes: int = 0

    @property
    def live(self) -> int:
        """Events that wait or run."""
        return self.events[READY] + self.events[LEASED]

    @property
    def live_bytes(self) -> int:
        """Their bytes."""
        return self.bytes[READY] + self.bytes[LEASED]

    @property
    def all_bytes(self) -> int:
        """Everything it has on the disk."""
        return sum(self.bytes) + self.done_bytes + self.done * ROW_BYTES

    @property
    def empty(self) -> bool:
        """Nothing is kept of this function."""
        return not (self.done or any(self.events))


class Holdings:
    """All functions' holdings, kept beside the tables. `free_bytes` looks at the disk."""

    def __init__(
        self, db: sqlite3.Connection, clock: Clock, limits: QueueLimits, free_bytes: Callable[[], int]
    ) -> None:
        self._db = db
        self._clock = clock
        self._limits = limits
        self._free_bytes = free_bytes
        self._free = self._grown = self._looked_ns = 0
        self._held: dict[str, Holding] = {}
        self._changed: set[str] = set()  # since `keep`
        self._anew = False  # all of it has been counted
        self._kept = True
        self.made_ready = False  # since the listener was last told

    def open(self) -> None:
        """Make the tables of counts. On a disk that is too full for it, rows are counted at each start."""
        try:
            self._db.executescript(sql.HOLDINGS)
        except sqlite3.OperationalError:
            self._kept = False

    def load(self) -> None:
        """Read the counts that are kept; count the rows if there are few, or none are kept of them."""
        self._held = {}
        self._changed.clear()
        for function, *numbers in self._db.execute(sql.HELD_BY_ALL) if self._kept else ():
            self._held[function] = Holding(numbers[0:3], numbers[3:6], *numbers[6:8])
        if sum(sum(holding.events) + holding.done for holding in self._held.values()) < FEW_ROWS:
            self._count()
        self._looked_ns = 0
        self.made_ready = any(holding.events[READY] for holding in self._held.values())

    def _count(self) -> None:
        self._held = {}
        self._anew = True
        for function, state, count, size in self._db.execute(sql.COUNTS):
            holding = self.of(function)
            holding.events[state] = count
            holding.bytes[state] = size + count * ROW_BYTES
        for function, count, size in self._db.execute(sql.COUNTS_DONE):
            holding = self.of(function)
            holding.done, holding.done_bytes = count, size

    def keep(self) -> None:
        """Write down what has changed, in the transaction that has changed it."""
        if not self._kept or not (self._changed or self._anew):
            return
        if self._anew:
            self._db.execute(sql.UNHOLD_ALL)
            self._changed |= self._held.keys()
        for function in self._changed:
            holding = self._held.get(function)
            if holding is None:
                self._db.execute(sql.UNHOLD, (function,))
                continue
            counts = (*holding.events, *holding.bytes, holding.done, holding.done_bytes)
            self._db.execute(sql.HOLD, (function, *counts))
        self._db.execute(sql.COUNTED_TO)
        self._changed.clear()
        self._anew = False

    def release_all(self) -> bool:
        """Nothing is leased any more. Whether something was."""
        found = [function for function, holding in self._held.items() if holding.events[LEASED]]
        for function in found:
            holding = self.of(function)
            for numbers in (holding.events, holding.bytes):
                numbers[READY] += numbers[LEASED]
                numbers[LEASED] = 0
            self.made_ready = True
        return bool(found)

    def look(self, function: str) -> Holding:
        """What a function holds; not to be changed: what is only looked at is not written down again."""
        return self._held.get(function) or Holding()

    def of(self, function: str) -> Holding:
        """What a function holds; to be changed by this module and `keeping` alone."""
        self._changed.add(function)
        holding = self._held.get(function)
        if holding is None:
            holding = self._held[function] = Holding()
        return holding

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._held))

    def with_ready(self) -> list[str]:
        """The functions that have ready events, by name."""
        return sorted(name for name, holding in self._held.items() if holding.events[READY] > 0)

    def any_live(self) -> bool:
        """Whether any event waits or runs."""
        return any(holding.live for holding in self._held.values())

    def leased(self, function: str) -> int:
        """How many of a function's events are being delivered."""
        return self.look(function).events[LEASED]

    def move(self, function: str, before: int | None, after: int | None, size: int) -> None:
        """An event of `size` bytes (body and detail) went from one state to another; None: in or out."""
        holding = self.of(function)
        size += ROW_BYTES
        if before is not None:
            holding.events[before] -= 1
            holding.bytes[before] -= size
        if after is not None:
            holding.events[after] += 1
            holding.bytes[after] += size
            self.made_ready |= after == READY
        self.tidy(function)

    def tidy(self, function: str) -> None:
        """Forget a function that has nothing here any more."""
        holding = self._held.get(function)
        if holding is not None and holding.empty:
            self._changed.add(function)
            del self._held[function]

    def admit(self, function: str, size: int) -> None:
        """Whether one more event of `size` bytes may come in. Raises QueueFull, DiskFull."""
        holding = self.look(function)
        hint = f"discard what should not run (`relive events discard --all --function {function}"
        hint += " --state ready`), or raise "
        if holding.live >= self._limits.events:
            message = f"{holding.live:,} events of {function} wait or run, its limit"
            raise QueueFull(message, hint=f"{hint}RELIVE_QUEUE_EVENTS")
        if holding.live_bytes + size > self._limits.event_bytes:
            message = (
                f"events of {function} hold {holding.live_bytes:,} of {self._limits.event_bytes:,} bytes"
            )
            raise QueueFull(message, hint=f"{hint}RELIVE_QUEUE_BYTES")
        # Of a small disk a function gets as much as it leaves to the others.
        held, free = sum(holding.bytes), self.free(size)
        if held + size > free:
            message = f"events of {function} hold {held:,} bytes, and the disk has {max(free, 0):,} left"
            raise DiskFull(message, hint="free disk space; events that were accepted are safe")

    def free(self, size: int) -> int:
        """What the disk has left after `size` more bytes; it is not asked for each small event."""
        now_ns = self._clock.monotonic_ns()
        stale = not self._looked_ns or now_ns - self._looked_ns > _LOOK_AFTER_NS
        if stale or self._grown > _LOOK_AFTER_BYTES:
            self._free, self._grown, self._looked_ns = self._free_bytes(), 0, now_ns
        self._grown += size + ROW_BYTES
        return self._free - self._grown

    def counts(self) -> Counts:
        """How many events are where."""
        held = self._held
        by_function = {
            name: (h.events[READY], h.events[LEASED], h.events[DEAD])
            for name, h in held.items()
            if any(h.events)
        }
        ready, leased, dead = (sum(counts[state] for counts in by_function.values()) for state in range(3))
        return Counts(
            ready,
            leased,
            dead,
            by_function,
            done=sum(h.done for h in held.values()),
            event_bytes=sum(h.all_bytes for h in held.values()),
            dead_dropped=dict(self._db.execute(sql.DROPPED).fetchall()),
        )
