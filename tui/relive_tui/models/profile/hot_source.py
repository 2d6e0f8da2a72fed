"""The source of a hot line, with each line's share of the time beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from relive_tui.models.failure.syntax import highlight_python, hit_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from relive_views.profiles.trees import HotRow

    from relive_tui.models.layout.text import Line

__all__ = ["HotSourceRows"]

AROUND = 200


class HotSourceRows:
    """Lines around `line`; those of `hot` in the same file carry their percentage."""

    def __init__(self, source: Sequence[str], line: HotRow, hot: Sequence[HotRow]) -> None:
        self.line_number = line.line
        self.first = max(line.line - AROUND, 1)
        self.lines = highlight_python(source[self.first - 1 : line.line + AROUND]) if source else []
        self.shares = {row.line: row.self_pct for row in hot if row.file == line.file}

    def __len__(self) -> int:
        return len(self.lines) or 1

    def row_of_line(self) -> int:
        """The row of the hot line."""
        return max(self.line_number - self.first, 0)

    def header(self, width: int) -> Line | None:
        return None

    def line(self, index: int, width: int, selected: bool) -> Line:
        if not self.lines:
            return [("  the source of this line is not at hand", "dim")]
        number = self.first + index
        hit = number == self.line_number
        share = self.shares.get(number, 0.0)
        head: Line = [
            ("❱" if hit else " ", "error"),
            (f"{share:>5.1f}% " if share else " " * 7, "warn"),
            (f"{number:>5} ", "error" if hit else "dim"),
        ]
        body = self.lines[index]
        return [*head, *(hit_line(body, width) if hit else body)]
