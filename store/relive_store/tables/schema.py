"""Numbered migrations, from the packaged `.sql` files."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

from relive_store.errors import QueryError, SchemaError, StoreUnavailable
from relive_store.interface import Store
from relive_store.tables.backfill import Backfill, is_backfill
from relive_store.tables.folding import folded

__all__ = ["Migration", "embedded_settings", "load_migrations", "migrate", "require_current"]

_NAME = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")
_END_OF_STATEMENT = re.compile(r";[ \t]*(?:\n|$)")
_COMMENT = re.compile(r"^\s*--.*$", re.MULTILINE)

CREATE_BOOK = """
CREATE TABLE IF NOT EXISTS schema_migrations (Version UInt32, Name String, AppliedAt DateTime64(9))
ENGINE = ReplacingMergeTree ORDER BY Version
"""
APPLIED = "SELECT Version, any(Name) AS Name FROM schema_migrations GROUP BY Version ORDER BY Version"
TABLES = "SELECT count() FROM system.tables WHERE database = currentDatabase()"


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered file. Each statement can be run again: a migration that was cut off is simply repeated."""

    version: int
    name: str
    statements: tuple[str, ...]


def load_migrations() -> list[Migration]:
    """All packaged migrations, in their order."""
    found = []
    for file in resources.files("relive_store").joinpath("migrations").iterdir():
        match = _NAME.fullmatch(file.name)
        if match:
            statements = _statements(file.read_text(encoding="utf-8"))
            found.append(Migration(int(match.group(1)), file.name.removesuffix(".sql"), statements))
    return sorted(found, key=lambda migration: migration.version)


def _statements(text: str) -> tuple[str, ...]:
    text = _COMMENT.sub("", text)
    return tuple(part.strip() for part in _END_OF_STATEMENT.split(text) if part.strip())


def embedded_settings() -> tuple[str, ...]:
    """The statements that only the embedded engine gets, on a schema that is new."""
    folder = resources.files("relive_store").joinpath("migrations")
    return _statements(folder.joinpath("embedded.sql").read_text(encoding="utf-8"))


def migrate(
    store: Store, migrations: Sequence[Migration] | None = None, settings: Sequence[str] = ()
) -> list[str]:
    """Apply what is missing, and then `settings`; the names of what was applied. A newer schema raises
    SchemaError."""
    known = list(migrations) if migrations is not None else load_migrations()
    store.execute(CREATE_BOOK)
    applied = store.query(APPLIED)
    newest = known[-1].version if known else 0
    too_new = [row for row in applied.rows() if isinstance(row[0], int) and row[0] > newest]
    if too_new:
        raise SchemaError(
            f"the store has schema {too_new[-1][1]}, this version of Relive knows up to {newest:04d}",
            where=store.url,
            hint="upgrade Relive, or give it another store",
        )
    done = set(applied.column("Version")) if len(applied) else set()
    missing = [migration for migration in known if migration.version not in done]
    if not missing:
        return []
    if not done and store.query(TABLES).scalar() == 1:  # the book: no beginning of anything is there
        statements = [statement for migration in missing for statement in migration.statements]
        for statement in folded([*statements, *settings]):
            store.execute(statement)
        _enter(store, missing)
        return [migration.name for migration in missing]
    for migration in missing:
        _apply(store, migration)
    for statement in settings:  # the tables keep them
        store.execute(statement)
    return [migration.name for migration in missing]


def _apply(store: Store, migration: Migration) -> None:
    backfill = Backfill(store, migration.version, migration.statements)
    for statement in migration.statements:
        if is_backfill(statement):
            backfill.run(statement)
        elif not backfill.skips(statement):
            store.execute(statement)
    _enter(store, [migration])
    backfill.close()


def require_current(store: Store) -> None:
    """Raises StoreUnavailable if the tables are not there (yet): whoever starts the store makes them."""
    try:
        applied = store.query(APPLIED).column("Version")
    except QueryError as error:
        raise StoreUnavailable("the store has no tables yet", where=store.url) from error
    missing = [item.name for item in load_migrations() if item.version not in set(applied)]
    if missing:
        raise StoreUnavailable(f"the store does not have {', '.join(missing)} yet", where=store.url)


def _enter(store: Store, migrations: Sequence[Migration]) -> None:
    """Write into the book that they are applied."""
    book: dict[str, list[object]] = {
        "Version": [migration.version for migration in migrations],
        "Name": [migration.name for migration in migrations],
        "AppliedAt": [time.time_ns()] * len(migrations),
    }
    store.insert("schema_migrations", book)
