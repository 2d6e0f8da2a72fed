"""What is kept of a function beside its versions: aliases, and what APIs want to have remembered of it."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from relive_platform.registry.storage import RegistryError

__all__ = ["Notes"]

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS notes (
    kind TEXT NOT NULL,         -- "alias", "tags", ...
    subject TEXT NOT NULL,      -- a function's name, or a layer's
    key TEXT NOT NULL,          -- within that; "" if there is but one
    document BLOB NOT NULL,     -- JSON
    PRIMARY KEY (kind, subject, key)
) WITHOUT ROWID;
"""
_PUT: Final = (
    "INSERT INTO notes VALUES (?, ?, ?, ?)"
    " ON CONFLICT (kind, subject, key) DO UPDATE SET document = excluded.document"
)
_ONE: Final = "SELECT document FROM notes WHERE kind = ? AND subject = ? AND key = ?"
_OF: Final = "SELECT key, document FROM notes WHERE kind = ? AND subject = ? ORDER BY key"
_ALL: Final = "SELECT subject, key, document FROM notes WHERE kind = ? ORDER BY subject, key"
_DROP: Final = "DELETE FROM notes WHERE kind = ? AND subject = ? AND key = ?"
_FORGET: Final = (
    "DELETE FROM notes WHERE subject = ?"
    " AND kind NOT IN ('layer', 'layer-count', 'layer-policy', 'mapping', 'mapping-tags')"
)


class Notes:
    """A table in the registry's file. Every method may be called from any thread."""

    def __init__(self, home: Path) -> None:
        self._lock = threading.Lock()
        path = home / "registry.db"
        try:
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.executescript(_SCHEMA)
        except sqlite3.Error as error:
            raise RegistryError(f"it cannot be opened: {error}", where=str(path)) from error

    def put(self, kind: str, subject: str, key: str, document: dict[str, Any]) -> None:
        """Write one; it takes the place of the one before. It is on the disk when this returns."""
        self._write(_PUT, kind, subject, key, msgspec.json.encode(document))

    def get(self, kind: str, subject: str, key: str = "") -> dict[str, Any] | None:
        """One, or None."""
        rows = self._read(_ONE, kind, subject, key)
        return msgspec.json.decode(rows[0][0]) if rows else None

    def of(self, kind: str, subject: str) -> dict[str, dict[str, Any]]:
        """All of a kind that a function has, by key."""
        return {key: msgspec.json.decode(document) for key, document in self._read(_OF, kind, subject)}

    def all(self, kind: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """All of a kind: subject, key, document."""
        for subject, key, document in self._read(_ALL, kind):
            yield subject, key, msgspec.json.decode(document)

    def drop(self, kind: str, subject: str, key: str = "") -> bool:
        """Remove one. Whether it was there."""
        return self._write(_DROP, kind, subject, key) > 0

    def forget(self, function: str) -> None:
        """Remove all that a function has."""
        self._write(_FORGET, function)

    def _read(self, sql: str, *values: object) -> list[Any]:
        with self._lock:
            return self._db.execute(sql, values).fetchall()

    def _write(self, sql: str, *values: object) -> int:
        with self._lock:
            try:
                return self._db.execute(sql, values).rowcount
            except sqlite3.Error as error:
                raise RegistryError(f"it cannot be written: {error}", where="registry.db") from error

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()
