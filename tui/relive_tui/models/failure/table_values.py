"""A captured DataFrame or table as rows: it is captured by columns, and read by rows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from relive_base.json_text import parse_bounded

from relive_tui.models.layout.text import Line, clean, fit, width_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from relive_base.values import ValueNode

__all__ = ["TableView", "table_of"]

_TABLE = re.compile(r"[\w.]* ?(\d+) rows x (\d+) columns \{")
_LISTED = re.compile(r"\[\[.*\]\]", re.DOTALL)
UNKNOWN = "·"
MAX_CELL = 24
MAX_DEPTH = 4


class TableView:
    """The rows that were captured of `total`; a cell that was not is `·`."""

    def __init__(self, columns: list[tuple[str, list[str]]], total: int) -> None:
        self.total = total
        self.count = max(len(cells) for _, cells in columns)
        self._columns = columns
        self._widths = [min(max(map(width_of, (name, *cells, UNKNOWN))), MAX_CELL) for name, cells in columns]
        self._index = len(str(max(self.count - 1, 0)))

    def header(self) -> Line:
        """The names of the columns."""
        return [(" " * self._index, ""), *self._cells([name for name, _ in self._columns], "key")]

    def row(self, number: int) -> Line:
        """One row, its number first."""
        cells = [cells[number] if number < len(cells) else UNKNOWN for _, cells in self._columns]
        return [(fit(str(number), self._index, "right"), "dim"), *self._cells(cells, "value")]

    def _cells(self, cells: list[str], style: str) -> Iterator[tuple[str, str]]:
        for text, width in zip(cells, self._widths, strict=True):
            yield "  ", ""
            yield fit(text, width), "dim" if text == UNKNOWN else style


def table_of(value: ValueNode) -> TableView | None:
    """The rows of a captured table; None of any other value, and of one without a single cell."""
    shape = _TABLE.search(value.text[:200])
    if shape is None or not value.children:
        return None
    columns = [
        (clean(name), [] if column.redacted else list(_cells(column))) for name, column in value.children
    ]
    return TableView(columns, int(shape[1])) if any(cells for _, cells in columns) else None


def _cells(column: ValueNode, depth: int = 0) -> Iterator[str]:
    """The values of a column: of an array its items, of one of Arrow what its library printed."""
    items = [child for name, child in column.children if name.startswith("[")]
    if items:
        yield from (clean(item.text) for item in items)
        return
    listed = _LISTED.search(column.text)
    if listed is not None:
        try:
            chunks = parse_bounded(listed[0])
        except ValueError:
            return
        for chunk in chunks if isinstance(chunks, list) else ():
            yield from (clean(repr(item)) for item in (chunk if isinstance(chunk, list) else ()))
        return
    if depth < MAX_DEPTH:
        for _, child in column.children:
            found = list(_cells(child, depth + 1))
            if found:
                yield from found
                return
