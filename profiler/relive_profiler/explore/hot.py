"""The hottest functions and lines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from relive_base.shown_numbers import counted
from relive_base.terminal import one_line

from relive_profiler.explore.filters import HotFilter
from relive_profiler.explore.folding import (
    Folded,
    Stack,
    Totals,
    confidence,
    estimate_invocations,
    load,
    on_cpu,
    totals,
)
from relive_profiler.explore.imports import by_module
from relive_profiler.explore.sums import FrameSums, Weight, frame_sums

if TYPE_CHECKING:
    from relive_store import Store

__all__ = ["By", "HotFilter", "HotList", "HotRow", "fold_rows", "hot", "hot_list", "is_own", "render_text"]

By = Literal["function", "line", "module"]
"""module: of what a cold start imports."""
Key = tuple[str, str, str, int]  # function, name, file, line (0 when by function)
_MANY_SAMPLES: Final = 50_000
"""From here on, frames without time of their own are left out of the sums if they are not needed."""


@dataclass(frozen=True, slots=True)
class HotRow:
    """One function or line. Times are seconds over all invocations, of the weight that was asked for: wall or
    CPU; `self_pct` is 0..100.

    `total_s` counts a function once per stack, however often it recurs there. `line` of a function is its
    heaviest one. `invocations` is exact up to 64, within about 12% above.
    """

    function: str  # the deployed function
    name: str  # the Python function
    file: str
    line: int
    self_s: float = 0.0
    total_s: float = 0.0
    self_pct: float = 0.0
    samples: int = 0  # in which it was on the stack
    invocations: int = 0
    self_cpu_s: float = 0.0  # of self_s, on the CPU; the rest was waiting


@dataclass(frozen=True, slots=True)
class HotList:
    """Rows, hottest (self) first."""

    rows: list[HotRow] = field(default_factory=list)
    samples: int = 0
    invocations: int = 0
    profiles: int = 0
    wall_s: float = 0.0
    engine: str = "sampled"
    confidence: str = "none"  # "none" | "low" | "fair" | "good"
    note: str = ""


@dataclass(slots=True)
class _Sum:
    line: int
    self_ns: int = 0
    total_ns: int = 0
    self_cpu_ns: int = 0
    samples: int = 0
    seen_in: list[tuple[int, ...]] = field(default_factory=list)


def hot(
    store: Store,
    filter_: HotFilter,
    by: By = "function",
    limit: int = 30,
    *,
    timeout_s: float = 30.0,
    weight: Weight = "wall",
    waits_to_caller: bool = False,
) -> HotList:
    """The `limit` hottest functions or lines under the filter. `weight` "cpu": all times are those on the
    CPU. `waits_to_caller`: what a library waited is the time of the application's line that called it. Store
    errors pass through."""
    if by == "module" or filter_.span_ids:  # of few profiles
        folded = load(store, filter_, timeout_s=timeout_s)
        if weight == "cpu":
            folded = on_cpu(folded)
        if by == "module":
            folded, by = by_module(folded), "function"
        return hot_list(folded, by, limit, waits_to_caller=waits_to_caller)
    found = totals(store, filter_, timeout_s=timeout_s)
    sums = FrameSums()
    if found.profiles:
        sums = frame_sums(
            store,
            found.wanted,
            by,
            limit,
            weight=weight,
            waits_to_caller=waits_to_caller,
            own_first=found.samples >= _MANY_SAMPLES,
            timeout_s=timeout_s,
        )
    rows = sorted(_summed(sums), key=_order)[:limit]
    return _listed(found, rows, sums.wall_ns, sums.stacks if sums.cut else 0)


def hot_list(
    folded: Folded, by: By = "function", limit: int = 30, *, waits_to_caller: bool = False
) -> HotList:
    """The same of stacks that are at hand."""
    rows = fold_rows(folded.stacks, by, waits_to_caller=waits_to_caller)[:limit]
    return _listed(folded, rows, folded.wall_ns, len(folded.stacks) if folded.cut else 0)


def _listed(found: Folded | Totals, rows: list[HotRow], wall_ns: int, cut_to: int) -> HotList:
    """`cut_to`: the stacks that were looked at, if there may be more."""
    level, note = confidence(found.samples)
    if cut_to:
        note += f"; the {cut_to} heaviest stacks only"
    return HotList(
        rows=rows,
        samples=found.samples,
        invocations=found.invocations,
        profiles=found.profiles,
        wall_s=wall_ns / 1e9,
        engine=found.engine,
        confidence=level,
        note=note,
    )


def _summed(sums: FrameSums) -> list[HotRow]:
    whole = sums.wall_ns or 1
    return [
        HotRow(
            function=row.frame.function,
            name=row.frame.name,
            file=row.frame.file,
            line=row.frame.line,
            self_s=row.self_ns / 1e9,
            total_s=row.total_ns / 1e9,
            self_pct=100.0 * row.self_ns / whole,
            samples=row.samples,
            invocations=row.invocations,
            self_cpu_s=row.self_cpu_ns / 1e9,
        )
        for row in sums.rows
    ]


def _order(row: HotRow) -> tuple[object, ...]:
    """The hottest first; what is equal has an order, too."""
    return (-row.self_s, -row.total_s, row.file, row.line, row.name, row.function)


def fold_rows(stacks: Sequence[Stack], by: By, *, waits_to_caller: bool = False) -> list[HotRow]:
    """Self and total of every function or line, hottest (self, then total) first."""
    sums: dict[Key, _Sum] = {}
    for stack in stacks:
        _count(sums, stack, by, waits_to_caller)
    whole = sum(stack.wall_ns for stack in stacks) or 1
    rows = [
        HotRow(
            function=key[0],
            name=key[1],
            file=key[2],
            line=key[3] or entry.line,
            self_s=entry.self_ns / 1e9,
            total_s=entry.total_ns / 1e9,
            self_pct=100.0 * entry.self_ns / whole,
            samples=entry.samples,
            invocations=estimate_invocations(entry.seen_in),
            self_cpu_s=entry.self_cpu_ns / 1e9,
        )
        for key, entry in sums.items()
    ]
    rows.sort(key=_order)
    return rows


def is_own(file: str) -> bool:
    """Whether a file of a profile is the application's: neither a dependency's nor the standard library's."""
    return bool(file) and not file.startswith(("site-packages/", "python3.", "<", "/"))


