"""SQLite files of a home, each as it is at one moment, whoever writes to it."""

from __future__ import annotations

import contextlib
import sqlite3
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Protocol

from relive_base.errors import ReliveError

from relive_platform.durable.copying import CopyFailed, SourceUnusable, copy_database
from relive_platform.server.backup.held import FOLDER_PREFIX

__all__ = ["DatabaseCopies", "HeldCopier", "database_copies", "goes_with_database", "is_database"]

_LOCKED_S: Final = 1.0  # one step's wait; the limit is asked after each
_BESIDE: Final = ("-wal", "-shm", "-journal")
_OF_FUNCTIONS: Final = ("databases", "database.db")  # folder and file of a resource, whose name is between


class HeldCopier(Protocol):
    """Has the server that runs on a home copy the databases that it holds."""

    def __call__(self, folder: str, limit_s: float) -> list[str]:
        """Into `folder`, a name in the home's run/."""
        ...


def is_database(home: Path, file: Path) -> bool:
    """One of the home's own, or a resource of an application; other files are of others, whatever their
    names."""
    parts = file.relative_to(home).parts
    if not _regular(file):
        return False
    return (len(parts) == 1 and file.suffix == ".db") or _of_functions(home, file)


def goes_with_database(home: Path, file: Path) -> bool:
    """Whether SQLite keeps it beside a resource's database."""
    for ending in _BESIDE:
        if file.name.endswith(ending):
            owner = file.with_name(file.name.removesuffix(ending))
            return _of_functions(home, owner) and _regular(owner)
    return False


def _regular(file: Path) -> bool:
    try:
        return stat.S_ISREG(file.lstat().st_mode)
    except OSError:
        return False


def _of_functions(home: Path, file: Path) -> bool:
    parts = file.relative_to(home).parts
    return len(parts) == 3 and (parts[0], parts[2]) == _OF_FUNCTIONS


class DatabaseCopies:
    """In `folder`, where the server's may be already. `limit_s`: for each. `in_use`: those of functions that
    were taken file by file, for they are locked, or no databases."""

    def __init__(self, home: Path, folder: Path, limit_s: float) -> None:
        self._home = home
        self._folder = folder
        self._limit_s = limit_s
        self._number = 0
        self.in_use: list[str] = []

    def of(self, file: Path) -> Iterator[tuple[Path, str]]:
        """What is to be kept for a database, with the ending of its name; copies go when the next is asked
        for. Raises ReliveError for one of the home's own, and if the disk or the limit is too small."""
        held = self._folder / file.name
        own = not _of_functions(self._home, file)
        copy = held if own and held.exists() else None
        try:
            if copy is None:
                copy = self._copied(file)
        except ReliveError as error:
            if own or not isinstance(error, SourceUnusable):
                error.where = str(file)
                raise
            self.in_use.append(str(file.relative_to(self._home)))
            beside = ((file.with_name(file.name + ending), ending) for ending in _BESIDE)
            yield file, ""
            yield from ((path, ending) for path, ending in beside if _regular(path))
            return
        yield copy, ""
        copy.unlink()

    def _copied(self, file: Path) -> Path:
        self._number += 1
        copy = self._folder / f"{self._number}.copy"
        try:
            with contextlib.closing(
                sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True, timeout=_LOCKED_S)
            ) as source:
                copy_database(source, copy, self._limit_s)
        except sqlite3.Error as error:
            raise SourceUnusable(f"it cannot be copied: {error}") from error
        except CopyFailed:
            copy.unlink(missing_ok=True)
            raise
        return copy


@contextlib.contextmanager
def database_copies(home: Path, copy_held: HeldCopier | None, limit_s: float) -> Iterator[DatabaseCopies]:
    """A place for copies, gone at the end, with those of what the server holds."""
    run = home / "run" if copy_held is not None else None  # a server's run/ is on the home's disk
    with tempfile.TemporaryDirectory(prefix=FOLDER_PREFIX, dir=run) as folder:
        if copy_held is not None:
            copy_held(Path(folder).name, limit_s)
        yield DatabaseCopies(home, Path(folder), limit_s)
