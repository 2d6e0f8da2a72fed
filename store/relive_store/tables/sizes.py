"""What each table holds: rows, bytes, parts, how old, and for how long."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from relive_store.interface import Store
from relive_store.query.guard import quoted
from relive_store.tables.retention import TIME_COLUMNS, days_in_force

__all__ = ["TableSize", "Trimmed", "table_sizes", "to_trim", "trim"]

_SIZES: Final = """
SELECT table, sum(rows), sum(bytes_on_disk), count() FROM system.parts
WHERE database = currentDatabase() AND active GROUP BY table ORDER BY sum(bytes_on_disk) DESC, table
"""
_DAYS: Final = """
SELECT table, partition, sum(rows), sum(bytes_on_disk) FROM system.parts
WHERE database = currentDatabase() AND active AND has({tables:Array(String)}, table)
    AND partition < {day:String}
GROUP BY table, partition ORDER BY table, partition
"""
_MOMENT: Final = "toDateTime({second:Int64})"
_MUTATION_S: Final = 600.0
DAILY: Final = (
    "otel_traces", "otel_logs", "otel_metrics_gauge", "otel_metrics_sum", "otel_metrics_histogram",
    "otel_metrics_exponential_histogram", "otel_metrics_summary", "invocations", "profiles", "scene_blobs",
)  # fmt: skip
"""Tables with a partition for each day, which is dropped in a moment."""
WHOLE: Final = ("otel_traces_trace_id_ts", "profile_stacks")
"""Tables that are rewritten for it."""


@dataclass(frozen=True, slots=True)
class TableSize:
    """One table. `oldest_ns`: of its rows, 0 if it has none or no times; `days`: how long rows are kept, None
    for ever. A part is a piece on the disk: many mean that the engine is behind with merging them."""

    table: str
    rows: int
    bytes: int
    parts: int
    oldest_ns: int
    days: int | None


@dataclass(frozen=True, slots=True)
class Trimmed:
    """What was dropped of a table: `day` is "" if it was rewritten."""

    table: str
    day: str
    rows: int
    bytes: int


def table_sizes(store: Store) -> list[TableSize]:
    """The largest first. Raises StoreError."""
    days = days_in_force(store)
    rows: list[Any] = list(store.query(_SIZES).rows())
    return [
        TableSize(table, count, size, parts, _oldest_ns(store, table), days.get(table))
        for table, count, size, parts in rows
    ]


def _oldest_ns(store: Store, table: str) -> int:
    column = TIME_COLUMNS.get(table)
    if column is None:
        return 0
    found = store.query(f"SELECT min({column}) FROM {quoted(table)}").scalar()  # noqa: S608 - both are from here
    return int(str(found))


def to_trim(store: Store, second: int) -> list[Trimmed]:
    """What `trim` would drop. Raises StoreError."""
    day = time.strftime("%Y-%m-%d", time.gmtime(second))
    rows: list[Any] = list(store.query(_DAYS, {"tables": list(DAILY), "day": day}).rows())
    found = [Trimmed(table, partition, count, size) for table, partition, count, size in rows]
    for table in WHOLE:
        sql = f"SELECT count() FROM {quoted(table)} WHERE {TIME_COLUMNS[table]} < {_MOMENT}"  # noqa: S608 - from here
        count = int(str(store.query(sql, {"second": second}).scalar()))
        if count:
            found.append(Trimmed(table, "", count, 0))
    return found


def trim(store: Store, second: int) -> Iterator[Trimmed]:
    """Drop what traces, logs, metrics, profiles and invocations hold of the days (UTC) before the one that
    begins at `second`. Failures and what is by minute stay: they have limits of their own. Raises
    StoreError."""
    for one in to_trim(store, second):
        table = quoted(one.table)  # of DAILY or WHOLE
        if one.day:
            store.execute(f"ALTER TABLE {table} DROP PARTITION {{day:String}}", {"day": one.day})
        else:
            where = f"{TIME_COLUMNS[one.table]} < {_MOMENT}"
            sql = f"ALTER TABLE {table} DELETE WHERE {where} SETTINGS mutations_sync = 1"
            store.execute(sql, {"second": second}, timeout_s=_MUTATION_S)
        yield one
