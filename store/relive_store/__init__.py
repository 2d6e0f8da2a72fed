"""ClickHouse behind one interface: the embedded engine, its process, or a server.

Importing this package is cheap; the engines are imported by the store that uses them.
"""

from __future__ import annotations

from relive_store.columns import Columns
from relive_store.errors import (
    QueryCancelled,
    QueryError,
    QueryLimit,
    QueryTimeout,
    SchemaError,
    StoreError,
    StoreRefused,
    StoreUnavailable,
)
from relive_store.interface import Store
from relive_store.opening import open_store

__all__ = [
    "Columns",
    "QueryCancelled",
    "QueryError",
    "QueryLimit",
    "QueryTimeout",
    "SchemaError",
    "Store",
    "StoreError",
    "StoreRefused",
    "StoreUnavailable",
    "open_store",
]
