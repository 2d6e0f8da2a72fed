"""What has been told of each bucket's objects: one SQLite file. A change is marked here after it is durable
elsewhere, so a kill in between tells it again, under the same id."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from relive_base.errors import ReliveError

from relive_platform.durable.copying import copy_database
from relive_platform.resources.bucket.objects import Identity

__all__ = ["JournalFailed", "ObjectJournal"]

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS buckets (
    name TEXT PRIMARY KEY,
    path TEXT NOT NULL,
    app TEXT NOT NULL,
    since_ns INTEGER NOT NULL      -- what was there before is not told
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS objects (
    bucket TEXT NOT NULL,
    key BLOB NOT NULL,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    inode INTEGER NOT NULL,
    PRIMARY KEY (bucket, key)
) WITHOUT ROWID;
"""
_BUCKETS: Final = "SELECT name, path, app, since_ns FROM buckets"
_SET_BUCKET: Final = "INSERT OR REPLACE INTO buckets VALUES (?, ?, ?, ?)"
_DROP_BUCKET: Final = "DELETE FROM buckets WHERE name = ?"
_OBJECTS: Final = "SELECT key, size, mtime_ns, inode FROM objects WHERE bucket = ?"
_SET: Final = "INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?, ?)"
_DROP: Final = "DELETE FROM objects WHERE bucket = ? AND key = ?"
_DROP_ALL: Final = "DELETE FROM objects WHERE bucket = ?"

_PAUSE_S: Final = 0.001


class JournalFailed(ReliveError):
    """The journal of the buckets cannot be read or written."""


class ObjectJournal:
    """May be called from any thread; every call waits for the disk."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._closed = False
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5.0)
            self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.executescript(_SCHEMA)
        except (sqlite3.Error, OSError) as error:
            raise self._failed(error) from error

    def _failed(self, error: Exception) -> JournalFailed:
        return JournalFailed(f"the journal of the buckets failed: {error}", where=str(self._path))

    def buckets(self) -> dict[str, tuple[str, str, int]]:
        """Folder, application and beginning of each bucket, by name."""
        with self._lock:
            return {name: (path, app, since) for name, path, app, since in self._db.execute(_BUCKETS)}

    def begin(self, name: str, path: str, app: str, since_ns: int, there: Mapping[bytes, Identity]) -> None:
        """A new bucket, or one with another folder: what is `there` is known from now on."""
        with self._lock:
            self._run(
                [
                    (_DROP_ALL, [(name,)]),
                    (_SET_BUCKET, [(name, path, app, since_ns)]),
                    (_SET, [(name, key, *identity) for key, identity in there.items()]),
                ]
            )

    def known(self, name: str) -> dict[bytes, Identity]:
        """The objects that have been told, or were there at the beginning."""
        with self._lock:
            return {key: Identity(*rest) for key, *rest in self._db.execute(_OBJECTS, (name,))}

    def told(self, name: str, changes: Mapping[bytes, Identity | None]) -> None:
        """These are known from now on; None: it is gone. Raises JournalFailed."""
        there = [(name, key, *identity) for key, identity in changes.items() if identity is not None]
        gone = [(name, key) for key, identity in changes.items() if identity is None]
        with self._lock:
            self._run([(_SET, there), (_DROP, gone)])

    def forget(self, name: str) -> None:
        """All of a bucket."""
        with self._lock:
            self._run([(_DROP_ALL, [(name,)]), (_DROP_BUCKET, [(name,)])])

    def _run(self, work: Sequence[tuple[str, Sequence[tuple[object, ...]]]]) -> None:
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                for statement, rows in work:
                    if rows:
                        self._db.executemany(statement, rows)
                self._db.execute("COMMIT")
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise self._failed(error) from error

    def copy(self, target: Path, limit_s: float, wanted: Callable[[], bool]) -> None:
        """The file as it is at one moment, as `target`, while `wanted`. Raises CopyFailed, JournalFailed."""

        def between() -> None:
            self._lock.release()
            time.sleep(_PAUSE_S)  # else this thread has it again before another that waits
            self._lock.acquire()
            if self._closed or not wanted():
                raise JournalFailed("the copy of the buckets' journal was given up", where=str(self._path))

        with self._lock:
            copy_database(self._db, target, limit_s, between)

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._closed = True
            self._db.close()
