"""What became slower or faster between two sets of invocations."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from relive_base.errors import UsageError
from relive_base.terminal import one_line

from relive_profiler.explore.filters import HotFilter
from relive_profiler.explore.folding import Folded, confidence, load, pick_engine
from relive_profiler.explore.hot import By, fold_rows
from relive_profiler.explore.spread import Spread, margin_ms, spread

if TYPE_CHECKING:
    from relive_store import Store

__all__ = ["DiffList", "DiffRow", "diff", "diff_folded", "render_diff_text"]


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
    timeout_s: float = 30.0,
) -> DiffList:
    """Compare two filters. Raises UsageError if they name different engines; store errors pass through."""
    engines = {engine for engine in (before.engine, after.engine) if engine}
    if len(engines) > 1:
        raise UsageError(
            "a sampled and a precise profile cannot be compared",
            hint="name one engine for both sides, or none",
        )
    if not engines:
        engines = {pick_engine(store, side, timeout_s=timeout_s) for side in (before, after)}
    engine = "sampled" if len(engines) > 1 else engines.pop()
    wanted = [side.with_engine(engine) for side in (before, after)]
    sides = [load(store, side, timeout_s=timeout_s) for side in wanted]
    spreads = [
        spread(store, side, by, found.profiles, found.invocations, timeout_s=timeout_s)
        for side, found in zip(wanted, sides, strict=True)
    ]
    return diff_folded(sides[0], sides[1], by, limit, (spreads[0], spreads[1]))


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
    rows.sort(key=lambda row: (-abs(row.change_ms), row.file, row.line, row.name))
    level, note = confidence(min(before.samples, after.samples))
    return DiffList(
        rows=rows[:limit],
        engine=after.engine,
        before_samples=before.samples,
        after_samples=after.samples,
        before_invocations=before.invocations,
        after_invocations=after.invocations,
        before_ms=before.wall_ns / 1e6 / old_count,
        after_ms=after.wall_ns / 1e6 / new_count,
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
