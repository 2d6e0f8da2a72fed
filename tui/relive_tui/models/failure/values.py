"""Captured values as a tree of rows that is opened step by step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from relive_tui.models.failure.table_values import table_of
from relive_tui.models.layout.format import bytes_short
from relive_tui.models.layout.text import Line, clean, fit, line_width, width_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from relive_base.values import ValueNode

__all__ = ["ValueRows", "open_what_fits"]

Path = tuple[int, ...]
MIN_HELD_BYTES = 1024
"""What holds less says nothing about memory."""
LEAST_VALUE_CELLS = 16
"""So much of a value is seen before what is said of it."""
_EVIDENT = ("str", "bytes", "int", "float", "complex", "bool", "NoneType", "dict", "list", "tuple", "set", "")
"""Types that the value's text shows."""


@dataclass(frozen=True, slots=True)
class ValueEntry:
    """A row: the name, the value, how deep; `more` > 0 is the row that says how much was cut, `line` one of a
    table."""

    path: Path
    name: str
    value: ValueNode | None
    more: int = 0
    line: tuple[tuple[str, str], ...] = ()


class ValueRows:
    """Locals of a frame. Opening a row only builds the rows below it.

    `marked` are the names that the failing expression uses. `sizes`: address -> bytes that the object holds
    alive, if the scene has a heap.
    """

    def __init__(
        self,
        values: Sequence[tuple[str, ValueNode]],
        opened: set[Path] | None = None,
        marked: Collection[str] = (),
        sizes: Mapping[int, int] | None = None,
    ) -> None:
        self.values = tuple(values)
        self.marked = frozenset(marked)
        self.sizes = sizes or {}
        self.opened: set[Path] = opened if opened is not None else set()
        self._names = min(max((width_of(clean(name)) for name, _ in self.values), default=0), 16)
        self.entries: list[ValueEntry] = []
        self.rebuild()

    def __len__(self) -> int:
        return len(self.entries) or 1

    def rebuild(self) -> None:
        """The rows, after `opened` changed."""
        self.entries = []
        self._walk(self.values, ())

    def _walk(self, values: Sequence[tuple[str, ValueNode]], above: Path) -> None:
        for position, (name, value) in enumerate(values):
            path = (*above, position)
            self.entries.append(ValueEntry(path, name, value))
            if path in self.opened:
                self._inside(value, path)

    def _inside(self, value: ValueNode, path: Path) -> None:
        table = table_of(value)
        more = value.more
        if table is None:
            self._walk(value.children, path)
        else:
            lines = [table.header(), *map(table.row, range(table.count))]
            self.entries += [
                ValueEntry((*path, number), "", None, line=tuple(line)) for number, line in enumerate(lines)
            ]
            more = table.total - table.count
        if more > 0:
            self.entries.append(ValueEntry((*path, len(value.children)), "", None, more))

    def toggle(self, row: int) -> bool:
        """Open or close a row; False if there is nothing inside."""
        if not 0 <= row < len(self.entries):
            return False
        entry = self.entries[row]
        if entry.value is None or not entry.value.children:
            return False
        self.opened ^= {entry.path}
        self.rebuild()
        return True

    def set_open(self, row: int, wanted: bool) -> bool:
        """Open (or close) a row; False if that changes nothing."""
        if not 0 <= row < len(self.entries) or (self.entries[row].path in self.opened) is wanted:
            return False
        return self.toggle(row)

    def row_of(self, position: int) -> int:
        """The row of a local by its position in the frame."""
        return next((row for row, entry in enumerate(self.entries) if entry.path == (position,)), 0)

    def address_of(self, row: int) -> int:
        """The address of a row's value; 0 if it has none."""
        value = self.entries[row].value if 0 <= row < len(self.entries) else None
        return value.id if value else 0

    def text_of(self, row: int) -> str:
        """`item = {'id': 7}`, for the clipboard."""
        if not 0 <= row < len(self.entries):
            return ""
        entry = self.entries[row]
        return f"{entry.name} = {entry.value.text}" if entry.value else ""

    def header(self, width: int) -> Line | None:
        return None

    def line(self, index: int, width: int, selected: bool) -> Line:
        if not self.entries:
            return [("  no locals were captured", "dim")]
        entry = self.entries[index]
        mark = ("▸" if selected else " ", "accent")
        indent = "  " * (len(entry.path) - 1)
        if entry.line:
            return [mark, (indent + "   ", ""), *entry.line]
        if entry.value is None:
            return [mark, (f"{indent}   … {entry.more:,} more were not captured", "dim")]
        value = entry.value
        fold = ("▾ " if entry.path in self.opened else "▹ ") if value.children else "  "
        name = clean(entry.name)
        label = fit(name, self._names) if len(entry.path) == 1 else name
        flag = "❱" if len(entry.path) == 1 and entry.name in self.marked else " "
        line: Line = [mark, (flag, "error"), (indent + fold, "dim"), (label, "key"), ("  ", "")]
        sign = "⊘ " if value.redacted else "↺ " if value.ref else ""
        style = "warn" if value.redacted else _style_of(value.type)
        after = self._after(value)
        text = sign + clean(value.text)
        room = width - line_width(line) - line_width(after)
        if after and width_of(text) > room:
            text = fit(text, max(room, LEAST_VALUE_CELLS))
        return [*line, (text, style), *after]

    def _after(self, value: ValueNode) -> Line:
        """What is said of a value after it: its type where the text does not show it, how many there are of
        what is shown in part, and what it holds alive."""
        text, kind = clean(value.text), clean(value.type)
        known = (kind, kind.rpartition(".")[2])
        shown = value.type in _EVIDENT or any(name in text[: len(kind) + 2] for name in known)
        facts = [] if shown and not value.redacted else [kind]
        if value.length > len(value.children) and ("…" in text or value.more) and not table_of(value):
            facts.append(f"{value.length:,} {_UNITS.get(value.type, 'items')}")
        line: Line = [("  " + " · ".join(facts), "dim")] if any(facts) else []
        held = self.sizes.get(value.id, 0)
        if held >= MIN_HELD_BYTES:
            line.append((f"  {bytes_short(held)} ▸heap", "warn"))
        return line


_UNITS = {"str": "characters", "bytes": "bytes", "bytearray": "bytes"}


def open_what_fits(
    values: Sequence[tuple[str, ValueNode]], rows: int, always: Collection[str] = ()
) -> set[Path]:
    """The values to open at first: those called `always` (what the failing expression uses, what the
    exception has to tell), then the others in their order, as long as everything still fits into `rows`."""
    opened: set[Path] = set()
    left = rows - len(values)
    for wanted in (True, False):
        for position, (name, value) in enumerate(values):
            needed = _rows_inside(value)
            if value.children and (name in always) is wanted and (wanted or needed <= left):
                opened.add((position,))
                left -= needed
    return opened


def _rows_inside(value: ValueNode) -> int:
    table = table_of(value)
    if table is not None:
        return 1 + table.count + (table.total > table.count)
    return len(value.children) + (value.more > 0)


def _style_of(type_name: str) -> str:
    if type_name in ("str", "bytes", "bytearray"):
        return "string"
    return "number" if type_name in ("int", "float", "complex", "bool", "NoneType", "Decimal") else "value"
