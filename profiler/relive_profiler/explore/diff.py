"""What became slower or faster between two sets of invocations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from relive_base.terminal import one_line

from relive_profiler.explore.both import load_both
from relive_profiler.explore.diff_tree import DiffTree, diff_tree
from relive_profiler.explore.filters import HotFilter
from relive_profiler.explore.folding import Folded, Totals, confidence, load_of, on_cpu
from relive_profiler.explore.hot import fold_rows
from relive_profiler.explore.sides import sides
from relive_profiler.explore.spread import Spread, margin_ms, spread
from relive_profiler.explore.sums import By, Weight, change_sums

if TYPE_CHECKING:
    from relive_store import Store

__all__ = [
    "DiffList",
    "DiffRow",
    "diff",
    "diff_folded",
    "diff_of",
    "diff_with_tree",
    "render_diff_text",
    "sides",
]


@dataclass(frozen=True, slots=True)
class DiffRow:
    """One function or line, in ms per invocation. Versions of one function compare by name."""

    function: str
    name: str
    file: str
    line: int  # as it was after, or before if it is gone
    before_self_ms: float
    after_self_ms: float
    before_total_ms: float
    after_total_ms: float
    margin_ms: float | None = None  # how far the change may be off, at 95 %; None: not known

    @property
    def change_ms(self) -> float:
        """Self time gained (above 0: slower) per invocation."""
        return self.after_self_ms - self.before_self_ms

    @property
    def certain(self) -> bool | None:
        """Whether it is more than noise; None: there are too few invocations to say."""
        return None if self.margin_ms is None else abs(self.change_ms) > self.margin_ms


@dataclass(frozen=True, slots=True)
class DiffList:
    """Rows by the size of the change. One engine on both sides."""

    rows: list[DiffRow] = field(default_factory=list)
    engine: str = "sampled"
    before_samples: int = 0
    after_samples: int = 0
    before_invocations: int = 0
    after_invocations: int = 0
    before_ms: float = 0.0  # per invocation
    after_ms: float = 0.0
    confidence: str = "none"  # of the weaker side
    note: str = ""


def diff(
    store: Store,
    before: HotFilter,
    after: HotFilter,
    by: By = "function",
    limit: int = 30,
    *,
    weight: Weight = "wall",
    timeout_s: float = 30.0,
) -> DiffList:
    """Compare two filters. `weight` "cpu": all times are those on the CPU. Raises UsageError if they name
    different engines; store errors pass through."""
    counted = sides(store, before, after, timeout_s=timeout_s)
    return diff_of(store, counted, by, limit, weight=weight, timeout_s=timeout_s)


def diff_of(
    store: Store,
    counted: tuple[Totals, Totals],
    by: By,
    limit: int,
    *,
    weight: Weight = "wall",
    timeout_s: float = 30.0,
) -> DiffList:
    """The same of what was counted before."""
    old, new = counted
    if old.wanted.span_ids or new.wanted.span_ids:
        was, now = _loaded(store, counted, weight, timeout_s)
        return diff_folded(was, now, by, limit)
    before, after = (old.wanted, old.invocations), (new.wanted, new.invocations)
    found = change_sums(store, before, after, by, limit, weight=weight, timeout_s=timeout_s)
    keys = [row.key for row in found.rows]
    spreads = _spreads(store, counted, by, keys, weight, timeout_s)
    old_count, new_count = max(old.invocations, 1), max(new.invocations, 1)
    rows = [
        DiffRow(
            function=row.frame.function,
            name=row.frame.name,
            file=row.frame.file,
            line=row.frame.line,
            before_self_ms=row.before_self_ns / 1e9 * 1e3 / old_count,
            after_self_ms=row.after_self_ns / 1e9 * 1e3 / new_count,
            before_total_ms=row.before_total_ns / 1e9 * 1e3 / old_count,
            after_total_ms=row.after_total_ns / 1e9 * 1e3 / new_count,
            margin_ms=margin_ms(spreads[0], spreads[1], row.key),
        )
        for row in found.rows
    ]
    return _listed(rows, limit, old, new, found.before_ns, found.after_ns)


def diff_with_tree(
    store: Store,
    counted: tuple[Totals, Totals],
    by: By,
    limit: int,
    *,
    weight: Weight = "wall",
    timeout_s: float = 30.0,
) -> tuple[DiffList, DiffTree]:
    """The same, and the tree of the same stacks, which are read once."""
    old, new = counted
    if old.wanted.span_ids or new.wanted.span_ids:
        was, now = _loaded(store, counted, weight, timeout_s)
        return diff_folded(was, now, by, limit), diff_tree(was, now)
    found = load_both(store, counted, by, weight=weight, timeout_s=timeout_s)
    listed = diff_folded(found.before, found.after, by, limit)
    keys = [
        found.keys[row.function, row.name, row.file, row.line if by == "line" else 0] for row in listed.rows
    ]
    spreads = _spreads(store, counted, by, keys, weight, timeout_s)
    rows = [
        replace(row, margin_ms=margin_ms(spreads[0], spreads[1], key))
        for row, key in zip(listed.rows, keys, strict=True)
    ]
    return replace(listed, rows=rows), diff_tree(found.before, found.after)


def _loaded(
    store: Store, counted: tuple[Totals, Totals], weight: Weight, timeout_s: float
) -> tuple[Folded, Folded]:
    was, now = (load_of(store, side, sketches=False, timeout_s=timeout_s) for side in counted)
    return (on_cpu(was), on_cpu(now)) if weight == "cpu" else (was, now)


def _spreads(
    store: Store,
    counted: tuple[Totals, Totals],
    by: By,
    keys: Sequence[int],
    weight: Weight,
    timeout_s: float,
) -> tuple[Spread, Spread]:
    old, new = (
        spread(
            store,
            side.wanted,
            by,
            keys,
            side.profiles,
            side.invocations,
            weight=weight,
            timeout_s=timeout_s,
        )
        for side in counted
    )
    return old, new


def diff_folded(
    before: Folded,
    after: Folded,
    by: By = "function",
    limit: int = 30,
    spreads: tuple[Spread, Spread] | None = None,
) -> DiffList:
    """The same of stacks that are at hand."""
    old, new = (
        {
            (row.function, row.name, row.file, row.line if by == "line" else 0): row
            for row in fold_rows(side.stacks, by)
        }
        for side in (before, after)
    )
    old_count, new_count = max(before.invocations, 1), max(after.invocations, 1)
    rows = []
    for key in {**old, **new}:
        was, now = old.get(key), new.get(key)
        shown = now or was
        rows.append(
            DiffRow(
                function=key[0],
                name=key[1],
                file=key[2],
                line=shown.line if shown else 0,
                before_self_ms=was.self_s * 1e3 / old_count if was else 0.0,
                after_self_ms=now.self_s * 1e3 / new_count if now else 0.0,
                before_total_ms=was.total_s * 1e3 / old_count if was else 0.0,
                after_total_ms=now.total_s * 1e3 / new_count if now else 0.0,
                margin_ms=margin_ms(*spreads, key) if spreads is not None else None,
            )
        )
    return _listed(rows, limit, before, after, before.wall_ns, after.wall_ns)


def _listed(
    rows: list[DiffRow],
    limit: int,
    before: Folded | Totals,
    after: Folded | Totals,
    before_ns: int,
    after_ns: int,
) -> DiffList:
    """Those that changed most; what is equal has an order, too. Without those that only call others."""
    rows = [row for row in rows if row.before_self_ms or row.after_self_ms]
    rows.sort(key=lambda row: (-abs(row.change_ms), row.file, row.line, row.name, row.function))
    level, note = confidence(min(before.samples, after.samples))
    return DiffList(
        rows=rows[:limit],
        engine=after.engine,
        before_samples=before.samples,
        after_samples=after.samples,
        before_invocations=before.invocations,
        after_invocations=after.invocations,
        before_ms=before_ns / 1e6 / max(before.invocations, 1),
        after_ms=after_ns / 1e6 / max(after.invocations, 1),
        confidence=level,
        note=f"weaker side: {note}",
    )


def render_diff_text(diff_: DiffList) -> str:
    """A plain table, ms per invocation. Safe for terminals."""
    lines = [
        f"{diff_.before_ms:.3f} -> {diff_.after_ms:.3f} ms per invocation"
        f" ({diff_.before_invocations} and {diff_.after_invocations}; {diff_.engine}; {diff_.note})",
        f"{'change':>10} {'±':>8} {'before':>10} {'after':>10}  function",
    ]
    lines += [
        f"{row.change_ms:+10.3f} {_margin(row):>8} {row.before_self_ms:10.3f} {row.after_self_ms:10.3f}  "
        + one_line(f"{row.name}  {row.file}:{row.line}{'  (noise)' if row.certain is False else ''}")
        for row in diff_.rows
    ]
    return "\n".join(lines) + "\n"


def _margin(row: DiffRow) -> str:
    return "" if row.margin_ms is None else f"{row.margin_ms:.3f}"
