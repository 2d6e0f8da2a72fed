"""ClickHouse behind one interface: the embedded engine, its process, or a server. What others may use of this
room is here, and nothing of it is imported anywhere else.

Importing this package is cheap: what few need is imported when it is asked for, and the engines by the store
that uses them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

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

if TYPE_CHECKING:
    from relive_store.process.child import StoreProcess
    from relive_store.process.offline import dismiss, open_offline
    from relive_store.spool.files import Mark, SpoolInUse, own_spool
    from relive_store.spool.writer import Writer
    from relive_store.tables.retention import DEFAULT_DAYS, apply_retention, drop_oldest, scaled_days
    from relive_store.tables.schema import load_migrations, require_current
else:

    def __getattr__(name: str) -> Any:
        if name not in _LATER:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found = globals()[name] = getattr(import_module(f"relive_store.{_LATER[name]}"), name)
        return found


__all__ = [
    "DEFAULT_DAYS",
    "Columns",
    "Mark",
    "QueryCancelled",
    "QueryError",
    "QueryLimit",
    "QueryTimeout",
    "SchemaError",
    "SpoolInUse",
    "Store",
    "StoreError",
    "StoreProcess",
    "StoreRefused",
    "StoreUnavailable",
    "Writer",
    "apply_retention",
    "dismiss",
    "drop_oldest",
    "load_migrations",
    "open_offline",
    "open_store",
    "own_spool",
    "require_current",
    "scaled_days",
]

_LATER: Final = {
    "DEFAULT_DAYS": "tables.retention",
    "Mark": "spool.files",
    "SpoolInUse": "spool.files",
    "StoreProcess": "process.child",
    "Writer": "spool.writer",
    "apply_retention": "tables.retention",
    "dismiss": "process.offline",
    "drop_oldest": "tables.retention",
    "load_migrations": "tables.schema",
    "open_offline": "process.offline",
    "own_spool": "spool.files",
    "require_current": "tables.schema",
    "scaled_days": "tables.retention",
}
