"""A copy of a SQLite file as it is at one moment, made in steps while others use the file."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from relive_base.errors import ReliveError

__all__ = ["CopyFailed", "copy_database"]

_STEP_PAGES: Final = 256  # 1 MiB: what others of this file wait for
_AGAIN_S: Final = 0.01  # after a step that found the file locked


class CopyFailed(ReliveError):
    """A database could not be copied."""


def copy_database(
    source: sqlite3.Connection, target: Path, limit_s: float, between: Callable[[], None] = lambda: None
) -> None:
    """Into `target`, which is made. `between` is called between steps, when the file may be used; what it
    raises ends the copy. What `source` itself writes meanwhile is in the copy. Raises CopyFailed."""
    give_up = time.monotonic() + limit_s

    def stepped(status: int, left: int, pages: int) -> None:
        if status == sqlite3.SQLITE_DONE:
            return
        if time.monotonic() > give_up:
            locked = status in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
            raise CopyFailed(
                f"it was not copied within {limit_s:g} s"
                + (
                    ": another process has it locked" if locked else f": {left:,} of {pages:,} pages are left"
                ),
                hint="RELIVE_BACKUP_COPY_S is the limit; who has the file open: fuser FILE"
                if locked
                else "raise RELIVE_BACKUP_COPY_S",
            )
        between()

    try:
        with contextlib.closing(sqlite3.connect(target, isolation_level=None)) as copy:
            copy.execute("PRAGMA synchronous = OFF")  # who packs it does not need it after a crash
            source.backup(copy, pages=_STEP_PAGES, progress=stepped, sleep=_AGAIN_S)
    except sqlite3.Error as error:
        raise CopyFailed(f"it cannot be copied: {error}") from error
