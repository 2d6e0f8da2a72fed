"""Home: failure groups, functions, the live line."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from relive_tui.models.failure.acts import state_span
from relive_tui.models.failure.syntax import hit_line
from relive_tui.models.layout.columns import Column, Table, room_for
from relive_tui.models.layout.format import age, bytes_short, clock, count_short, percent, rate, sparkline
from relive_tui.models.layout.text import Line, Span, clean, clean_title, fit, width_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from relive_views.failures import GroupView
    from relive_views.records import FunctionStats

    from relive_tui.models.failure.preview import Preview

__all__ = [
    "FailureRows",
    "FunctionRows",
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
        places = room_for((place(group.file, group.line) for group in self.groups), 8, 26)
        self._table = Table(
            (
                Column("LAST", 8, keep=8),
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
            (clock(group.captured_at), "dim"),
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


class FunctionRows:
    """The functions of the application, the worst first."""

    def __init__(
        self,
        functions: Sequence[FunctionStats] = (),
        now_ns: int = 0,
        hottest: Mapping[str, str] | None = None,
        aliases: Mapping[str, str] | None = None,
    ) -> None:
        self.functions = sorted(
            functions, key=lambda row: (-bool(row.errors), -row.last_failure_ns, row.name)
        )
        self.now_ns = now_ns
        self._hottest = hottest or {}  # function -> "cart.py:88 31%"
        self._aliases = aliases or {}  # function -> "live v7, 10% v8"; no column if no function has any
        names = room_for((clean(row.name) for row in self.functions), 8, 24)
        self._table = Table(
            (
                Column("FUNCTION", names, keep=10),
                *((Column("ALIASES", 20, keep=7),) if self._aliases else ()),
                Column("CALLS", 6, "right", keep=9),
                Column("RPS", 5, "right", keep=5),
                Column("ERR%", 6, "right", keep=9),
                Column("LAST FAILED", 11, "right", keep=8),
                Column("P50ms", 6, "right", keep=5),
                Column("P95ms", 6, "right", keep=4),
                Column("P99ms", 6, "right", keep=7),
                Column("COLD%", 5, "right", keep=3),
                Column("MEM/LIMIT", 11, "right", keep=4),
                Column("HOTTEST LINE", 18, keep=6, grow=1, cut="start"),
                Column("TREND", 10, keep=2),
            )
        )

    def __len__(self) -> int:
        return len(self.functions)

    def header(self, width: int) -> Line:
        return self._table.header(width)

    def line(self, index: int, width: int, selected: bool) -> Line:
        row = self.functions[index]
        errors = percent(row.errors, row.invocations)
        memory = ""
        tight = row.memory_limit_bytes > 0 and row.max_rss_bytes > 0.9 * row.memory_limit_bytes
        if row.max_rss_bytes:
            memory = bytes_short(row.max_rss_bytes)
            memory += "/" + bytes_short(row.memory_limit_bytes) if row.memory_limit_bytes else ""
        cells: list[Span] = [
            (clean(row.name), "name"),
            *(((clean(self._aliases.get(row.name, "")), "accent"),) if self._aliases else ()),
            (count_short(row.invocations), ""),
            (rate(row.rps), "dim"),
            (("✖" if row.errors else "") + errors, "error" if row.errors else "dim"),
            (_ago(row.last_failure_ns, self.now_ns), "error" if row.last_failure_ns else ""),
            (_millis(row.p50_ms), ""),
            (_millis(row.p95_ms), ""),
            (_millis(row.p99_ms), ""),
            (percent(row.cold_starts, row.invocations), "dim"),
            (("!" if tight else "") + memory, "warn" if tight else ""),
            (clean(self._hottest.get(row.name, "")), "path"),
            (sparkline(list(row.spark), 10), "accent"),
        ]
        return self._table.row(cells, width, selected=selected)


def _ago(then_ns: int, now_ns: int) -> str:
    """`50s ago`, `now`; empty for never."""
    text = age(then_ns, now_ns)
    return text if text in ("", "now") else f"{text} ago"


def _millis(value: float) -> str:
    if value <= 0:
        return "0"
    if value < 10:
        return f"{value:.1f}"
    return f"{value:.0f}" if value < 10_000 else f"{value / 1000:.0f}s"


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
