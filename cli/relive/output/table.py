"""A table laid out in the width there is: numbers and ids are never cut, texts share what is left."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from relive_base.terminal import one_line
from rich.cells import cell_len, set_cell_size

__all__ = ["GAP", "Cell", "Column", "cut", "layout", "plain", "rows_of"]

GAP: Final = 2
_LEAST: Final = 4  # cells of a text column if there is no room at all
_ALIGNED: Final = 160  # a longer text moves what is beside it, and not each other row


def plain(value: object) -> str:
    """Any value on one line, safe for a terminal; "-" for None."""
    if value is None:
        return "-"
    return one_line(value) if isinstance(value, str) else one_line(str(value))


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table for people; `key` names the field of the row.

    `least`: a text that may be cut down to so many cells; 0: never cut. `share`: of the room that texts are
    given above that. `rank`: if there is no room, the column with the highest goes first; 0 stays. `wide`:
    shown with --wide only. `style`: of a row's cell, as click names colours ("red", "dim", "bold"), "" for
    none.
    """

    key: str
    title: str
    show: Callable[[Any], str] = plain
    right: bool = False
    least: int = 0
    share: int = 1
    rank: int = 0
    wide: bool = False
    style: Callable[[Mapping[str, Any]], str] | str = ""

    def style_of(self, row: Mapping[str, Any]) -> str:
        """The style of this column's cell in `row`."""
        return self.style if isinstance(self.style, str) else self.style(row)


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell as it is shown: padded to its column's width."""

    text: str
    style: str = ""


def cut(text: str, width: int) -> str:
    """`text` in at most `width` cells of a terminal, with an ellipsis if it was longer."""
    if cell_len(text) <= width:
        return text
    return f"{set_cell_size(text, max(width - 1, 0)).rstrip()}…"


def layout(columns: Sequence[Column], needs: Sequence[int], width: int | None) -> dict[int, int]:
    """The columns to show, by index, with their widths in cells. `needs`: what each column's longest text
    takes. `width` None: no limit; texts of up to 160 cells are aligned."""
    shown = list(range(len(columns)))
    if width is None:
        return {index: min(needs[index], _ALIGNED) for index in shown}

    def least(index: int) -> int:
        return min(needs[index], columns[index].least) if columns[index].least else needs[index]

    def room(sizes: list[int]) -> int:
        return width - sum(sizes) - GAP * (len(sizes) - 1)

    while room([least(index) for index in shown]) < 0:
        ranked = [index for index in shown if columns[index].rank]
        if not ranked:
            break
        shown.remove(max(ranked, key=lambda index: (columns[index].rank, index)))
    sizes = {index: least(index) for index in shown}
    _shrink(columns, sizes, -room(list(sizes.values())))
    _grow(columns, sizes, needs, room(list(sizes.values())))
    return sizes


def _shrink(columns: Sequence[Column], sizes: dict[int, int], excess: int) -> None:
    """No column may go: texts get shorter than they should be, the longest first."""
    while excess > 0:
        texts = [index for index in sizes if columns[index].least and sizes[index] > _LEAST]
        if not texts:
            return
        longest = max(texts, key=lambda index: sizes[index])
        sizes[longest] -= 1
        excess -= 1


def _grow(columns: Sequence[Column], sizes: dict[int, int], needs: Sequence[int], room: int) -> None:
    """Hand out `room` to the texts that need it, by their shares."""
    while room > 0:
        short = [index for index in sizes if sizes[index] < needs[index]]
        if not short:
            return
        total = sum(columns[index].share for index in short)
        given = 0
        for index in short:
            part = min(max(room * columns[index].share // total, 1), needs[index] - sizes[index])
            part = min(part, room - given)
            sizes[index] += part
            given += part
        room -= given


def rows_of(
    rows: Sequence[Mapping[str, Any]], columns: Sequence[Column], width: int | None, *, wide: bool = False
) -> list[list[Cell]]:
    """The head and each row as cells. A column that may go and has nothing to say goes at once."""
    chosen = [column for column in columns if wide or not column.wide]
    texts = [[column.show(row.get(column.key)) for column in chosen] for row in rows]
    kept = [
        index
        for index, column in enumerate(chosen)
        if not column.rank or any(line[index] not in ("", "-") for line in texts)
    ]
    chosen = [chosen[index] for index in kept]
    texts = [[line[index] for index in kept] for line in texts]
    needs = [
        max([cell_len(column.title), *(cell_len(line[index]) for line in texts)])
        for index, column in enumerate(chosen)
    ]
    sizes = layout(chosen, needs, width)
    whole = width is None
    head = [Cell(_fitted(chosen[index], chosen[index].title, size), "dim") for index, size in sizes.items()]
    return [
        head,
        *(
            [
                Cell(_fitted(chosen[index], line[index], size, whole), chosen[index].style_of(row))
                for index, size in sizes.items()
            ]
            for row, line in zip(rows, texts, strict=True)
        ),
    ]


def _fitted(column: Column, text: str, size: int, whole: bool = False) -> str:
    text = text if whole else cut(text, size)
    padding = " " * (size - cell_len(text))
    return padding + text if column.right else text + padding
