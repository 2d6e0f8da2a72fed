"""Invocations, as listings show them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from relive_profiler.explore.memory import memory_of
from relive_store import Store
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


@dataclass(frozen=True, slots=True)
class InvocationView:
    """One attempt. `short`: the shortest beginning of its id that commands take."""

    row: InvocationRow
    short: str
    growth_bytes: int | None = None  # of the resident memory; None: it was not measured

    def as_json(self) -> dict[str, Any]:
        """The fields of `relive invocations --json`."""
        return {
            **{name: getattr(self.row, name) for name in FIELDS},
            "memory_growth_bytes": self.growth_bytes,
        }


def invocations(store: Store, wanted: InvocationFilter, limit: int = 50) -> list[InvocationView]:
    """Newest first. Raises StoreError."""
    rows = explore.page(store, wanted, limit=limit)
    short = short_ids(store, (row.invocation_id for row in rows))
    memory = memory_of(store, [row.invocation_id for row in rows])
    grown = {key: one.growth_bytes for key, one in memory.items()}
    return [
        InvocationView(row, short[row.invocation_id], grown.get((row.invocation_id, row.attempt)))
        for row in rows
    ]
