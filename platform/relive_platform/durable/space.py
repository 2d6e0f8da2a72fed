"""What a durable file takes of the disk, and how it gives it back."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Final

__all__ = ["PAGE_BYTES", "FileSpace"]

PAGE_BYTES: Final = 4096
_INCREMENTAL: Final = 2  # SQLite's number for it
_STEP_PAGES: Final = 2_000  # 8 MB moved at a time, so that nobody waits for long
_KEPT_PAGES: Final = 256  # what is free is used again: a little of it always stays
_WORTH_PAGES: Final = 1_024  # and less than this, in a file that is in use, is not worth moving
_WAL_BYTES: Final = 8 * 1024 * 1024
_REBUILT_BYTES: Final = 512 * 1024 * 1024  # seconds, once in the life of an old file
_REBUILD_AT_ONCE_BYTES: Final = 4 * 1024 * 1024
_log = logging.getLogger(__name__)


class FileSpace:
    """Belongs to the committer's thread; its methods run outside of transactions."""

    def __init__(self, db: sqlite3.Connection, path: Path, free_bytes: Callable[[], int]) -> None:
        self._db = db
        self._path = path
        self._free_bytes = free_bytes
        self._draining = False
        self._may_rebuild = True

    def open(self) -> None:
        """Before tables are made: a new file can give pages back, a small old one learns it now."""
        if not self._pragma("page_count"):
            self._db.execute(f"PRAGMA auto_vacuum = {_INCREMENTAL:d}")  # a pragma takes no parameters
        elif self._pragma("page_count") * PAGE_BYTES <= _REBUILD_AT_ONCE_BYTES:
            self._rebuild()

    def file_bytes(self) -> int:
        """Size of the file, without the write-ahead log."""
        return self._pragma("page_count") * PAGE_BYTES

    def spare_bytes(self) -> int:
        """What of it holds nothing, and takes the next rows."""
        return self._pragma("freelist_count") * PAGE_BYTES

    def give_back(self, idle: bool) -> bool:
        """Give some unused room back to the disk. `idle`: nothing waits in it. Whether there is more."""
        free, pages = self._pragma("freelist_count"), self._pragma("page_count")
        worth = max(_KEPT_PAGES if idle else _WORTH_PAGES, 0 if idle else pages // 4)
        before, self._draining = self._draining, free > _KEPT_PAGES and (self._draining or free > worth)
        if not self._draining:
            self._shorten_log(0 if before or idle else _WAL_BYTES)  # it is the checkpoint that cuts the file
            return False
        if self._pragma("auto_vacuum") != _INCREMENTAL:
            self._draining = False
            self._rebuild()
            return False
        with contextlib.suppress(sqlite3.Error):  # on a full disk: later
            count = min(_STEP_PAGES, free - _KEPT_PAGES)
            # `execute` would stop after its first row, of which there is one for each page.
            self._db.executescript(f"PRAGMA incremental_vacuum({count:d});")
            return True
        self._draining = False
        return False

    def _rebuild(self) -> None:
        """Write a file of the old form anew, once, if it holds little and the disk has room for it."""
        held = self.file_bytes() - self.spare_bytes()
        if self._pragma("auto_vacuum") == _INCREMENTAL or not self._may_rebuild or held > _REBUILT_BYTES:
            return
        if self._free_bytes() < 3 * held + _WAL_BYTES:
            return
        self._may_rebuild = False
        try:
            self._db.execute(f"PRAGMA auto_vacuum = {_INCREMENTAL:d}")
            self._db.execute("VACUUM")
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        except sqlite3.Error as error:
            _log.warning("%s cannot be made smaller now: %s", self._path, error)

    def _shorten_log(self, kept_bytes: int) -> None:
        try:
            if os.stat(f"{self._path}-wal").st_size <= kept_bytes:
                return
        except OSError:
            return  # there is none
        with contextlib.suppress(sqlite3.Error):
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def _pragma(self, name: str) -> int:
        return int(self._db.execute(f"PRAGMA {name}").fetchone()[0])
