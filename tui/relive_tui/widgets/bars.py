"""The one-line bars: breadcrumb, state, key hints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.widget import Widget

from relive_tui.models.layout.text import Line, line_width, width_of
from relive_tui.widgets.strips import strip_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual import events
    from textual.strip import Strip

__all__ = ["LineBar", "Spot", "crumb_line", "hint_line", "hint_spots", "key_name"]

MAX_HINTS = 8
Spot = tuple[int, int, str]
"""(first cell, cell after the last one, the screen's action) of what can be clicked in a line."""
_KEYS = {
    "⏎": "enter", "F1": "f1", "F5": "f5", "Esc": "escape",
    "⌫": "backspace", "Tab": "tab", "?": "question_mark", "/": "slash",
    "[": "left_square_bracket", "]": "right_square_bracket", "<": "less_than_sign", ">": "greater_than_sign",
}  # fmt: skip


def key_name(label: str) -> str:
    """The key that a hint calls `label`."""
    return _KEYS.get(label, label)


class LineBar(Widget):
    """One or more lines that somebody sets; the last set wins."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.lines: list[Line] = []
        self.right: Line = []
        self.spots: list[Spot] = []
        self.spots_row = 0
        self.right_action = ""

    def set(
        self,
        *lines: Line,
        right: Line | None = None,
        spots: Sequence[Spot] = (),
        row: int = 0,
        right_action: str = "",
    ) -> None:
        """Show these lines; `right` stands at the end of the first one, and `spots` can be clicked in line
        `row`, `right` for its action."""
        self.spots, self.spots_row, self.right_action = list(spots), row, right_action
        if list(lines) != self.lines or (right or []) != self.right:
            self.lines, self.right = list(lines), right or []
            self.refresh()

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        line = self.lines[y] if y < len(self.lines) else []
        if y == 0 and self.right:
            gap = width - line_width(line) - line_width(self.right)
            if gap > 0:
                line = [*line, (" " * gap, ""), *self.right]
        return strip_of(line, width, self.rich_style)

    async def on_click(self, event: events.Click) -> None:
        spots = self.spots if event.y == self.spots_row else []
        if self.right_action and event.y == 0:
            spots = [*spots, (self.size.width - line_width(self.right), self.size.width, self.right_action)]
        for first, after, action in spots:
            if first <= event.x < after:
                event.stop()
                await self.run_action(f"screen.{action}")
                return


def crumb_line(crumbs: Sequence[str], width: int = 0) -> tuple[Line, list[Spot]]:
    """`relive ▸ checkout ▸ Failure`, the last one bright; of what a `width` has no room for, the beginning
    goes. A click on a part goes back to it: 0 is the first one."""
    count = len(crumbs)
    while width and len(crumbs) > 1 and sum(width_of(crumb) + 3 for crumb in crumbs) - 1 > width:
        crumbs = ["…", *crumbs[1 + (crumbs[0] == "…") :]] if len(crumbs) > 2 else crumbs[1:]
    line: Line = [(" ", "")]
    spots: list[Spot] = []
    for position, crumb in enumerate(crumbs):
        last = position == len(crumbs) - 1
        if position:
            line.append((" ▸ ", "dim"))
        begin = line_width(line)
        line.append((crumb, "here" if last else "accent" if position == 0 else "crumb"))
        if not last:
            spots.append((begin, begin + width_of(crumb), f"crumb({position + count - len(crumbs)})"))
    return line, spots


def _chosen(hints: Sequence[tuple[str, str]], width: int) -> list[tuple[str, str]]:
    chosen = list(hints[:MAX_HINTS])

    def needed() -> int:
        return sum(len(key) + len(label) + 3 for key, label in chosen) - 1

    while len(chosen) > 1 and needed() > width:
        del chosen[-2]
    return chosen


def hint_line(hints: Sequence[tuple[str, str]], width: int) -> Line:
    """Keys and what they do; at most eight, and only those that fit. The last one (help) always stays."""
    line: Line = [(" ", "")]
    for key, label in _chosen(hints, width):
        line += [(key, "hint_key"), (f" {label}  ", "dim")]
    line[-1] = (line[-1][0].rstrip(), "dim")
    return line


def hint_spots(hints: Sequence[tuple[str, str]], width: int) -> list[Spot]:
    """Where the hints can be clicked. Of `e/E` each half is a key of its own, of `space d` each word."""
    spots: list[Spot] = []
    begin = 1
    for key, label in _chosen(hints, width):
        keys = [key] if len(key) == 1 else key.replace("/", " ").split()
        at = begin
        for number, part in enumerate(keys):
            last = number == len(keys) - 1
            end = begin + len(key) + 1 + len(label) if last else at + len(part) + 1
            spots.append((at, end, f"press({part!r})"))
            at = end
        begin += len(key) + len(label) + 3
    return spots
