"""Alerts: how they stand, the changes of the one under the cursor, silences."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from relive_base.shown_numbers import counted
from textual.binding import Binding, BindingType

from relive_tui.models.alerts import (
    AlertRows,
    ChangeRows,
    SilenceProblem,
    Standing,
    alert_lines,
    parse_silence,
)
from relive_tui.models.layout.format import day_clock
from relive_tui.models.layout.text import Line, clean, wrap_lines
from relive_tui.models.lists.feed import Feed
from relive_tui.models.widening import Widening
from relive_tui.screens.base import ReliveScreen
from relive_tui.widgets.bars import LineBar
from relive_tui.widgets.rows import VirtualRows
from relive_tui.widgets.titles import safe_title

if TYPE_CHECKING:
    from collections.abc import Iterable

    from relive_views.health.alerts import AlertChangeView
    from textual.widget import Widget

    from relive_tui.source.tickets import Ticket

__all__ = ["AlertsScreen"]

EMPTY = "No application has alerts.\n\nWrite them into relive.toml: [alerts.NAME] · relive deploy PATH"
NO_CHANGES = "No change in this time range.\n\nt: another range · A: of all alerts"


class AlertsScreen(ReliveScreen):
    """The cursor starts on one that fires."""

    HINTS: ClassVar = (
        ("m", "silence"), ("⏎", "all of it"), ("e/E", "firing"), ("A", "changes of all"), ("t", "range"),
        ("Tab", "pane"),
    )  # fmt: skip
    REFRESH_S = 5.0
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("m", "silence", show=False),
        Binding("A", "of_all", show=False),
    ]

    def body(self) -> Iterable[Widget]:
        yield VirtualRows(title="Alerts", empty="… asking the server how they stand", id="alerts")
        yield LineBar(id="detail")
        yield VirtualRows(title="Changes", empty="… loading changes", id="changes")

    def setup(self) -> None:
        self.standings: Feed[list[Standing]] = Feed("alerts")
        self.changes: Feed[list[AlertChangeView]] = Feed("changes of alerts")
        self.wider: Widening[list[AlertChangeView]] = Widening()
        self.all_changes = False
        self._placed = False

    @property
    def follows(self) -> bool:
        return True

    def first_focus(self) -> str:
        return "#alerts"

    # ------------------------------------------------------------ data

    def load(self) -> None:
        self.ask("alerts", self.standings, self.data.alerts, self._told)
        self._ask_changes()

    def _ask_changes(self) -> None:
        scope, now_ns, fixed = self.scope, self.data.now_ns(), self.relive.range_chosen
        found = self.selected()
        alert = found.alert.name if found is not None and not self.all_changes else ""
        wider = self.wider

        def work(ticket: Ticket) -> list[AlertChangeView]:
            from dataclasses import replace

            def ask(range_ns: int) -> list[AlertChangeView]:
                return self.data.alert_changes(ticket, replace(scope, range_ns=range_ns), alert)

            return wider.find(scope.range_ns, now_ns, ask, lambda rows: fixed or bool(rows))

        self.ask("changes", self.changes, work, self._told_changes)

    def _told(self, standings: list[Standing]) -> None:
        rows = self.query_one("#alerts", VirtualRows)
        before = self.selected()
        names = [one.alert.name for one in standings]
        wanted = before.alert.name if before is not None else self.scope.alert
        cursor = names.index(wanted) if wanted in names else None
        rows.show(AlertRows(standings, self.data.now_ns()), cursor)
        rows.say_empty(EMPTY)
        firing = sum(one.alert.state == "firing" for one in standings)
        silent = sum(one.alert.silenced for one in standings)
        told = [f"Alerts  {len(standings)}", *([f"{firing} firing"] if firing else [])]
        rows.border_title = " · ".join([*told, *([f"{silent} silenced"] if silent else [])])
        tall = min(max(len(standings) + 3, 6), max(self.size.height // 2, 6))
        rows.styles.height = "1fr" if self.has_class("-tiny") else tall
        self._show_detail()
        if before is None and standings:
            self._ask_changes()

    def _told_changes(self, changes: list[AlertChangeView]) -> None:
        rows = self.query_one("#changes", VirtualRows)
        rows.show(ChangeRows(changes, self.data.now_ns()))
        found = self.selected()
        name = safe_title(found.alert.name) if found is not None and not self.all_changes else "all alerts"
        told = self.wider.told(self.scope.range_ns, "none")
        rows.border_title = f"Changes of {name}  {len(changes)}" + (f" · {told}" if told else "")
        rows.say_empty(NO_CHANGES)

    # ------------------------------------------------------------ showing

    def selected(self) -> Standing | None:
        """The alert under the cursor."""
        rows = self.query_one("#alerts", VirtualRows)
        source = rows.source
        if isinstance(source, AlertRows) and len(source):
            return source.standings[min(rows.cursor, len(source) - 1)]
        return None

    def _show_detail(self) -> None:
        found = self.selected()
        lines = alert_lines(found, self.data.now_ns())[1:] if found is not None else []
        bar = self.query_one("#detail", LineBar)
        bar.styles.height = len(lines) if self.size.height >= 20 else 0
        bar.set(*[[("  ", ""), *line] for line in lines])

    def on_virtual_rows_moved(self, moved: VirtualRows.Moved) -> None:
        if moved.rows.id == "alerts":
            self._show_detail()
            if not self.all_changes:
                self.wider = Widening()
                self._ask_changes()

    # ------------------------------------------------------------ keys

    def on_virtual_rows_chosen(self, chosen: VirtualRows.Chosen) -> None:
        from relive_tui.screens.dialogs.reader import Reader

        source = chosen.rows.source
        if isinstance(source, AlertRows):
            one = source.standings[chosen.index]
            lines: list[Line] = alert_lines(one, self.data.now_ns())
        elif isinstance(source, ChangeRows):
            change = source.changes[chosen.index]
            lines = [
                [(clean(change.alert), "bold"), (f"  {clean(change.before)} → {clean(change.state)}", "")],
                [(day_clock(change.at_ns, self.data.now_ns()), "dim")],
                [(clean(change.reason), "")],
            ]
        else:
            return
        self.app.push_screen(Reader("Alert", lambda width: wrap_lines(lines, width - 2)))

    def action_of_all(self) -> None:
        """Changes of all alerts, or of the one under the cursor."""
        self.all_changes = not self.all_changes
        self.wider = Widening()
        self._ask_changes()

    def action_silence(self) -> None:
        """For how long nobody is told of the alert under the cursor, and why."""
        from relive_tui.screens.dialogs.prompt import Prompt

        found = self.selected()
        if found is None:
            self.notify("no alert is selected", timeout=2, markup=False)
            return
        name = found.alert.name

        def check(line: str) -> str:
            try:
                parse_silence(line)
            except SilenceProblem as problem:
                return str(problem)
            return ""

        def done(line: str | None) -> None:
            if line:
                self._silence(name, *parse_silence(line))

        hint = "30m, 2h, 3d, then a reason in words · 0 ends it"
        self.app.push_screen(
            Prompt(f"Tell nobody of {safe_title(name)} for", "2h", hint=hint, check=check), done
        )

    def _silence(self, name: str, seconds: float, reason: str) -> None:
        def done(until_ns: int) -> None:
            until = day_clock(until_ns, self.data.now_ns())
            told = (
                f"nobody is told of {clean(name)} till {until}"
                if until_ns
                else f"{clean(name)} is told again"
            )
            self.notify(told, title="Silence", timeout=4, markup=False)
            self.load()

        self.ask(
            "silence",
            Feed("the silence"),
            lambda ticket: self.data.silence(ticket, name, seconds, reason),
            done,
            once=True,
        )

    def go_error(self, step: int) -> None:
        """The next (or previous) alert that fires."""
        rows = self.query_one("#alerts", VirtualRows)
        source = rows.source
        index = rows.cursor + step
        while isinstance(source, AlertRows) and 0 <= index < len(source):
            if source.standings[index].alert.state == "firing":
                rows.move_to(index)
                return
            index += step
        self.notify(f"no further one of {counted(len(source), 'alert')} fires", timeout=2, markup=False)
