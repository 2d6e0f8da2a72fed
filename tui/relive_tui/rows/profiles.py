"""From what the profiler answers to what the screens show."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from relive_tui.models.data import FlameView, HotLine
from relive_tui.models.lists.compare import HotChange
from relive_tui.models.profile.packages import place_in

if TYPE_CHECKING:
    from relive_profiler.explore.diff import DiffRow
    from relive_profiler.explore.flame import FlameTree
    from relive_profiler.explore.hot import HotRow

__all__ = ["flame_view", "hot_change", "hot_line", "hottest_of"]


def flame_view(tree: FlameTree) -> FlameView:
    """Of a flame tree; the lists are shared."""
    if not tree.samples:
        return FlameView(note=tree.note, aggregate=tree.aggregate)
    # the root of one invocation's tree is called by its id, which is no name to read
    names = tree.name if tree.aggregate else ["this invocation", *tree.name[1:]]
    return FlameView(
        names,
        tree.file,
        tree.line,
        tree.depth,
        [float(start) for start in tree.start],
        [float(value) for value in tree.value],
        tree.parent,
        [float(value) for value in tree.self_value],
        tree.note,
        tree.aggregate,
    )


def hot_line(row: HotRow) -> HotLine:
    """Of a hot line."""
    return HotLine(
        row.function, row.name, row.file, row.line, row.self_s, row.total_s, row.self_pct, row.samples,
        row.self_cpu_s,
    )  # fmt: skip


def hot_change(row: DiffRow) -> HotChange:
    """Of a difference's row."""
    return HotChange(row.file, row.line, row.name, row.before_self_ms, row.after_self_ms)


def hottest_of(rows: Iterable[HotRow]) -> dict[str, str]:
    """Function -> its hottest line and that line's share of the function's time."""
    best: dict[str, HotRow] = {}
    total: dict[str, float] = {}
    for row in rows:
        total[row.function] = total.get(row.function, 0.0) + row.self_s
        if row.function not in best or row.self_s > best[row.function].self_s:
            best[row.function] = row
    result = {}
    for function, row in best.items():
        share = 100.0 * row.self_s / total[function] if total[function] else 0.0
        result[function] = f"{place_in(row.file, row.line)} {share:.0f}%"
    return result
