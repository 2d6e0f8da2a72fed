"""Tables as files: a consistent copy of each, made at once and without a copy of its data, and the way back.

A part of a MergeTree never changes once it is written: FREEZE makes hard links of all parts of a table, which
is a moment's work however large it is. ATTACH takes a part that lies in the table's folder `detached`.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from relive_store.errors import StoreError
from relive_store.interface import Store
from relive_store.query.guard import check_name, check_query_id, quoted
from relive_store.tables.schema import APPLIED

__all__ = ["FrozenPart", "adopt", "applied_version", "frozen"]

_TABLES: Final = """
SELECT name, data_paths[1], total_rows FROM system.tables
WHERE database = currentDatabase() AND engine LIKE '%MergeTree' ORDER BY name
"""
_NAME: Final = re.compile(r"[a-z0-9_]{1,64}")  # the engine writes others in another way into its paths
_BOOK: Final = "schema_migrations"
_DETACHED: Final = "detached"
_FREEZE_S: Final = 120.0
_ATTACH_S: Final = 300.0
_LEFT_S: Final = 6 * 3600.0
"""A copy that is as old is nobody's any more."""


@dataclass(frozen=True, slots=True)
class FrozenPart:
    """A part of a table, as a folder of files that nobody changes."""

    table: str
    folder: Path

    @property
    def name(self) -> str:
        """As the engine names it: "20261130_1_42_3"."""
        return self.folder.name


@contextmanager
def frozen(store: Store, directory: Path, name: str) -> Iterator[list[FrozenPart]]:
    """All parts of all tables of an embedded store in `directory`, as they are now; gone at the end. `name`:
    `[a-z0-9_]`, of this copy alone. Raises StoreError."""
    if not _NAME.fullmatch(name):
        raise StoreError(f"not the name of a copy: {name[:80]!r}")
    data = directory / "data"
    shadow = data / "shadow" / name
    _clear_old(shadow.parent)
    try:
        found = []
        for table, path, rows in store.query(_TABLES).rows():
            # A statement of this kind takes no parameters; both names are checked.
            store.execute(f"ALTER TABLE {quoted(str(table))} FREEZE WITH NAME '{name}'", timeout_s=_FREEZE_S)
            inside = os.path.relpath(str(path), data)
            if inside.startswith(".."):
                raise StoreError(f"table {table} is not in its store's folder", where=str(path))
            folder = shadow / inside
            parts = sorted(folder.iterdir()) if folder.is_dir() else []
            if rows and not parts:
                raise StoreError(f"the engine has left no copy of table {table}", where=str(folder))
            found += [FrozenPart(str(table), part) for part in parts if part.is_dir()]
        yield found
    finally:
        shutil.rmtree(shadow, ignore_errors=True)


def _clear_old(folder: Path) -> None:
    """Copies of processes that were killed: their links keep what the tables have long dropped."""
    with suppress(OSError):
        for left in list(folder.iterdir()) if folder.is_dir() else ():
            if time.time() - left.stat().st_mtime > _LEFT_S:
                shutil.rmtree(left, ignore_errors=True)


def applied_version(store: Store) -> int:
    """The newest migration of the schema."""
    versions = [int(str(version)) for version in store.query(APPLIED).column("Version")]
    return max(versions, default=0)


def adopt(store: Store, table: str, part: str, bring: Callable[[Path], None]) -> None:
    """Make a part of another store's table one of this embedded store's, whose table has the same columns.
    `bring` puts its files into the folder that it is given, which is not there yet. Raises StoreError."""
    if check_name(table) == _BOOK:
        return  # the schema's own book is this store's
    paths = {str(name): str(path) for name, path, _ in store.query(_TABLES).rows()}
    if table not in paths:
        raise StoreError(f"there is no table {table}", hint="the backup is of another version of Relive")
    name = check_query_id(part)
    folder = Path(paths[table]) / _DETACHED / name
    bring(folder)
    store.execute(f"ALTER TABLE {quoted(table)} ATTACH PART '{name}'", timeout_s=_ATTACH_S)
