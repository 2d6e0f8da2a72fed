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
    from relive_store.query.guard import check_query
    from relive_store.spool.files import Mark, SpoolInUse, own_spool
    from relive_store.spool.writer import Writer
    from relive_store.tables.parts import FrozenPart, adopt, applied_version, frozen
    from relive_store.tables.retention import (
        DEFAULT_DAYS,
        apply_retention,
        days_in_force,
        drop_oldest,
        scaled_days,
    )
    from relive_store.tables.schema import load_migrations, migrate, require_current
    from relive_store.tables.sizes import TableSize, Trimmed, table_sizes, to_trim, trim
else:

    def __getattr__(name: str) -> Any:
        if name not in _LATER:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found = globals()[name] = getattr(import_module(f"relive_store.{_LATER[name]}"), name)
        return found


__all__ = [
    "DEFAULT_DAYS",
    "Columns",
    "FrozenPart",
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
    "TableSize",
    "Trimmed",
    "Writer",
    "adopt",
    "applied_version",
    "apply_retention",
    "check_query",
    "days_in_force",
    "dismiss",
    "drop_oldest",
    "frozen",
    "load_migrations",
    "migrate",
    "open_offline",
    "open_store",
    "own_spool",
    "require_current",
    "scaled_days",
    "table_sizes",
    "to_trim",
    "trim",
]

_LATER: Final = {
    "DEFAULT_DAYS": "tables.retention",
    "FrozenPart": "tables.parts",
    "Mark": "spool.files",
    "SpoolInUse": "spool.files",
    "StoreProcess": "process.child",
    "TableSize": "tables.sizes",
    "Trimmed": "tables.sizes",
    "Writer": "spool.writer",
    "adopt": "tables.parts",
    "applied_version": "tables.parts",
    "apply_retention": "tables.retention",
    "days_in_force": "tables.retention",
    "check_query": "query.guard",
    "dismiss": "process.offline",
    "drop_oldest": "tables.retention",
    "frozen": "tables.parts",
    "load_migrations": "tables.schema",
    "migrate": "tables.schema",
    "open_offline": "process.offline",
    "own_spool": "spool.files",
    "require_current": "tables.schema",
    "scaled_days": "tables.retention",
    "table_sizes": "tables.sizes",
    "to_trim": "tables.sizes",
    "trim": "tables.sizes",
}
