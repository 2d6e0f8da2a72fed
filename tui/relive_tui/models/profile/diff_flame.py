"""A difference of two profiles as a flame graph and as lines: what takes longer, what takes less."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from relive_views.profiles.trees import DiffRow, FlameTree, HotRow

from relive_tui.models.layout.columns import Column, Table
from relive_tui.models.layout.format import duration
from relive_tui.models.layout.text import Line, Span, clean
from relive_tui.models.profile.flame import FlameModel, HotRows
from relive_tui.models.profile.packages import place_in

if TYPE_CHECKING:
    from collections.abc import Sequence

    from relive_views.profiles.diff import DiffTree

__all__ = ["Compared", "DiffHotRows", "DiffModel", "as_hot", "change_text", "diff_model", "rows_of"]

_SAME: Final = 0.02
"""Of the largest change: what has changed less is drawn as unchanged."""


@dataclass(frozen=True, slots=True)
class Compared:
    """Two sets of invocations, and what each is called. `sentence`: why the later one is slow, if it is one
    invocation."""

    before: str
    after: str
    tree: DiffTree
    rows: Sequence[DiffRow]
    note: str = ""
    sentence: str = ""


def change_text(ns: float) -> str:
    """`+59.4ms`, `-2.0ms`, `±0`."""
    return f"{'+' if ns > 0 else '-'}{duration(abs(ns))}" if abs(ns) >= 1_000 else "±0"


class DiffModel(FlameModel):
    """A frame is as wide as the larger of what it took before and after, with all that it called."""

    def __init__(self, flame: FlameTree, before: Sequence[float], after: Sequence[float]) -> None:
        self.before, self.after = before, after
        super().__init__(flame)
        self.largest = max((abs(self.change(node)) for node in range(1, len(flame))), default=0.0)

    def change(self, node: int) -> float:
        """ns per invocation that a frame takes more."""
        return self.after[node] - self.before[node]

    def label(self, frame: int) -> str:
        return change_text(self.change(frame))

    def tone(self, frame: int) -> str:
        change = self.change(frame)
        if not self.largest or abs(change) < _SAME * self.largest:
            return "flame_same"
        strong = abs(change) >= self.largest / 3
        return f"flame_{'slower' if change > 0 else 'faster'}{'' if strong else '_little'}"

    def figures(self, frame: int) -> Line:
        return [
            ("  before ", "dim"), (duration(self.before[frame]), ""), ("  after ", "dim"),
            (duration(self.after[frame]), ""), ("  change ", "dim"),
            (change_text(self.change(frame)), "error" if self.change(frame) > 0 else "ok"),
            (" per invocation", "dim"),
        ]  # fmt: skip


def diff_model(tree: DiffTree, weight: str) -> DiffModel:
    """Of wall or CPU time."""
    before, after = _times(tree, weight)
    count = len(tree)
    parent = _parents(tree)
    inside = [0] * count
    value = [0] * count
    for node in range(count - 1, -1, -1):
        value[node] = max(round(max(before[node], after[node])), inside[node])
        if parent[node] >= 0:
            inside[parent[node]] += value[node]
    start, taken = [0] * count, [0] * count
    for node in range(1, count):
        above = parent[node]
        start[node] = start[above] + taken[above]
        taken[above] += value[node]
    flame = FlameTree(
        name=list(tree.name), file=list(tree.file), line=list(tree.line), depth=list(tree.depth), start=start,
        value=value, self_value=[value[node] - inside[node] for node in range(count)], parent=parent,
        end=list(tree.end),
    )  # fmt: skip
    return DiffModel(flame, before, after)


def _times(tree: DiffTree, weight: str) -> tuple[list[float], list[float]]:
    return (tree.before_cpu, tree.after_cpu) if weight == "cpu" else (tree.before, tree.after)


def _parents(tree: DiffTree) -> list[int]:
    parent = [-1] * len(tree)
    path: list[int] = []
    for node in range(len(tree)):
        del path[tree.depth[node] :]
        parent[node] = path[-1] if path else -1
        path.append(node)
    return parent


def rows_of(tree: DiffTree, weight: str) -> list[DiffRow]:
    """Functions by how much their own time has changed, wall or CPU."""
    parent = _parents(tree)
    before, after = _times(tree, weight)
    own = {"before": list(before), "after": list(after)}
    for node in range(1, len(tree)):
        own["before"][parent[node]] -= before[node]
        own["after"][parent[node]] -= after[node]
    found: dict[tuple[str, str], list[float]] = {}
    lines: dict[tuple[str, str], int] = {}
    for node in range(1, len(tree)):
        key = (tree.name[node], tree.file[node])
        sums = found.setdefault(key, [0.0, 0.0])
        sums[0] += own["before"][node] / 1e6
        sums[1] += own["after"][node] / 1e6
        lines.setdefault(key, tree.line[node])
    rows = [
        DiffRow("", name, file, lines[name, file], was, now, was, now)
        for (name, file), (was, now) in found.items()
    ]
    rows.sort(key=lambda row: -abs(row.change_ms))
    return [row for row in rows if abs(row.change_ms) >= 0.001]


def as_hot(row: DiffRow, function: str) -> HotRow:
    """To show the source of its line."""
    return HotRow(
        function=row.function or function, name=row.name, file=row.file, line=row.line, self_s=0.0,
        total_s=0.0, self_pct=0.0, samples=0,
    )  # fmt: skip


class DiffHotRows(HotRows):
    """Lines by how much their own time has changed; what may be noise says so."""

    def __init__(self, rows: Sequence[DiffRow] = (), function: str = "") -> None:
        super().__init__([as_hot(row, function) for row in rows])
        self.rows = list(rows)
        self._table = Table(
            (
                Column("CHANGE", 9, "right", keep=10),
                Column("", 6, keep=6),
                Column("BEFORE", 8, "right", keep=4),
                Column("AFTER", 8, "right", keep=5),
                Column("LINE", 14, keep=9, grow=2, cut="start"),
                Column("FUNCTION", 10, keep=7, grow=2),
            )
        )

    def line(self, index: int, width: int, selected: bool) -> Line:
        row = self.rows[index]
        noise = {True: "", False: "noise?", None: ""}[row.certain]
        style = "dim" if noise else "error" if row.change_ms > 0 else "ok"
        cells: list[Span] = [
            (change_text(row.change_ms * 1e6), style),
            (noise, "dim"),
            (duration(row.before_self_ms * 1e6), "dim"),
            (duration(row.after_self_ms * 1e6), ""),
            (place_in(row.file, row.line), "path"),
            (clean(row.name), "name"),
        ]
        return self._table.row(cells, width, selected=selected)