def _count(sums: dict[Key, _Sum], stack: Stack, by: By, waits_to_caller: bool) -> None:
    seen: set[Key] = set()
    own = any(map(is_own, stack.files)) and waits_to_caller
    waited_ns = max(stack.wall_ns - stack.cpu_ns, 0) if own else 0
    entry: _Sum | None = None
    for name, file, line in zip(
        reversed(stack.names), reversed(stack.files), reversed(stack.lines), strict=True
    ):
        key = (stack.function, name, file, line if by == "line" else 0)
        innermost = not seen
        if key in seen:
            continue
        seen.add(key)
        entry = sums.get(key)
        if entry is None:
            # Stacks come heaviest first, so this is the function's heaviest line.
            entry = sums[key] = _Sum(line)
        entry.total_ns += stack.wall_ns
        entry.samples += stack.samples
        entry.seen_in.append(stack.invocations)
        if innermost:
            entry.self_ns += stack.wall_ns - waited_ns
            entry.self_cpu_ns += stack.cpu_ns
        if waited_ns and is_own(file):
            entry.self_ns += waited_ns
            waited_ns = 0


def render_text(
    hot_: HotList, *, source: Callable[[str, int], str] | None = None, width: int | None = None
) -> str:
    """A plain table. `source(file, line)` gives a line's text, if wanted. Safe for terminals."""
    head = f"{hot_.note} · {counted(hot_.invocations, 'invocation')} · {hot_.wall_s:.3f} s · {hot_.engine}"
    lines = [head]
    if hot_.rows:
        lines.append(f"{'self %':>7} {'self s':>9} {'cpu s':>9} {'total s':>9}  function")
    for row in hot_.rows:
        text = one_line(f"{row.name}  {row.file}:{row.line}")
        code = one_line(source(row.file, row.line).strip()) if source else ""
        line = f"{row.self_pct:7.1f} {row.self_s:9.3f} {row.self_cpu_s:9.3f} {row.total_s:9.3f}  {text}"
        line = f"{line}  {code}" if code else line
        lines.append(line if width is None else one_line(line, width))
    return "\n".join(lines) + "\n"
