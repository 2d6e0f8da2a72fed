"""Home: the functions, with how they have been doing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from relive_tui.models.layout.columns import Column, Table, room_for
from relive_tui.models.layout.format import age, bytes_short, count_short, millis, percent, rate, trend
from relive_tui.models.layout.text import Line, Span, clean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from relive_views.health.functions import FunctionHealth
    from relive_views.records import FunctionStats

__all__ = ["POINTS", "FunctionRows"]

POINTS = 24
"""Stretches of time that a series is asked for: no sparkline is wider."""
_TRENDS = (("rate", "accent"), ("error_rate", "error"), ("p95_ms", "accent"), ("waited_p95_ms", "accent"))


class FunctionRows:
    """The functions of the application, the worst first. `figures`: their series, if they are known yet."""

    def __init__(
        self,
        functions: Sequence[FunctionStats] = (),
        now_ns: int = 0,
        hottest: Mapping[str, str] | None = None,
        aliases: Mapping[str, str] | None = None,
        figures: Mapping[str, FunctionHealth] | None = None,
    ) -> None:
        self.functions = sorted(
            functions, key=lambda row: (-bool(row.errors), -row.last_failure_ns, row.name)
        )
        self.now_ns = now_ns
        self._hottest = hottest or {}  # function -> "cart.py:88 31%"
        self._aliases = aliases or {}  # function -> "live v7, 10% v8"; no column if no function has any
        self._figures = figures or {}
        names = room_for((clean(row.name) for row in self.functions), 8, 24)
        known = bool(self._figures)  # on a narrow screen the series stand before the hottest line
        columns = (
            Column("FUNCTION", names, keep=20),
            *((Column("ALIASES", 20, keep=17),) if self._aliases else ()),
            Column("CALLS", 6, "right", keep=11 if known else 19),
            Column("RPS", 5, "right", keep=8),
            Column("", 5, keep=13, grow=1),
            Column("ERR%", 6, "right", keep=19),
            Column("", 5, keep=15, grow=1),
            Column("LAST FAILED", 11, "right", keep=18),
            Column("P95ms", 6, "right", keep=16),
            Column("", 5, keep=14, grow=1),
            Column("WAITED", 6, keep=12, grow=1),
            Column("", 5, "right", keep=9),
            Column("P50ms", 6, "right", keep=5),
            Column("P99ms", 6, "right", keep=6),
            Column("COLD%", 5, "right", keep=4),
            Column("MEM/LIMIT", 11, "right", keep=7),
            Column("HOTTEST LINE", 16, keep=10 if known else 17, grow=3, cut="start"),
        )
        self._table = Table(columns)
        self._trend_columns = [at for at, column in enumerate(columns) if column.grow == 1]

    def __len__(self) -> int:
        return len(self.functions)

    def header(self, width: int) -> Line:
        return self._table.header(width)

    def line(self, index: int, width: int, selected: bool) -> Line:
        row = self.functions[index]
        errors = percent(row.errors, row.invocations)
        tight = row.memory_limit_bytes > 0 and row.max_rss_bytes > 0.9 * row.memory_limit_bytes
        calls, failed, took, waited = self._trends(row.name, width)
        found = self._figures.get(row.name)
        waited_ms = found.whole.waited_p95_ms if found is not None else None
        cells: list[Span] = [
            (clean(row.name), "name"),
            *(((clean(self._aliases.get(row.name, "")), "accent"),) if self._aliases else ()),
            (count_short(row.invocations), ""),
            (rate(row.rps), "dim"),
            calls,
            (("✖" if row.errors else "") + errors, "error" if row.errors else "dim"),
            failed,
            (_ago(row.last_failure_ns, self.now_ns), "error" if row.last_failure_ns else ""),
            (millis(row.p95_ms), ""),
            took,
            waited,
            (millis(waited_ms) if waited_ms is not None else "", ""),
            (millis(row.p50_ms), ""),
            (millis(row.p99_ms), ""),
            (percent(row.cold_starts, row.invocations), "dim"),
            (("!" if tight else "") + _memory(row), "warn" if tight else ""),
            (clean(self._hottest.get(row.name, "")), "path"),
        ]
        return self._table.row(cells, width, selected=selected)

    def _trends(self, function: str, width: int) -> list[Span]:
        """Rate, errors, p95 and waited time, each as wide as its column is."""
        found = self._figures.get(function)
        rooms = dict(self._table.layout(width))
        return [
            (trend(found.series(name), rooms.get(column, 0)) if found is not None else "", style)
            for column, (name, style) in zip(self._trend_columns, _TRENDS, strict=True)
        ]


def _memory(row: FunctionStats) -> str:
    if not row.max_rss_bytes:
        return ""
    limit = "/" + bytes_short(row.memory_limit_bytes) if row.memory_limit_bytes else ""
    return bytes_short(row.max_rss_bytes) + limit


def _ago(then_ns: int, now_ns: int) -> str:
    """`50s ago`, `now`; empty for never."""
    text = age(then_ns, now_ns)
    return text if text in ("", "now") else f"{text} ago"
