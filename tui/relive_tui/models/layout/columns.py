"""Tables: which columns fit into a width, and how a row is laid out in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from relive_tui.models.layout.text import Line, Span, fit, fit_left, width_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["Column", "Table", "room_for"]

_GAP = 2
_MARK = "▸ "


@dataclass(frozen=True, slots=True)
class Column:
    """One column. `keep`: columns with the lowest value are dropped first if the width is short; `grow`:
    share of the width that is left over; `cut`: "end" or "start", the part of a long value that goes."""

    title: str
    width: int
    align: str = "left"
    keep: int = 5
    grow: int = 0
    cut: str = "end"


class Table:
    """Columns laid out for the width last asked for."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self.columns = tuple(columns)
        self._width = -1
        self._shown: list[tuple[int, int]] = []

    def layout(self, width: int) -> list[tuple[int, int]]:
        """(index of the column, its width) for those that fit; in the order of the columns."""
        if width == self._width:
            return self._shown
        shown = list(range(len(self.columns)))
        room = width - len(_MARK)
        while len(shown) > 1 and self._needed(shown) > room:
            shown.remove(min(shown, key=lambda index: (self.columns[index].keep, -index)))
        extra = max(room - self._needed(shown), 0)
        shares = sum(self.columns[index].grow for index in shown)
        result: list[tuple[int, int]] = []
        for index in shown:
            column = self.columns[index]
            grown = extra * column.grow // shares if shares else 0
            result.append((index, column.width + grown))
        self._width, self._shown = width, result
        return result

    def _needed(self, shown: list[int]) -> int:
        return sum(self.columns[index].width for index in shown) + _GAP * (len(shown) - 1)

    def header(self, width: int) -> Line:
        """The line of titles."""
        cells = [(self.columns[index].title, "head") for index in range(len(self.columns))]
        return self._compose(cells, width, "  ")

    def row(self, cells: Sequence[Span], width: int, *, selected: bool = False) -> Line:
        """One row; `cells` has one span for every column, shown or not."""
        return self._compose(cells, width, _MARK if selected else "  ")

    def _compose(self, cells: Sequence[Span], width: int, mark: str) -> Line:
        line: Line = [(mark, "accent")]
        for position, (index, cell_width) in enumerate(self.layout(width)):
            column = self.columns[index]
            text, style = cells[index]
            if position:
                line.append((" " * _GAP, ""))
            if column.cut == "start" and width_of(text) > cell_width:
                text = fit_left(text, cell_width)
            line.append((fit(text, cell_width, column.align), style))
        return line


def room_for(texts: Iterable[str], least: int, most: int) -> int:
    """Width of a column that shows `texts`: as wide as they are, from `least` to `most` cells."""
    return min(max(max(map(width_of, texts), default=0), least), most)
