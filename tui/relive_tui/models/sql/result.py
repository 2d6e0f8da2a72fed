"""A result as a table that can be wider than the screen, as CSV and as JSON."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from relive_tui.models.layout.text import MAX_TEXT, Line, clean, fit, width_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from relive_views.sql import Columns, Schema

__all__ = ["ENDINGS", "ResultRows", "SchemaRows", "as_csv", "as_json", "cell_text", "row_lines", "shown_text"]

ENDINGS: Final = (".csv", ".json")
_MEASURED: Final = 300  # rows that say how wide a column is
_WIDEST: Final = 48
_FEW: Final = 30
_DEEP: Final = 4
_TIME: Final = re.compile(r"(?:Nullable\(|LowCardinality\()*DateTime")
_NUMBER: Final = re.compile(r"(?:Nullable\(|LowCardinality\()*(?:U?Int|Float|Decimal)")


def cell_text(value: object, kind: str) -> str:
    """A cell as people read it: times in UTC, lists and maps as JSON."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) and _TIME.match(kind):
        return _utc(value)
    if isinstance(value, str | int | float):
        return str(value)
    return json.dumps(value, ensure_ascii=False, default=str)


def shown_text(value: object, kind: str) -> str:
    """The beginning of that, which is all that a screen has room for."""
    if isinstance(value, str):
        return value[:MAX_TEXT]
    return cell_text(_few(value) if isinstance(value, list | tuple | dict) else value, kind)


def _few(value: object, depth: int = 0) -> object:
    """The first ones of what a list or a map has, and of what these have."""
    if isinstance(value, str):
        return value[:_FEW]
    if not isinstance(value, list | tuple | dict):
        return value
    if depth == _DEEP:
        return "…"
    if isinstance(value, dict):
        first = {key[:_FEW]: _few(value[key], depth + 1) for key in islice(map(str, value), _FEW)}
        return {**first, "…": f"{len(value) - _FEW} more"} if len(value) > _FEW else first
    few = [_few(each, depth + 1) for each in value[:_FEW]]
    return [*few, f"… {len(value) - _FEW} more"] if len(value) > _FEW else few


def _utc(ns: int) -> str:
    """`2026-11-30 11:12:13.000204`: what is 0 at the end is left out."""
    second, rest = divmod(ns, 1_000_000_000)
    try:
        text = f"{datetime.fromtimestamp(second, UTC):%Y-%m-%d %H:%M:%S}"
    except (OverflowError, ValueError, OSError):
        return str(ns)
    return text + f".{rest:09d}".rstrip("0").rstrip(".") if rest else text


class ResultRows:
    """The rows of a result. Cells become text when they are looked at."""

    def __init__(self, columns: Columns) -> None:
        self.columns = columns
        self.right = [_NUMBER.match(kind) is not None for kind in columns.types]
        self.widths = [
            min(max([width_of(clean(name)), *self._measured(at)]), _WIDEST)
            for at, name in enumerate(columns.names)
        ]

    def _measured(self, at: int) -> list[int]:
        kind = self.columns.types[at]
        return [
            width_of(clean(shown_text(value, kind)[:_WIDEST])) for value in self.columns.data[at][:_MEASURED]
        ]

    def __len__(self) -> int:
        return len(self.columns)

    @property
    def width(self) -> int:
        """Cells of a row that is shown whole."""
        return sum(self.widths) + 2 * len(self.widths)

    def header(self, width: int) -> Line:
        line: Line = [("  ", "")]
        for name, room, right in zip(self.columns.names, self.widths, self.right, strict=True):
            line += [(fit(clean(name), room, "right" if right else "left"), "head"), ("  ", "")]
        return line

    def line(self, index: int, width: int, selected: bool) -> Line:
        line: Line = [("▸ " if selected else "  ", "accent")]
        for at, (kind, room, right) in enumerate(
            zip(self.columns.types, self.widths, self.right, strict=True)
        ):
            value = self.columns.data[at][index]
            style = "dim" if value is None else "number" if right else "value"
            line += [
                (fit(clean(shown_text(value, kind)), room, "right" if right else "left"), style),
                ("  ", ""),
            ]
        return line


class SchemaRows:
    """The tables and what they have: what is shown before anything was asked."""

    def __init__(self, schema: Schema) -> None:
        self.tables = sorted(schema.tables.items())
        self._room = max((width_of(clean(name)) for name, _columns in self.tables), default=8)

    def rows_query(self, index: int) -> str:
        """What shows the first rows of a table, without the states of aggregates, which nobody can read."""
        name, columns = self.tables[index]
        states = [_quoted(column) for column, kind in columns if kind.startswith("AggregateFunction(")]
        without = f" EXCEPT ({', '.join(states)})" if states else ""
        return " ".join((f"SELECT *{without} FROM", _quoted(name), "LIMIT 100"))

    def __len__(self) -> int:
        return len(self.tables)

    def header(self, width: int) -> Line:
        return [("  ", ""), (fit("TABLE", self._room), "head"), ("  COLUMNS", "head")]

    def line(self, index: int, width: int, selected: bool) -> Line:
        name, columns = self.tables[index]
        told = ", ".join(clean(column) for column, _kind in columns)
        return [
            ("▸ " if selected else "  ", "accent"),
            (fit(clean(name), self._room), "name"),
            ("  ", ""),
            (told, "dim"),
        ]


def _quoted(name: str) -> str:
    return name if name.isidentifier() else f"`{name}`"


def row_lines(columns: Columns, index: int) -> list[Line]:
    """One row, a line for each column."""
    room = max((width_of(clean(name)) for name in columns.names), default=0)
    return [
        [
            (fit(clean(name), room), "key"),
            ("  ", ""),
            (clean(shown_text(columns.data[at][index], kind)), "value"),
        ]
        for at, (name, kind) in enumerate(zip(columns.names, columns.types, strict=True))
    ]


def as_csv(columns: Columns) -> str:
    """With a header; times in UTC, NULL as an empty cell."""
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(columns.names)
    for row in columns.rows():
        writer.writerow(_csv_row(row, columns.types))
    return file.getvalue()


def _csv_row(row: Sequence[object], kinds: Sequence[str]) -> list[str]:
    return ["" if value is None else cell_text(value, kind) for value, kind in zip(row, kinds, strict=True)]


def as_json(columns: Columns) -> str:
    """A list of objects, as `relive sql --json` prints them: times are ns since the epoch. Columns of one
    name are told apart by a number."""
    names: list[str] = []
    for name in columns.names:
        same = [each for each in columns.names[: len(names)] if each == name]
        names.append(f"{name}_{len(same) + 1}" if same else name)
    rows: list[dict[str, Any]] = [
        dict(zip(names, map(_number_or_null, row), strict=True)) for row in columns.rows()
    ]
    return json.dumps(rows, ensure_ascii=False, default=str, indent=1) + "\n"


def _number_or_null(value: object) -> object:
    """JSON has neither NaN nor infinities."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list | tuple):
        return [_number_or_null(each) for each in value]
    if isinstance(value, dict):
        return {key: _number_or_null(each) for key, each in value.items()}
    return value
