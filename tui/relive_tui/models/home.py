"""Home: failure groups, functions, the live line."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from relive_tui.models.failure.acts import state_span
from relive_tui.models.failure.syntax import hit_line
from relive_tui.models.layout.columns import Column, Table, room_for
from relive_tui.models.layout.format import count_short, day_clock, sparkline
from relive_tui.models.layout.text import Line, Span, clean, clean_title, fit, width_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from relive_views.failures import GroupView

    from relive_tui.models.failure.preview import Preview

__all__ = [
    "FailureRows",
    "failure_title",
    "is_settled",
    "kind_label",
    "matches_group",
    "place",
    "preview_lines",
]

_S = 1_000_000_000
NEW_S = 120
KINDS = {
    "exception": "",
    "timeout": "timeout",
    "memory": "memory",
    "recursion": "recursion",
    "init": "init",
    "exit": "exit",
    "signal": "killed",
    "bad_result": "result",
    "bad_event": "event",
    "response": "answer",
    "breakpoint": "held",
}


def place(file: str, line: int, function: str = "") -> str:
    """`cart.py:88 in price`: the file without its folder."""
    if not file:
        return ""
    text = f"{clean(os.path.basename(file))}:{line}"
    return f"{text} in {clean(function)}" if function else text


def kind_label(kind: str) -> str:
    """One word for a failure that is not an ordinary exception."""
    return KINDS.get(kind, kind)


class FailureRows:
    """The failure groups, newest first."""

    def __init__(self, groups: Sequence[GroupView] = (), now_ns: int = 0) -> None:
        self.groups = list(groups)
        self.now_ns = now_ns
        names = room_for((clean(group.function) for group in self.groups), 8, 20)
        times = room_for((day_clock(group.captured_at, now_ns) for group in self.groups), 8, 12)
        places = room_for((place(group.file, group.line) for group in self.groups), 8, 26)
        self._table = Table(
            (
                Column("LAST", times, keep=8),
                Column("FUNCTION", names, keep=9),
                Column("FAILURE", 40, keep=10, grow=1),
                Column("COUNT", 5, "right", keep=7),
                Column("", room_for(map(self._badge, self.groups), 0, 11), keep=6),
                Column("WHERE", places, keep=5, cut="start"),
                Column("TREND", 10, keep=3),
            )
        )

    def __len__(self) -> int:
        return len(self.groups)

    def header(self, width: int) -> Line:
        return self._table.header(width)

    def line(self, index: int, width: int, selected: bool) -> Line:
        group = self.groups[index]
        cells: list[Span] = [
            (day_clock(group.captured_at, self.now_ns), "dim"),
            (clean(group.function), "name"),
            (f"✖ {failure_title(group.error_type, group.message)}", "error"),
            ("×" + count_short(group.count), "bold"),
            (self._badge(group), "warn" if group.state == "open" else state_span(group.state)[1]),
            (place(group.file, group.line), "path"),
            (sparkline(list(group.spark), 10), "error"),
        ]
        return self._table.row(cells, width, selected=selected)

    def _badge(self, group: GroupView) -> str:
        if group.state != "open":
            return state_span(group.state)[0]
        fresh = group.first_at > 0 and self.now_ns - group.first_at < NEW_S * _S
        return "NEW" if fresh else clean(kind_label(group.kind))


def matches_group(group: GroupView, text: str) -> bool:
    """Whether a filter (lower case) keeps a group: by function, error, message or file."""
    shown = (group.function, group.error_type, group.message, group.file, group.kind)
    return any(text in part.lower() for part in shown)


def is_settled(group: GroupView) -> bool:
    """Whether nobody has to look at it: Home shows such groups only if they are asked for."""
    return group.state in ("resolved", "ignored")


def failure_title(error_type: str, message: str) -> str:
    """`KeyError: 'sku'`, on one line."""
    short = clean(error_type.rpartition(".")[2] or "failure")
    return f"{short}: {clean_title(message)}" if message.strip() else short


def preview_lines(preview: Preview | None, group: GroupView | None, height: int = 3) -> list[Line]:
    """The failing line and its locals, in three lines or, with the source around it, in nine."""
    if preview is None:
        return [[(f"… loading the scene of {clean(group.function)}", "dim")]] if group else []
    head: Line = [("✖ ", "error"), (clean(preview.title), "error")]
    if preview.place:
        head += [("   ", ""), (clean(preview.place), "path")]
    lines = [head]
    if height > 3 and preview.around:
        lines += [_around(number, text, number == preview.line) for number, text in preview.around]
    elif preview.source:
        lines.append([("❱ ", "error"), (clean(preview.source.strip()), "code")])
    room = height - len(lines)
    if room > 1:
        each = preview.locals[:room]
        width = max((width_of(clean(name)) for name, _ in each), default=0)
        for name, text in each:
            lines.append([("  " + fit(clean(name), width), "key"), (" = ", "dim"), (clean(text), "value")])
    elif preview.locals:
        row: Line = [("  ", "")]
        for name, text in preview.locals:
            row += [(clean(name), "key"), (" = ", "dim"), (clean(text), "value"), ("   ", "")]
        lines.append(row)
    return lines


def _around(number: int, text: Line, hit: bool) -> Line:
    body = hit_line(text, 200) if hit else text
    return [("❱" if hit else " ", "error"), (f"{number:>5} ", "error" if hit else "dim"), *body]
