"""How long each table keeps its rows, and how much room they take."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from relive_store.errors import QueryError
from relive_store.interface import Store

__all__ = [
    "DEFAULT_DAYS",
    "TIME_COLUMNS",
    "apply_retention",
    "days_in_force",
    "drop_oldest",
    "scaled_days",
    "sizes",
]

TIME_COLUMNS: Final = {
    "otel_traces": "toDateTime(Timestamp)",
    "otel_traces_trace_id_ts": "toDateTime(Start)",
    "otel_traces_red_1m": "Minute",
    "otel_logs": "toDateTime(Timestamp)",
    "otel_metrics_gauge": "toDateTime(TimeUnix)",
    "otel_metrics_sum": "toDateTime(TimeUnix)",
    "otel_metrics_histogram": "toDateTime(TimeUnix)",
    "otel_metrics_exponential_histogram": "toDateTime(TimeUnix)",
    "otel_metrics_summary": "toDateTime(TimeUnix)",
    "invocations": "toDateTime(StartedAt)",
    "invocations_1m": "Minute",
    "platform_1m": "Minute",
    "alert_history": "toDateTime(At)",
    "profiles": "toDateTime(Timestamp)",
    "profile_stacks": "toDateTime(LastSeen)",
    "failure_scenes": "toDateTime(CapturedAt)",
    "scene_blobs": "toDateTime(CreatedAt)",
}
DEFAULT_DAYS: Final = {
    "otel_traces": 14,
    "otel_traces_trace_id_ts": 21,
    "otel_traces_red_1m": 90,
    "otel_logs": 14,
    "otel_metrics_gauge": 30,
    "otel_metrics_sum": 30,
    "otel_metrics_histogram": 30,
    "otel_metrics_exponential_histogram": 30,
    "otel_metrics_summary": 30,
    "invocations": 30,
    "invocations_1m": 90,
    "platform_1m": 90,
    "alert_history": 90,
    "profiles": 14,
    "profile_stacks": 28,
    "failure_scenes": 30,
    "scene_blobs": 30,
}
"""What the migrations set, in days."""
MAX_DAYS: Final = 36_500

TTLS = "SELECT name, create_table_query FROM system.tables WHERE database = currentDatabase()"
SIZES = """
SELECT table, sum(bytes_on_disk) AS bytes FROM system.parts
WHERE database = currentDatabase() AND active GROUP BY table ORDER BY table
"""
OLDEST_DAY = """
SELECT table, partition FROM system.parts
WHERE database = currentDatabase() AND active AND table IN {tables:Array(String)}
GROUP BY table, partition HAVING partition < toString(today()) ORDER BY partition, table LIMIT 1
"""
_DAILY = ("otel_traces", "otel_logs", "invocations", "profiles", "scene_blobs")
_DAYS = re.compile(r"\bTTL\b.*\btoIntervalDay\((\d+)\)", re.DOTALL)


def scaled_days(invocation_days: float) -> dict[str, int]:
    """Days of every table if invocations are kept for `invocation_days`; the others keep their share of
    it, as in DEFAULT_DAYS, and at least a day."""
    factor = invocation_days / DEFAULT_DAYS["invocations"]
    return {table: min(max(round(days * factor), 1), MAX_DAYS) for table, days in DEFAULT_DAYS.items()}


def days_in_force(store: Store) -> dict[str, int]:
    """Days by table, as the engine has them now; tables that keep everything are not in it."""
    found = {str(name): _DAYS.search(str(query)) for name, query in store.query(TTLS).rows()}
    return {name: int(match[1]) for name, match in found.items() if match}


def apply_retention(store: Store, days_by_table: Mapping[str, int]) -> None:
    """Keep rows for so many days; tables not named stay as they are. Old rows go at the engine's next merges.

    Raises QueryError for a table without a retention and for days outside 1..MAX_DAYS.
    """
    for table, days in days_by_table.items():
        if table not in TIME_COLUMNS:
            raise QueryError(f"table {table} has no retention", hint=f"one of {', '.join(TIME_COLUMNS)}")
        if not 1 <= days <= MAX_DAYS:
            raise QueryError(f"{table}: {days} days of retention", hint=f"1 to {MAX_DAYS} days")
    now = days_in_force(store)  # to set what is set already would rewrite the whole table
    for table, days in days_by_table.items():
        if now.get(table) == days:
            continue
        # A TTL takes no parameters; all three parts are from here or whole numbers.
        store.execute(f"ALTER TABLE {table} MODIFY TTL {TIME_COLUMNS[table]} + toIntervalDay({int(days)})")


def sizes(store: Store) -> dict[str, int]:
    """Bytes on disk by table."""
    return {str(table): int(str(size)) for table, size in store.query(SIZES).rows()}


def drop_oldest(store: Store, limit_bytes: int) -> list[str]:
    """While all tables together are over `limit_bytes`, drop the oldest whole day of one; never today.

    Returns what was dropped, as "table day".
    """
    dropped: list[str] = []
    while sum(sizes(store).values()) > limit_bytes:
        oldest = store.query(OLDEST_DAY, {"tables": list(_DAILY)})
        if not len(oldest):
            break
        table, day = (str(cell) for cell in next(oldest.rows()))
        store.execute(f"ALTER TABLE {table} DROP PARTITION {{day:String}}", {"day": day})
        dropped.append(f"{table} {day}")
    return dropped
