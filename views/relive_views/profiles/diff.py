"""What became slower or faster between two sets of a function's invocations."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from relive_base.errors import NotFound
from relive_profiler.explore import diff as explore
from relive_profiler.explore.diff import DiffList, DiffRow
from relive_profiler.explore.diff_tree import DiffTree
from relive_profiler.explore.filters import DURATION_QUANTILE, HotFilter, parameters
from relive_store import Store

from relive_views.places import place

__all__ = [
    "DiffList",
    "DiffTree",
    "DiffView",
    "HotFilter",
    "Sides",
    "diff",
    "sides_of_failed",
    "sides_of_slow",
]

_FAILED = ("error", "timeout", "memory", "crash", "init_error", "cancelled")

Sides = tuple[HotFilter, HotFilter, str, str]
"""Before and after, and what each is called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DiffView:
    """The rows, and the tree of both sides. `before` and `after`: what they are called."""

    before: str
    after: str
    found: DiffList
    tree: DiffTree

    def as_json(self) -> dict[str, Any]:
        """The fields of `relive diff --json`."""
        found = self.found
        return {
            "before": self.before,
            "after": self.after,
            "engine": found.engine,
            "before_ms": found.before_ms,
            "after_ms": found.after_ms,
            "before_invocations": found.before_invocations,
            "after_invocations": found.after_invocations,
            "before_samples": found.before_samples,
            "after_samples": found.after_samples,
            "note": found.note,
            "rows": [_row(row) for row in found.rows],
        }


def _row(row: DiffRow) -> dict[str, Any]:
    return {
        "name": row.name,
        "file": row.file,
        "line": row.line,
        "where": place(row.file, row.line),
        "change_ms": row.change_ms,
        "margin_ms": row.margin_ms,
        "certain": row.certain,
        "before_self_ms": row.before_self_ms,
        "after_self_ms": row.after_self_ms,
        "before_total_ms": row.before_total_ms,
        "after_total_ms": row.after_total_ms,
    }


def diff(
    store: Store,
    sides: Sides,
    by: Literal["function", "line"],
    limit: int = 30,
    weight: Literal["wall", "cpu"] = "wall",
) -> DiffView:
    """Of all the time, or of that on the CPU: then all times are.

    Raises NotFound if one side has no profile, UsageError if engines differ, StoreError."""
    before, after, name, other = sides
    counted = explore.sides(store, before, after)
    for found, side in zip(counted, (name, other), strict=True):
        if not found.invocations:
            raise NotFound(
                f"no invocation of {before.function} {side} has a profile",
                hint="`relive invocations` lists what is recorded",
            )
    listed, tree = explore.diff_with_tree(store, counted, by, limit, weight=weight)
    return DiffView(before=name, after=other, found=listed, tree=tree)


def sides_of_slow(store: Store, wanted: HotFilter) -> Sides:
    """The slowest twentieth of the invocations that went well, against the others."""
    values = parameters(replace(wanted, status=("ok",)))
    limit = store.query(DURATION_QUANTILE, values).scalar()
    limit_ns = max(int(limit) if isinstance(limit, (int, float)) else 0, 1)
    before = replace(wanted, status=("ok",), max_duration_ns=limit_ns)
    after = replace(wanted, status=("ok",), min_duration_ns=limit_ns)
    return (
        before,
        after,
        f"of less than {limit_ns / 1e6:,.1f} ms",
        f"of {limit_ns / 1e6:,.1f} ms and more (the slowest 5 %)",
    )


def sides_of_failed(wanted: HotFilter) -> Sides:
    """Those that failed, against those that went well."""
    before, after = replace(wanted, status=("ok",)), replace(wanted, status=_FAILED)
    return before, after, "that went well", "that failed"
