"""Queries that people type: their limits, and what there is to ask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from relive_store import Columns, Store

__all__ = ["MAX_ROWS", "TIMEOUT_S", "Columns", "Schema", "run", "schema"]

MAX_ROWS: Final = 10_000
TIMEOUT_S: Final = 30.0
_COLUMNS: Final = """
SELECT table, name, type FROM system.columns
WHERE database = currentDatabase() AND NOT endsWith(table, '_mv')
ORDER BY table, position
LIMIT {limit:UInt32}
"""
_FUNCTIONS: Final = """
SELECT name FROM system.functions WHERE NOT startsWith(name, '__') ORDER BY name LIMIT {limit:UInt32}
"""
_MOST: Final = 20_000


@dataclass(frozen=True, slots=True)
class Schema:
    """`tables`: each with its columns, as (name, type), in their order."""

    tables: dict[str, tuple[tuple[str, str], ...]]
    functions: tuple[str, ...] = ()


def schema(store: Store) -> Schema:
    """What the store has. Raises StoreError."""
    tables: dict[str, list[tuple[str, str]]] = {}
    for table, name, kind in store.query(_COLUMNS, {"limit": _MOST}).rows():
        tables.setdefault(str(table), []).append((str(name), str(kind)))
    functions = store.query(_FUNCTIONS, {"limit": _MOST}).column("name")
    return Schema({name: tuple(columns) for name, columns in tables.items()}, tuple(map(str, functions)))


def run(store: Store, text: str, *, timeout_s: float = TIMEOUT_S, max_rows: int = MAX_ROWS) -> Columns:
    """The result of one statement that reads. Raises QueryError, QueryLimit, QueryTimeout, StoreError."""
    return store.query(text, timeout_s=timeout_s, max_rows=max_rows, read_only=True)
