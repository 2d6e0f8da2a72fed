"""What a migration computes of rows that are there already: in pieces of time, so that none takes long.

A statement with the parameters `begin` and `end` (ns) is run for each day that its source has. What is done
is written down: a migration that was cut off goes on where it was.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Sequence
from typing import Final

from relive_store.errors import QueryError, QueryTimeout
from relive_store.interface import Store

__all__ = ["Backfill", "is_backfill"]

_log = logging.getLogger(__name__)
PIECE_S: Final = 60.0
"""A piece that takes longer is halved."""
_MINUTE_NS: Final = 60 * 10**9
_DAY_NS: Final = 1_440 * _MINUTE_NS
_MARK: Final = "{begin:Int64}"
_INTO: Final = re.compile(r"INSERT INTO (\w+)\s+SELECT\s.+?\sFROM\s+(\w+)\s", re.DOTALL)
_TRUNCATE: Final = re.compile(r"TRUNCATE TABLE (\w+)")

_BOOK: Final = """
CREATE TABLE IF NOT EXISTS schema_pieces
(Version UInt32, Begin Int64, End Int64, Newest UInt64, DoneAt DateTime64(9))
ENGINE = MergeTree ORDER BY (Version, Begin)
"""
_CLOSE: Final = "DROP TABLE IF EXISTS schema_pieces"
_DONE: Final = "SELECT Begin, End, Newest FROM schema_pieces WHERE Version = {version:UInt32}"
_FORGET: Final = "TRUNCATE TABLE schema_pieces"
_DAYS: Final = {
    "invocations": """
SELECT intDiv(toUnixTimestamp64Nano(StartedAt), 86400000000000) * 86400000000000 AS Begin, max(RecordVersion)
FROM invocations GROUP BY Begin ORDER BY Begin
"""
}
"""The days that a source has, and what is newest in each: if that changes, somebody has written meanwhile."""
_HAS: Final = {
    "invocations_1m": """
SELECT count() FROM invocations_1m WHERE Minute >= toDateTime(intDiv({begin:Int64}, 1000000000))
    AND Minute < toDateTime(intDiv({end:Int64}, 1000000000))
"""
}
_CLEAR: Final = {
    "invocations_1m": """
ALTER TABLE invocations_1m DELETE WHERE Minute >= toDateTime(intDiv({begin:Int64}, 1000000000))
    AND Minute < toDateTime(intDiv({end:Int64}, 1000000000)) SETTINGS mutations_sync = 1
"""
}


def is_backfill(statement: str) -> bool:
    """Whether it is run in pieces."""
    return _MARK in statement


class Backfill:
    """Of one migration, the number of which is `version`."""

    def __init__(
        self, store: Store, version: int, statements: Sequence[str], *, piece_s: float = PIECE_S
    ) -> None:
        self._store = store
        self._version = version
        self._piece_s = piece_s
        self._done: dict[tuple[int, int], int] = {}
        self._days: list[tuple[int, int]] = []
        self._fills = [statement for statement in statements if is_backfill(statement)]
        if self._fills:
            self._open()

    def _open(self) -> None:
        self._store.execute(_BOOK)
        source = _tables(self._fills[0])[1]
        self._days = [(begin, newest) for begin, newest in _rows(self._store, _DAYS[source])]
        found = _rows(self._store, _DONE, version=self._version)
        done = {(begin, end): newest for begin, end, newest in found}
        newest = dict(self._days)
        if all(newest.get(begin // _DAY_NS * _DAY_NS) == mark for (begin, _), mark in done.items()):
            self._done = done
        else:
            self._store.execute(_FORGET)

    def skips(self, statement: str) -> bool:
        """Whether it would throw away what is done."""
        return bool(self._done) and _TRUNCATE.fullmatch(statement) is not None

    def run(self, statement: str) -> None:
        """All pieces that are not done yet. Raises StoreError."""
        resumed = bool(self._done)
        target = _tables(statement)[0]
        for number, (begin, newest) in enumerate(self._days, 1):
            if (begin, begin + _DAY_NS) in self._done:
                continue
            began = time.monotonic()
            self._piece(statement, begin, begin + _DAY_NS, newest, clear=resumed)
            # Nobody configures the log of the store's process: what is less than a warning is not seen.
            _log.warning(
                "migration %04d: %s of %s is done, day %d of %d, in %.1f s",
                self._version,
                target,
                time.strftime("%Y-%m-%d", time.gmtime(begin // 10**9)),
                number,
                len(self._days),
                time.monotonic() - began,
            )

    def close(self) -> None:
        """The migration is in the book."""
        if self._fills:
            self._store.execute(_CLOSE)

    def _piece(self, statement: str, begin: int, end: int, newest: int, *, clear: bool) -> None:
        if (begin, end) in self._done:
            return
        halves = [(begin, begin + (end - begin) // 2 // _MINUTE_NS * _MINUTE_NS)]
        halves.append((halves[0][1], end))
        if not any(begin <= known and until <= end for known, until in self._done):
            try:
                self._insert(statement, begin, end, clear=clear)
            except QueryTimeout as error:
                if end - begin <= _MINUTE_NS:
                    raise QueryTimeout(
                        f"what one minute holds takes more than {self._piece_s:g} s",
                        where=self._store.url,
                        hint="start again when the machine is less busy: what is done stays done",
                    ) from error
                clear = True
            else:
                self._enter(begin, end, newest)
                return
        for first, last in halves:
            self._piece(statement, first, last, newest, clear=clear)

    def _insert(self, statement: str, begin: int, end: int, *, clear: bool) -> None:
        span: dict[str, object] = {"begin": begin, "end": end}
        target = _tables(statement)[0]
        if clear and self._store.query(_HAS[target], span).scalar():  # it was cut off in the middle
            self._store.execute(_CLEAR[target], span, timeout_s=10 * self._piece_s)
        self._store.execute(statement, span, timeout_s=self._piece_s)

    def _enter(self, begin: int, end: int, newest: int) -> None:
        row = {
            "Version": self._version,
            "Begin": begin,
            "End": end,
            "Newest": newest,
            "DoneAt": time.time_ns(),
        }
        self._store.insert("schema_pieces", {name: [value] for name, value in row.items()})


def _tables(statement: str) -> tuple[str, str]:
    """Where it inserts, and of what."""
    found = _INTO.match(statement)
    if found is None:
        raise QueryError(f"a backfill begins with INSERT INTO ... SELECT ... FROM: {statement[:80]}")
    return found[1], found[2]


def _rows(store: Store, statement: str, **parameters: object) -> list[tuple[int, ...]]:
    return [tuple(int(str(value)) for value in row) for row in store.query(statement, parameters).rows()]
