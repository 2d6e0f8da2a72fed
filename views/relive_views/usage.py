"""What functions have used, as every face shows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from relive_store import Store
from relive_tracer.explore.usage import KEYS, Usage
from relive_tracer.explore.usage import usage as _usage

__all__ = ["KEYS", "Usage", "total", "usage", "usage_json"]


def usage(
    store: Store, by: Sequence[str] = KEYS, *, since_day: str = "", function: str = "", limit: int = 10_000
) -> list[Usage]:
    """Rows for each of what `by` names, the newest day first. Raises StoreError."""
    return _usage(store, by, since_day=since_day, function=function, limit=limit)


def total(rows: Sequence[Usage]) -> Usage:
    """All of them as one row."""
    sums = {
        name: sum(getattr(row, name) for row in rows)
        for name in Usage.__dataclass_fields__
        if name not in ("day", "app", "function", "version", "largest_rss_bytes")
    }
    largest = max((row.largest_rss_bytes for row in rows), default=0)
    return Usage(day="", app="", function="", version=0, largest_rss_bytes=largest, **sums)


def usage_json(row: Usage) -> dict[str, Any]:
    """The fields of `relive usage --json`."""
    return asdict(row)
