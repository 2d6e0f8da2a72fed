"""The one-line bars: breadcrumb, state, key hints."""

from __future__ import annotations

from collections.abc import Sequence

from textual.strip import Strip
from textual.widget import Widget

from relive_tui.models.text import Line, line_width, width_of
from relive_tui.widgets.strips import strip_of

__all__ = ["LineBar", "crumb_line", "hint_line"]

MAX_HINTS = 8


class LineBar(Widget):
    """One or more lines that somebody sets; the last set wins."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.lines: list[Line] = []
        self.right: Line = []

    def set(self, *lines: Line, right: Line | None = None) -> None:
        """Show these lines; `right` stands at the end of the first one."""
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


def crumb_line(crumbs: Sequence[str], width: int = 0) -> Line:
    """`relive ▸ checkout ▸ Failure`, the last one bright; of what a `width` has no room for, the beginning
    goes."""
    while width and len(crumbs) > 1 and sum(width_of(crumb) + 3 for crumb in crumbs) - 1 > width:
        crumbs = ["…", *crumbs[1 + (crumbs[0] == "…") :]] if len(crumbs) > 2 else crumbs[1:]
    line: Line = [(" ", "")]
    for position, crumb in enumerate(crumbs):
        last = position == len(crumbs) - 1
        if position:
            line.append((" ▸ ", "dim"))
        line.append((crumb, "here" if last else "accent" if position == 0 else "crumb"))
    return line


def hint_line(hints: Sequence[tuple[str, str]], width: int) -> Line:
    """Keys and what they do; at most eight, and only those that fit. The last one (help) always stays."""
    chosen = list(hints[:MAX_HINTS])

    def needed() -> int:
        return sum(len(key) + len(label) + 3 for key, label in chosen) - 1

    while len(chosen) > 1 and needed() > width:
        del chosen[-2]
    line: Line = [(" ", "")]
    for key, label in chosen:
        line += [(key, "hint_key"), (f" {label}  ", "dim")]
    line[-1] = (line[-1][0].rstrip(), "dim")
    return line
