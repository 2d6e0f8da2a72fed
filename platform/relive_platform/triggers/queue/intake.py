"""Which records of other people's servers are events here already: what a source sends again after a crash,
between our commit and its acknowledgement, is not taken twice."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Final

__all__ = ["Intake", "Known", "Taken"]

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS taken (
    trigger TEXT NOT NULL,
    position TEXT NOT NULL,         -- of a record that its source may send again
    PRIMARY KEY (trigger, position)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS pulled (
    trigger TEXT PRIMARY KEY,
    function TEXT NOT NULL,
    kind TEXT NOT NULL,
    detail TEXT NOT NULL            -- JSON: where it is, and what it holds there; no secret
) WITHOUT ROWID;
"""
TAKEN: Final = "SELECT position FROM taken WHERE trigger = ?"
ADD: Final = "INSERT OR IGNORE INTO taken VALUES (?, ?)"
DROP: Final = "DELETE FROM taken WHERE trigger = ? AND position = ?"
DROP_ALL: Final = "DELETE FROM taken WHERE trigger = ?"
WAITING: Final = (
    "SELECT count(*) FROM events WHERE function = ? AND id >= ? AND id < ? AND state < 2"  # ready, leased
)
KNOW: Final = "INSERT OR REPLACE INTO pulled VALUES (?, ?, ?, ?)"
KNOWN: Final = "SELECT trigger, function, kind, detail FROM pulled ORDER BY trigger"
FORGET: Final = "DELETE FROM pulled WHERE trigger = ?"
_AFTER: Final = "\U0010ffff"


@dataclass(frozen=True, slots=True)
class Taken:
    """Records that became an event, and those before that their source has been told of since."""

    trigger: str
    add: tuple[str, ...]
    drop: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Known:
    """A trigger that pulls. It may hold something at its source when its function is long gone."""

    trigger: str
    function: str
    kind: str
    detail: str


class Intake:
    """Not thread-safe: the committer's thread alone calls it, within its transactions."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def open(self) -> None:
        """Make the tables."""
        self._db.executescript(SCHEMA)

    def take(self, taken: Taken) -> None:
        """Write down what an event of the same commit consists of."""
        self._db.executemany(DROP, ((taken.trigger, position) for position in taken.drop))
        self._db.executemany(ADD, ((taken.trigger, position) for position in taken.add))

    def taken(self, trigger: str) -> list[str]:
        """Positions that may come again."""
        return [position for (position,) in self._db.execute(TAKEN, (trigger,))]

    def waiting(self, function: str, prefix: str) -> int:
        """Events that wait or run, by the beginning of their ids."""
        found: int = self._db.execute(WAITING, (function, prefix, prefix + _AFTER)).fetchone()[0]
        return found

    def know(self, known: Known) -> None:
        """Remember a trigger."""
        self._db.execute(KNOW, (known.trigger, known.function, known.kind, known.detail))

    def known(self) -> list[Known]:
        """All that are remembered."""
        return [Known(*row) for row in self._db.execute(KNOWN)]

    def forget(self, trigger: str) -> None:
        """It is over, and so is what it took."""
        self._db.execute(FORGET, (trigger,))
        self._db.execute(DROP_ALL, (trigger,))
