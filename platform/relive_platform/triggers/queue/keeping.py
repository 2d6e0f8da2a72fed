"""What is kept of events that are over: dead ones, and the ids and results of finished ones.

Each function has quotas of its own, the oldest go first, and nothing here ever refuses an event or its end.
"""

from __future__ import annotations

import sqlite3
from typing import Final

from relive_platform.triggers.queue import statements as sql
from relive_platform.triggers.queue.holdings import DEAD, READY, Holdings
from relive_platform.triggers.queue.model import Clock, QueueLimits

__all__ = ["Keeping"]

_NS: Final = 1_000_000_000
_AT_ONCE: Final = 8  # rows that go with one operation; `tidy` takes what is left
_IN_ONE_STEP: Final = 200  # rows of 256 KB are 50 MB whose pages are freed


class Keeping:
    """Not thread-safe: the committer's thread alone calls it, within its transactions."""

    def __init__(self, db: sqlite3.Connection, clock: Clock, limits: QueueLimits, holdings: Holdings) -> None:
        self._db = db
        self._clock = clock
        self._limits = limits
        self._holdings = holdings

    def finished(
        self, function: str, event_id: str, invocation_id: str, digest: bytes, result: bytes | None
    ) -> None:
        """Remember a finished event, and as much of its result as there is room for."""
        limits = self._limits
        if not limits.done_keep_events:
            return
        if result is not None and len(result) > min(limits.result_bytes, limits.done_keep_bytes):
            result = None
        row = (function, event_id, self._clock.time_ns(), invocation_id, digest, result)
        self._db.execute(sql.FINISH, row)
        holding = self._holdings.of(function)
        holding.done += 1
        holding.done_bytes += len(result or b"")
        self._trim_results(function, _AT_ONCE)
        if holding.done > limits.done_keep_events:
            self._trim_ids(function, _AT_ONCE)

    def died(self, function: str) -> None:
        """One more of a function's events is dead."""
        self._trim_dead(function, _AT_ONCE)

    def tidy(self) -> bool:
        """Remove what is too old or too much, a little at a time. Whether there is more."""
        more = False
        for function in self._holdings:
            # Results go before the ids: a duplicate is still known, without its result.
            done = self._trim_results(function, _IN_ONE_STEP) + self._trim_ids(function, _IN_ONE_STEP)
            dead = self._trim_dead(function, _IN_ONE_STEP)
            more |= done >= _IN_ONE_STEP or dead >= _IN_ONE_STEP
            self._holdings.tidy(function)
        return more

    # ------------------------------------------------------------ finished ones

    def _trim_results(self, function: str, count: int) -> int:
        if not self._holdings.look(function).done_bytes:
            return 0
        # On a small disk they take no more than they leave: they must not keep events out.
        limit = min(self._limits.done_keep_bytes, self._holdings.free(0))
        removed = 0
        if self._holdings.look(function).done_bytes > limit:
            holding = self._holdings.of(function)
            for seq, size in self._db.execute(sql.OLDEST_RESULTS, (function, count)).fetchall():
                if holding.done_bytes <= limit:
                    break
                self._db.execute(sql.FORGET_RESULT, (seq,))
                holding.done_bytes -= size
                removed += 1
        return removed

    def _trim_ids(self, function: str, count: int) -> int:
        holding, limit = self._holdings.look(function), self._limits.done_keep_events
        oldest_ns = self._clock.time_ns() - int(self._limits.done_keep_s * _NS)
        removed = 0
        for seq, size, finished_ns in self._db.execute(sql.OLDEST_DONE, (function, count)).fetchall():
            if holding.done <= limit and finished_ns >= oldest_ns:
                break
            self._forget(function, seq, size)
            removed += 1
        return removed

    def _forget(self, function: str, seq: int, size: int) -> None:
        holding = self._holdings.of(function)
        self._db.execute(sql.FORGET, (seq,))
        holding.done -= 1
        holding.done_bytes -= size
        self._holdings.tidy(function)

    def forget_done(self, function: str, until_ns: int, count: int) -> int:
        """Forget up to `count` of a function's finished events. Gives how many."""
        rows = self._db.execute(sql.DONE_BEFORE, (function, until_ns, count)).fetchall()
        for seq, size in rows:
            self._forget(function, seq, size)
        return len(rows)

    # ------------------------------------------------------------ dead ones

    def _trim_dead(self, function: str, count: int) -> int:
        holding, limits = self._holdings.look(function), self._limits
        oldest_ns = self._clock.time_ns() - int(limits.dead_keep_s * _NS)
        over = holding.events[DEAD] > limits.dead_keep_events or holding.bytes[DEAD] > limits.dead_keep_bytes
        until_ns = (1 << 63) - 1 if over else oldest_ns
        removed = 0
        for seq, died_ns, size in self._dead(function, until_ns, count):
            fits = (
                holding.events[DEAD] <= limits.dead_keep_events
                and holding.bytes[DEAD] <= limits.dead_keep_bytes
            )
            if fits and died_ns > oldest_ns:
                break
            self._db.execute(sql.DELETE, (seq,))
            self._holdings.move(function, DEAD, None, size)
            removed += 1
        if removed:
            self._db.execute(sql.COUNT_DROPPED, (function, removed))
        return removed

    def _dead(self, function: str, until_ns: int, count: int) -> list[tuple[int, int, int]]:
        return self._db.execute(sql.DEAD_BEFORE, (function, until_ns, count)).fetchall()

    def revive(self, function: str, until_ns: int, count: int) -> int:
        """Make up to `count` dead events due now, with all their attempts. Gives how many."""
        now_ns = self._clock.time_ns()
        rows = self._dead(function, until_ns, count)
        for seq, _, size in rows:
            self._db.execute(sql.REVIVE, (now_ns, now_ns, seq))
            self._holdings.move(function, DEAD, READY, size)
        return len(rows)

    def discard(self, function: str, state: int, until_ns: int, count: int) -> int:
        """Remove up to `count` of a function's events in `state` (dead or ready). Gives how many."""
        if state == DEAD:
            rows = [(seq, size) for seq, _, size in self._dead(function, until_ns, count)]
        else:
            rows = self._db.execute(sql.READY_BEFORE, (function, until_ns, count)).fetchall()
        for seq, size in rows:
            self._db.execute(sql.DELETE, (seq,))
            self._holdings.move(function, state, None, size)
        return len(rows)
