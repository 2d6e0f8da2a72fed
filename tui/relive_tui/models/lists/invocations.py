"""The invocation list: rows of a pager, their order, the preview."""

from __future__ import annotations

from typing import TYPE_CHECKING

from relive_tui.models.home import failure_title, place
from relive_tui.models.layout.columns import Column, Table
from relive_tui.models.layout.format import bytes_short, clock_ms, duration, short_id
from relive_tui.models.layout.text import Line, Span, clean

if TYPE_CHECKING:
    from relive_views.records import InvocationRow

    from relive_tui.models.lists.pager import Pager

__all__ = ["ORDERS", "ORDER_NAMES", "STATUS_LOOK", "InvocationRows", "invocation_preview", "status_span"]

ORDERS = ("newest", "slowest", "cpu", "memory", "queue", "oldest")
ORDER_NAMES = {
    "newest": "newest first", "slowest": "slowest first", "cpu": "most CPU first",
    "memory": "most memory first", "queue": "longest queued first", "oldest": "oldest first",
}  # fmt: skip
STATUS_LOOK = {
    "ok": ("✔", "ok"),
    "error": ("✖", "error"),
    "timeout": ("⧗", "warn"),
    "memory": ("▲", "error"),
    "crash": ("☠", "error"),
    "init_error": ("✖", "error"),
    "rejected": ("⊘", "dim"),
    "lost": ("‽", "warn"),
}
"""Sign and style of a status; the word stands beside it, so that colour is never the only sign."""


def status_span(status: str) -> Span:
    """`✖ error` in its colour."""
    sign, style = STATUS_LOOK.get(status, ("?", "warn"))
    return f"{sign} {clean(status)}", style


class InvocationRows:
    """Invocations as a table over a pager; a row whose page is on its way is a line of dots."""

    def __init__(self, pager: Pager[InvocationRow], *, with_function: bool = True) -> None:
        self.pager = pager
        self._with_function = with_function
        self.marked: dict[tuple[str, int], InvocationRow] = {}  # for comparing; in the order of marking
        self._table = Table(
            (
                Column("TIME", 12, keep=9),
                *((Column("FUNCTION", 14, keep=8),) if with_function else ()),
                Column("STATUS", 12, keep=10),
                Column("DURATION", 8, "right", keep=9),
                Column("MEM", 6, "right", keep=4),
                Column("COLD", 8, keep=3),
                Column("FROM", 5, keep=2),
                Column("ERROR", 30, keep=7, grow=1),
                Column("INVOCATION", 13, keep=5),
            )
        )

    def __len__(self) -> int:
        return len(self.pager)

    def header(self, width: int) -> Line:
        return self._table.header(width)

    def line(self, index: int, width: int, selected: bool) -> Line:
        row = self.pager.get(index)
        if row is None:
            return [("▸ " if selected else "  ", "accent"), ("· · ·", "dim")]
        error = failure_title(row.error_type, row.error_message) if row.error_type else ""
        cells: list[Span] = [
            (clock_ms(row.started_at), "dim"),
            *(((clean(row.function), "name"),) if self._with_function else ()),
            status_span(row.status),
            (duration(row.duration_ns), ""),
            (bytes_short(row.peak_rss_bytes) if row.peak_rss_bytes else "", "dim"),
            ("❄ " + duration(row.init_ns) if row.cold else "", "accent"),
            (clean(row.trigger), "dim"),
            (error, "error"),
            (short_id(clean(row.invocation_id)), "dim"),
        ]
        line = self._table.row(cells, width, selected=selected)
        if (row.invocation_id, row.attempt) in self.marked:
            line[0] = ("◆▸" if selected else "◆ ", "warn")
        return line

    def mark(self, row: InvocationRow) -> None:
        """Mark a row, or take its mark away; the third mark replaces the first."""
        key = (row.invocation_id, row.attempt)
        if self.marked.pop(key, None) is not None:
            return
        self.marked[key] = row
        if len(self.marked) > 2:
            del self.marked[next(iter(self.marked))]


def invocation_preview(row: InvocationRow) -> list[Line]:
    """What is known of the row under the cursor without another query."""
    sign, style = status_span(row.status)
    head: Line = [(sign, style), ("  ", ""), (clean(row.function), "name"), (f" v{row.version}", "dim")]
    if row.attempt > 1:
        head.append((f"  attempt {row.attempt}", "warn"))
    lines: list[Line] = [head]
    if row.error_type:
        where = place(row.error_file, row.error_line, row.error_function)
        lines.append(
            [(failure_title(row.error_type, row.error_message), "error"), ("   ", ""), (where, "path")]
        )
    times: Line = []
    for label, value in (
        ("queue", row.queue_ns),
        ("init", row.init_ns),
        ("handler", row.duration_ns),
        ("cpu", row.cpu_ns),
    ):
        if value or label == "handler":
            times += [(label + " ", "dim"), (duration(value), ""), ("  ", "")]
    if row.http_status:
        times += [("http ", "dim"), (str(row.http_status), ""), ("  ", "")]
    memory = bytes_short(row.peak_rss_bytes) if row.peak_rss_bytes else "-"
    limit = f" of {bytes_short(row.memory_limit_bytes)}" if row.memory_limit_bytes else ""
    times += [("memory ", "dim"), (memory + limit, "")]
    scene = "scene ✔" if row.has_scene else "no scene"
    lines.append(times)
    lines.append(
        [
            ("spans ", "dim"), (str(row.spans), ""), ("  logs ", "dim"), (str(row.logs), ""), ("  ", ""),
            (scene if row.failed else "", "ok" if row.has_scene else "dim"),
            ("  trace ", "dim"), (clean(row.trace_id), "dim"),
        ]
    )  # fmt: skip
    return lines
