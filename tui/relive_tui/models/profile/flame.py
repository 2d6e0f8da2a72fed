"""A flame graph in terminal cells: which frames are visible is found by bisection, not by looking at each."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING
from zlib import crc32

from relive_tui.models.layout.columns import Column, Table
from relive_tui.models.layout.format import duration, percent
from relive_tui.models.layout.text import Line, Span, clean, fit
from relive_tui.models.profile.packages import package_of, place_in

if TYPE_CHECKING:
    from collections.abc import Sequence

    from relive_views.profiles.trees import FlameTree, HotRow

__all__ = ["FlameModel", "FlameRows", "HotRows", "flame_summary"]

TONES = 8
LEAST_SHARE = 0.02
"""What has less of a frame's time is no branch of it."""


class FlameModel:
    """Frames by depth, each level sorted by its left edge; the zoom is a frame that fills the width."""

    def __init__(self, flame: FlameTree) -> None:
        self.flame = flame
        self.levels: list[list[int]] = []
        for index in sorted(range(len(flame)), key=lambda i: (flame.depth[i], flame.start[i])):
            while len(self.levels) <= flame.depth[index]:
                self.levels.append([])
            self.levels[flame.depth[index]].append(index)
        self._starts = [[flame.start[index] for index in level] for level in self.levels]
        self.total = max(
            (flame.start[i] + flame.value[i] for i in (self.levels[0] if self.levels else [])), default=0.0
        )
        self.whole = self.total  # that shares are of
        self.zoomed: list[int] = []
        self.selected = 0 if len(flame) else -1
        self.search = ""
        self.base = self._first_branching()

    @property
    def window(self) -> tuple[float, float]:
        """(left edge, width) of what is shown."""
        top = self.zoomed[-1] if self.zoomed else self.base
        if top <= 0:
            return 0.0, max(self.total, 1e-9)
        return self.flame.start[top], max(self.flame.value[top], 1e-9)

    def visible(self, depth: int, cells: int) -> list[tuple[int, int, int]]:
        """(frame, first cell, cells) of one level; a frame that is narrower than a cell is left out."""
        left, span = self.window
        level, starts = self.levels[depth], self._starts[depth]
        begin = max(bisect_right(starts, left) - 1, 0)
        finish = bisect_left(starts, left + span)
        result: list[tuple[int, int, int]] = []
        position, filled = begin, 0
        while position < finish:
            index = level[position]
            start = (self.flame.start[index] - left) / span * cells
            end = start + self.flame.value[index] / span * cells
            first, last = max(round(start), filled), min(round(end), cells)
            if last > first:
                result.append((index, first, last - first))
                filled = last
                position += 1
            else:  # under one cell: go on at the first frame that begins in the next cell
                edge = left + (max(start, filled) + 0.5) / cells * span
                position = max(position + 1, bisect_left(starts, edge, position) - 1)
        return result

    def matches(self, index: int) -> bool:
        """Whether the search finds this frame."""
        return bool(self.search) and self.search in self.flame.name[index].lower()

    def found(self) -> list[int]:
        """All frames that the search finds, in the order of the tree."""
        return [index for index in range(len(self.flame)) if self.matches(index)]

    def matched_share(self) -> float:
        """Share of the time in frames that match, each counted once if they nest."""
        covered, until = 0.0, -1.0
        spans = sorted((self.flame.start[i], self.flame.start[i] + self.flame.value[i]) for i in self.found())
        for start, end in spans:
            covered += max(end - max(start, until), 0.0)
            until = max(until, end)
        return covered / self.total if self.total else 0.0

    def label(self, frame: int) -> str:
        """What stands behind a frame's name."""
        return percent(self.flame.value[frame], self.whole) + "%"

    def tone(self, frame: int) -> str:
        """The style of a frame."""
        key = f"{self.flame.file[frame]}:{self.flame.name[frame]}"
        return f"flame{crc32(key.encode('utf-8', 'replace')) % TONES}"

    def figures(self, frame: int) -> Line:
        """What a frame took, for the line above the graph."""
        flame = self.flame
        return [
            ("  total ", "dim"),
            (f"{percent(flame.value[frame], self.whole)}% {duration(flame.value[frame])}", ""),
            ("  self ", "dim"),
            (f"{percent(flame.self_value[frame], self.whole)}% {duration(flame.self_value[frame])}", ""),
        ]

    def zoom(self, index: int) -> None:
        """Let a frame fill the width."""
        if not self.zoomed or self.zoomed[-1] != index:
            self.zoomed.append(index)

    def unzoom(self) -> bool:
        """One step back, at last to the root; False if that is shown."""
        if self.zoomed:
            self.zoomed.pop()
            return True
        shown, self.base = self.base, 0
        return shown > 0

    def _first_branching(self) -> int:
        """The outermost frame below which the time goes several ways: what leads there says nothing."""
        if len(self.levels) < 2 or len(self.levels[0]) != 1:
            return 0
        index = self.levels[0][0]
        while True:
            below = self._children(index)
            wide = [
                child for child in below if self.flame.value[child] >= LEAST_SHARE * self.flame.value[index]
            ]
            own = self.flame.self_value[index] if index < len(self.flame.self_value) else 0.0
            if len(wide) != 1 or own >= LEAST_SHARE * self.flame.value[index]:
                return index
            index = wide[0]

    def _children(self, index: int) -> list[int]:
        depth = self.flame.depth[index] + 1
        if depth >= len(self.levels):
            return []
        start = self.flame.start[index]
        level, starts = self.levels[depth], self._starts[depth]
        below = level[bisect_left(starts, start) : bisect_left(starts, start + self.flame.value[index])]
        return [child for child in below if self.flame.parent[child] == index]

    def move(self, key: str) -> bool:
        """Move the selection: up to the caller, down to the widest callee, left or right on the level."""
        target = {"up": self._up, "down": self._down}.get(
            key, lambda: self._beside(1 if key == "right" else -1)
        )()
        if target < 0:
            return False
        self.selected = target
        return True

    def _up(self) -> int:
        return self.flame.parent[self.selected] if self.selected >= 0 else -1

    def _down(self) -> int:
        inside = self._children(self.selected) if self.selected >= 0 else []
        return max(inside, key=lambda index: self.flame.value[index], default=-1)

    def _beside(self, step: int) -> int:
        if self.selected < 0:
            return -1
        level = self.levels[self.flame.depth[self.selected]]
        position = bisect_left(self._starts[self.flame.depth[self.selected]], self.flame.start[self.selected])
        while position < len(level) and level[position] != self.selected:
            position += 1
        left, span = self.window
        target = position + step
        while 0 <= target < len(level):
            index = level[target]
            if left - 1e-9 <= self.flame.start[index] < left + span:
                return index
            target += step
        return -1


