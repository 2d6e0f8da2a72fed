"""Home: failure groups, functions, the live line."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from relive_tui.models.columns import Column, Table
from relive_tui.models.format import age, bytes_short, clock, count_short, percent, rate, sparkline
from relive_tui.models.syntax import hit_line
from relive_tui.models.text import Line, Span, clean, clean_title, fit, width_of

if TYPE_CHECKING:
    from relive_tui.models.data import FailureGroup, FunctionRow, Preview

__all__ = [
    "FailureRows",
    "FunctionRows",
    "Health",
    "failure_title",
    "health_line",
    "kind_label",
    "lateness",
    "matches_group",
    "place",
    "preview_lines",
]

_LATE_S = 2.0  # what is younger arrives while one looks

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

    def __init__(self, groups: Sequence[FailureGroup] = (), now_ns: int = 0) -> None:
        self.groups = list(groups)
        self.now_ns = now_ns
        self._table = Table(
            (
                Column("LAST", 8, keep=9),
                Column("FUNCTION", 14, keep=8, grow=1),
                Column("FAILURE", 22, keep=10, grow=8),
                Column("COUNT", 6, "right", keep=7),
                Column("TREND", 10, keep=3),
                Column("", 9, keep=4),
                Column("WHERE", 16, keep=6, grow=1, cut="start"),
            )
        )

    def __len__(self) -> int:
        return len(self.groups)

    def header(self, width: int) -> Line:
        return self._table.header(width)

    def line(self, index: int, width: int, selected: bool) -> Line:
        group = self.groups[index]
        fresh = group.first_ns > 0 and self.now_ns - group.first_ns < NEW_S * _S
        badge = "NEW" if fresh else kind_label(group.kind)
        cells: list[Span] = [
            (clock(group.last_ns), "dim"),
            (clean(group.function), "name"),
            (f"✖ {failure_title(group.error_type, group.message)}", "error"),
            ("×" + count_short(group.count), "bold"),
            (sparkline(list(group.spark), 10), "error"),
            (badge, "warn"),
            (place(group.file, group.line), "path"),
        ]
        return self._table.row(cells, width, selected=selected)


def matches_group(group: FailureGroup, text: str) -> bool:
    """Whether a filter (lower case) keeps a group: by function, error, message or file."""
    shown = (group.function, group.error_type, group.message, group.file, group.kind)
    return any(text in part.lower() for part in shown)


def failure_title(error_type: str, message: str) -> str:
    """`KeyError: 'sku'`, on one line."""
    short = clean(error_type.rpartition(".")[2] or "failure")
    return f"{short}: {clean_title(message)}" if message.strip() else short


class FunctionRows:
    """The functions of the application, the worst first."""

    def __init__(self, functions: Sequence[FunctionRow] = (), now_ns: int = 0) -> None:
        self.functions = sorted(
            functions, key=lambda row: (-bool(row.errors), -row.last_failure_ns, row.name)
        )
        self.now_ns = now_ns
        self._table = Table(
            (
                Column("FUNCTION", 14, keep=10, grow=2),
                Column("RPS", 5, "right", keep=8),
                Column("CALLS", 6, "right", keep=4),
                Column("TREND", 10, keep=2),
                Column("ERR%", 6, "right", keep=9),
                Column("P50ms", 6, "right", keep=7),
                Column("P95ms", 6, "right", keep=6),
                Column("P99ms", 6, "right", keep=8),
                Column("COLD%", 5, "right", keep=4),
                Column("MEM/LIMIT", 11, "right", keep=4),
                Column("FAILED", 6, "right", keep=3),
                Column("HOTTEST LINE", 18, keep=7, grow=3, cut="start"),
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
            (rate(row.rps), ""),
            (count_short(row.invocations), "dim"),
            (sparkline(list(row.spark), 10), "accent"),
            (("✖" if row.errors else "") + errors, "error" if row.errors else "dim"),
            (_millis(row.p50_ms), ""),
            (_millis(row.p95_ms), ""),
            (_millis(row.p99_ms), ""),
            (percent(row.cold_starts, row.invocations), "dim"),
            (("!" if tight else "") + memory, "warn" if tight else ""),
            (age(row.last_failure_ns, self.now_ns), "error" if row.last_failure_ns else ""),
            (clean(row.hot_line), "path"),
        ]
        return self._table.row(cells, width, selected=selected)


def _millis(value: float) -> str:
    if value <= 0:
        return "0"
    if value < 10:
        return f"{value:.1f}"
    return f"{value:.0f}" if value < 10_000 else f"{value / 1000:.0f}s"


@dataclass(frozen=True, slots=True)
class Health:
    """What the platform says of itself; `reachable` is False when there is no server to ask."""

    reachable: bool = False
    lag_s: float = 0.0
    dropped: int = 0
    spooled: int = 0
    workers: str = ""
    queue: str = ""
    detail: str = ""
    store: str = ""  # why the store cannot be used now


def lateness(health: Health | None) -> str:
    """Why what was recorded is perhaps not shown yet; "" where all is there or there is no server to ask."""
    if health is None or not health.reachable:
        return ""
    waiting = f"\n\n{count_short(health.spooled)} rows wait" if health.spooled else ""
    if health.store:
        return f"The store is {clean(health.store)}.{waiting}"
    if health.lag_s > _LATE_S:
        return f"The store is behind by {health.lag_s:,.0f} s: what happened since is shown later.{waiting}"
    return ""


def health_line(health: Health | None, *, paused: bool, new: int) -> Line:
    """The live line at the bottom of Home."""
    if paused:
        line: Line = [("⏸ PAUSED", "warn"), (f"  {count_short(new)} new" if new else "", "bold")]
    else:
        line = [("▶ LIVE", "ok")]
    if health is None:
        return line
    if not health.reachable:
        told = ("○ no server: showing what was recorded", "dim")
        return [*line, ("  ", ""), told] if paused else [told]
    if health.store:
        line += [("  ! store ", "warn"), (clean(health.store), "warn")]
        if health.spooled:
            line += [("  spooled ", "dim"), (count_short(health.spooled), "")]
    late = health.lag_s > _LATE_S
    line += [
        ("  ingest lag ", "dim"),
        (("! " if late else "") + f"{health.lag_s:.1f}s", "warn" if late else ""),
    ]
    line += [("  dropped ", "dim"), (("! " if health.dropped else "") + count_short(health.dropped), "")]
    for label, value in (("workers", health.workers), ("queue", health.queue), ("", health.detail)):
        if value:
            line += [(f"  {label} ", "dim"), (clean(value), "")]
    return line


def preview_lines(preview: Preview | None, group: FailureGroup | None, height: int = 3) -> list[Line]:
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
