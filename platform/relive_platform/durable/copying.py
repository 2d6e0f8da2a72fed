"""A copy of a SQLite file as it is at one moment, made in steps while others use the file."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from relive_base.errors import ReliveError

__all__ = ["CopyFailed", "SourceUnusable", "copy_database"]

_STEP_PAGES: Final = 256  # 1 MiB: what others of this process wait for
_AGAIN_S: Final = 0.01  # after a step that found the file locked


_LOCKED: Final = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_UNUSABLE: Final = (*_LOCKED, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)
_DISK: Final = (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_NOMEM)


class CopyFailed(ReliveError):
    """A database could not be copied."""


class SourceUnusable(CopyFailed):
    """For it is locked, or no database; the disk and the time were not at fault."""


def copy_database(
    source: sqlite3.Connection, target: Path, limit_s: float, between: Callable[[], None] | None = None
) -> None:
    """Into `target`, which is made. `between` is called between steps, when the file may be used; what it
    raises ends the copy, and what `source` itself writes meanwhile is in it. Without `between` the copy is as
    the file is now, whoever commits: a step after another's commit would begin again. Raises CopyFailed."""
    give_up = time.monotonic() + limit_s

    def stepped(status: int, left: int, pages: int) -> None:
        if status == sqlite3.SQLITE_DONE:
            return
        if time.monotonic() > give_up:
            if status in _LOCKED:
                raise _locked(limit_s)
            raise CopyFailed(
                f"it was not copied within {limit_s:g} s: {left:,} of {pages:,} pages are left",
                hint="raise RELIVE_BACKUP_COPY_S",
            )
        if between is not None:
            between()

    if between is None:
        _hold(source, give_up, limit_s)
    try:
        with contextlib.closing(sqlite3.connect(target, isolation_level=None)) as copy:
            copy.execute("PRAGMA synchronous = OFF")  # who packs it does not need it after a crash
            source.backup(copy, pages=_STEP_PAGES, progress=stepped, sleep=_AGAIN_S)
    except sqlite3.Error as error:
        kind = SourceUnusable if _code(error) in _UNUSABLE else CopyFailed
        raise kind(f"it cannot be copied: {error}") from error
    finally:
        if between is None:
            source.rollback()


def _hold(source: sqlite3.Connection, give_up: float, limit_s: float) -> None:
    """Begin to read: what `source` sees stays as it is now."""
    while True:
        try:
            source.execute("BEGIN")
            source.execute("SELECT 1 FROM sqlite_master").fetchone()
            return
        except sqlite3.Error as error:
            source.rollback()
            if _code(error) not in _LOCKED:
                kind = CopyFailed if _code(error) in _DISK else SourceUnusable
                raise kind(f"it cannot be copied: {error}") from error
        if time.monotonic() > give_up:
            raise _locked(limit_s)
        time.sleep(_AGAIN_S)


def _locked(limit_s: float) -> SourceUnusable:
    return SourceUnusable(
        f"it was not copied within {limit_s:g} s: another process has it locked",
        hint="RELIVE_BACKUP_COPY_S is the limit; who has the file open: fuser FILE",
    )


def _code(error: sqlite3.Error) -> int:
    """The primary one."""
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