class FlameRows:
    """One row a level, the root on top."""

    def __init__(self, model: FlameModel) -> None:
        self.model = model

    def __len__(self) -> int:
        return len(self.model.levels)

    def header(self, width: int) -> Line | None:
        return None

    def line(self, index: int, width: int, selected: bool) -> Line:
        model = self.model
        line: Line = []
        position = 0
        for frame, first, cells in model.visible(index, width):
            if first > position:
                line.append((" " * (first - position), ""))
            line.append((self._label(frame, cells), self._tone(frame)))
            position = first + cells
        return line

    def _label(self, frame: int, cells: int) -> str:
        flame = self.model.flame
        mark = "▸" if frame == self.model.selected else "●" if self.model.matches(frame) else ""
        package = package_of(flame.file[frame])
        text = (
            f"{mark}{package + ': ' if package else ''}{clean(flame.name[frame])} {self.model.label(frame)}"
        )
        if cells < 4:
            return fit(mark, cells) if cells > 1 else (mark or "▏")
        return fit(text, cells - 1) + "▕"

    def _tone(self, frame: int) -> str:
        if frame == self.model.selected:
            return "flame_selected"
        if self.model.matches(frame):
            return "flame_match"
        return self.model.tone(frame)


def flame_summary(model: FlameModel) -> Line:
    """The selected frame, and what the zoom and the search leave."""
    flame, index = model.flame, model.selected
    if index < 0:
        return [("no samples", "dim")]
    place = place_in(flame.file[index], flame.line[index])
    line: Line = [
        ("▸ ", "accent"),
        (clean(flame.name[index]), "name"),
        (" " + place, "path"),
        *model.figures(index),
    ]
    if model.zoomed:
        line += [("  zoom ", "dim"), (clean(flame.name[model.zoomed[-1]]), "warn")]
    if model.search:
        line += [("  match ", "dim"), (f"{model.matched_share() * 100:.1f}%", "warn")]
    return line


class HotRows:
    """Lines by self time, the hottest first."""

    def __init__(self, lines: Sequence[HotRow] = ()) -> None:
        self.lines = list(lines)
        self._table = Table(
            (
                Column("SELF", 6, "right", keep=9),
                Column("", 8, keep=4),
                Column("LINE", 16, keep=10, grow=2, cut="start"),
                Column("FUNCTION", 10, keep=6, grow=2),
                Column("TIME", 7, "right", keep=5),
            )
        )

    def __len__(self) -> int:
        return len(self.lines)

    def header(self, width: int) -> Line | None:
        return self._table.header(width)

    def line(self, index: int, width: int, selected: bool) -> Line:
        row = self.lines[index]
        top = max(self.lines[0].self_pct, 1e-9)
        filled = "█" * max(round(8 * row.self_pct / top), 1)
        cells: list[Span] = [
            (f"{row.self_pct:.1f}%", "bold"),
            (filled, "heat"),
            (place_in(row.file, row.line), "path"),
            (clean(row.name), "name"),
            (duration(row.self_s * 1e9), "dim"),
        ]
        return self._table.row(cells, width, selected=selected)
