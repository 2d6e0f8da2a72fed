"""Logs: a live tail that stays where the reader is."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from relive_base.shown_numbers import counted
from textual.binding import Binding, BindingType

from relive_tui.models.layout.format import count_short
from relive_tui.models.layout.text import Line, clean
from relive_tui.models.lists.feed import Feed
from relive_tui.models.lists.logs import LogTail, folded_lines
from relive_tui.models.navigation.scope import Place
from relive_tui.screens.base import ReliveScreen
from relive_tui.widgets.bars import LineBar
from relive_tui.widgets.rows import VirtualRows

if TYPE_CHECKING:
    from collections.abc import Iterable

    from relive_views.records import LogRow
    from textual.widget import Widget

    from relive_tui.source.tickets import Ticket

__all__ = ["LogsScreen"]

EMPTY = "No log lines here.\n\nt: another range · /: another filter · print() and logging both end up here"
SEVERITIES = ("", "INFO", "WARN", "ERROR")
OVERLAP_NS = 2_000_000_000
"""Lines can become visible a little out of order: the last two seconds are asked for again and told apart."""


class LogsScreen(ReliveScreen):
    """Oldest on top. The cursor is on the newest line until it is moved up."""

    HINTS: ClassVar = (
        ("/", "filter"), ("s", "severity"), ("l", "traceback"), ("G", "follow"), ("⏎", "trace"),
        ("e/E", "error"), ("t", "range"),
    )  # fmt: skip
    REFRESH_S = 0.5
    BINDINGS: ClassVar[list[BindingType]] = [Binding("s", "severity", show=False)]

    def body(self) -> Iterable[Widget]:
        yield LineBar(id="filter")
        yield VirtualRows(title="Logs", empty="… loading log lines", wide=True, id="rows")
        yield LineBar(id="line")

    def setup(self) -> None:
        self.tail = LogTail()
        self.lines: Feed[list[LogRow]] = Feed("log lines")
        self.text = ""
        self.severity = ""
        self.tail.with_function = not self.scope.function
        self.query_one("#rows", VirtualRows).source = self.tail
        self._show_filter()

    @property
    def follows(self) -> bool:
        return self.tail.following

    # ------------------------------------------------------------ data

    def load(self) -> None:
        self.tail.clear()
        self.tail.with_function = not self.scope.function
        self._ask(0)

    def tick(self) -> None:
        self._ask(max(self.tail.newest_ns - OVERLAP_NS, 0))

    def _ask(self, after_ns: int) -> None:
        scope, text, severity = self.scope, self.text, self.severity
        since = 0 if scope.invocation_id or scope.trace_id else scope.since_ns(self.data.now_ns())

        def work(ticket: Ticket) -> list[LogRow]:
            return self.data.logs(
                ticket, scope, text=text, severity=severity, since_ns=since, after_ns=after_ns, limit=2_000
            )

        self.ask("lines", self.lines, work, self._arrived)

    def _arrived(self, rows: list[LogRow]) -> None:
        panel = self.query_one("#rows", VirtualRows)
        appended, fell = self.tail.add(rows)
        if len(self.tail):
            panel.say_empty(EMPTY)
        else:
            self.say_nothing(panel, EMPTY)
        if self.tail.following:
            panel.show(self.tail, len(self.tail) - 1)
        elif appended:
            if fell:  # the reader's line moved up by as many as fell off the top
                panel.scroll_to(y=max(panel.scroll_offset.y - fell, 0), animate=False, force=True)
            panel.show(self.tail)
            panel.cursor = max(panel.cursor - fell, 0)
        self._show_filter()

    # ------------------------------------------------------------ showing

    def _show_filter(self) -> None:
        panel = self.query_one("#rows", VirtualRows)
        panel.border_title = f"Logs  {counted(len(self.tail.rows), 'line')}"
        unseen = self.tail.unseen
        panel.border_subtitle = f"↓ {count_short(unseen)} new (G)" if unseen else ""
        state = ("following ", "ok") if self.tail.following else ("not following ", "warn")
        text = clean(self.text) or "all"
        self.query_one("#filter", LineBar).set(
            [
                (" / ", "hint_key"), (text, "" if self.text else "dim"), ("   severity ", "dim"),
                ((self.severity or "any") + ("+" if self.severity else ""), ""),
            ],
            right=[state],
        )  # fmt: skip
        self._show_line()

    def _show_line(self) -> None:
        """Whose line the cursor is on."""
        line: Line = []
        if len(self.tail):
            row, _ = self.tail.entry(min(self.query_one("#rows", VirtualRows).cursor, len(self.tail) - 1))
            name = clean(row.function)
            line = [
                (" ", ""),
                (name, "name"),
                ("  invocation ", "dim"),
                (clean(row.invocation_id) or "none", ""),
            ]
            line += [("  attempt ", "dim"), (str(row.attempt), "warn" if row.attempt > 1 else "")]
            line += [("  ", ""), (clean(row.source), "dim")]
            if below := len(folded_lines(row)):
                line += [("  l ", "hint_key"), (counted(below, "line") + " below", "dim")]
        self.query_one("#line", LineBar).set(line)

    def on_virtual_rows_moved(self, moved: VirtualRows.Moved) -> None:
        self.tail.moved(moved.index)
        self.show_crumbs()
        self._show_filter()

    # ------------------------------------------------------------ keys

    def on_virtual_rows_sideways(self, side: VirtualRows.Sideways) -> None:
        """Unfold the traceback of a line, or fold it again."""
        row = self.tail.set_open(side.index, side.step > 0) if len(self.tail) else -1
        if row >= 0:
            side.rows.refit()
            side.rows.move_to(row)
            self.tail.moved(row)
            self._show_filter()

    def on_virtual_rows_chosen(self, chosen: VirtualRows.Chosen) -> None:
        if not len(self.tail):
            return
        row, _ = self.tail.entry(chosen.index)
        if row.trace_id:
            scope = replace(
                self.scope, function=row.function, invocation_id=row.invocation_id, trace_id=row.trace_id,
                span_id=row.span_id,
            )  # fmt: skip
            self.relive.go(Place("trace", scope))

    def action_severity(self) -> None:
        """The next least severity."""
        self.severity = SEVERITIES[(SEVERITIES.index(self.severity) + 1) % len(SEVERITIES)]
        self.load()
        self._show_filter()

    def slash(self) -> None:
        from relive_tui.screens.dialogs.prompt import Prompt

        def done(text: str | None) -> None:
            if text is not None:
                self.text = text
                self.load()
                self._show_filter()

        self.app.push_screen(Prompt("Filter log lines", self.text, hint="text that the line contains"), done)

    def leave(self) -> bool:
        if not self.text:
            return False
        self.text = ""
        self.load()
        return True

    def go_error(self, step: int) -> None:
        panel = self.query_one("#rows", VirtualRows)
        index = panel.cursor + step
        while 0 <= index < len(self.tail):
            row, below = self.tail.entry(index)
            if not below and row.severity.upper() in ("ERROR", "FATAL"):
                panel.move_to(index)
                return
            index += step
        self.notify("no further error among these lines", timeout=2, markup=False)
