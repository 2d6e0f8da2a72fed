"""Invocations, as listings show them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from relive_profiler.explore.memory import memory_of
from relive_store import QueryTimeout, Store
from relive_tracer.explore import invocations as explore
from relive_tracer.explore.invocations import InvocationFilter
from relive_tracer.explore.models import InvocationRow

from relive_views.ids import short_ids

__all__ = ["FIELDS", "InvocationFilter", "InvocationView", "invocations"]

FIELDS: Final = (
    "invocation_id", "attempt", "function", "version", "trigger", "status", "started_at", "queue_ns",
    "init_ns", "duration_ns", "cpu_ns", "peak_rss_bytes", "cold", "error_type", "error_message", "trace_id",
    "span_id", "worker_pid", "isolation_tier",
)  # fmt: skip
_AT_ONCE: Final = 1_000
"""Of one look for their memory: they lie near each other in time."""
_MEMORY_S: Final = 10.0
_SLACK_NS: Final = 60 * 10**9


@dataclass(frozen=True, slots=True)
class InvocationView:
    """One attempt. `short`: the shortest beginning of its id that commands take."""

    row: InvocationRow
    short: str
    growth_bytes: int | None = None  # of the resident memory; None: it is not known

    def as_json(self) -> dict[str, Any]:
        """The fields of `relive invocations --json`. What is not known is left out."""
        found = {name: getattr(self.row, name) for name in FIELDS}
        return found if self.growth_bytes is None else {**found, "memory_growth_bytes": self.growth_bytes}


def invocations(
    store: Store, wanted: InvocationFilter, limit: int = 50, *, memory: bool = True
) -> list[InvocationView]:
    """Newest first. `memory`: by how much it grew is looked for as well. Raises StoreError."""
    rows = explore.page(store, wanted, limit=limit)
    short = short_ids(store, (row.invocation_id for row in rows))
    grown = _grown(store, rows) if memory else {}
    return [
        InvocationView(row, short[row.invocation_id], grown.get((row.invocation_id, row.attempt)))
        for row in rows
    ]


def _grown(store: Store, rows: Sequence[InvocationRow]) -> dict[tuple[str, int], int]:
    """By invocation and attempt. What is not found in time is not known: the list is worth more than that."""
    found: dict[tuple[str, int], int] = {}
    for start in range(0, len(rows), _AT_ONCE):
        part = rows[start : start + _AT_ONCE]
        until_ns = max(max(row.started_at + row.total_ns, row.responded_at) for row in part) + _SLACK_NS
        ids = [row.invocation_id for row in part]
        try:
            memory = memory_of(store, ids, until_ns=until_ns, timeout_s=_MEMORY_S)
        except QueryTimeout:
            break  # the others would not be faster
        found |= {key: one.growth_bytes for key, one in memory.items()}
    return found
