"""Home: the newest failure under the cursor, the functions below."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from relive_base.shown_numbers import counted
from textual.binding import Binding, BindingType

from relive_tui.models.functions import POINTS, FunctionRows
from relive_tui.models.health import Health, health_line, lateness
from relive_tui.models.home import FailureRows, is_settled, matches_group, preview_lines
from relive_tui.models.lists.feed import Feed
from relive_tui.models.navigation.scope import Place, Scope
from relive_tui.models.widening import Widening
from relive_tui.screens.base import ReliveScreen
from relive_tui.widgets.bars import LineBar
from relive_tui.widgets.rows import VirtualRows
from relive_tui.widgets.titles import safe_title

if TYPE_CHECKING:
    from collections.abc import Iterable

    from relive_views.failures import GroupView
    from relive_views.health.functions import FunctionHealth
    from relive_views.records import FunctionStats
    from textual.timer import Timer
    from textual.widget import Widget

    from relive_tui.models.failure.preview import Preview
    from relive_tui.source.tickets import Ticket

__all__ = ["HomeScreen"]

PREVIEW_DELAY_S = 0.08
SLOW_NS = 10_000_000_000
"""Hot lines and series change by the minute: they are asked for every ten seconds."""
TALL = 30  # rows of a terminal in which the preview shows the lines around the failing one
NO_FAILURES = (
    "No failures in this time range.\n\nt: another range · relive invoke FN --event '{}' sends an event"
)
NO_MATCH = "Nothing matches the filter.\n\nEsc: all of them · /: another filter"
NO_FUNCTIONS = "No functions have run yet.\n\nrelive deploy PATH deploys one · relive demo shows everything"


class HomeScreen(ReliveScreen):
    """Failure groups, the failing line of the one under the cursor, functions, the live line."""

    HINTS: ClassVar = (
        ("⏎", "open"), ("e/E", "failure"), ("Tab", "pane"), ("2", "invocations"), ("4", "flame"),
        ("6", "logs"), ("t", "range"),
    )  # fmt: skip
    REFRESH_S = 1.0
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("5", "heap", show=False),
        Binding("a", "settle", show=False),
        Binding("A", "settled", show=False),
    ]

    def body(self) -> Iterable[Widget]:
        yield VirtualRows(FailureRows(), title="Failures", empty="… loading failures", id="failures")
        yield LineBar(id="preview")
        yield VirtualRows(FunctionRows(), title="Functions", empty="… loading functions", id="functions")
        yield LineBar(id="live")

    def setup(self) -> None:
        self.groups: Feed[list[GroupView]] = Feed("failures")
        self.stats: Feed[list[FunctionStats]] = Feed("functions")
        self.hottest: dict[str, str] = {}
        self.figures: dict[str, FunctionHealth] = {}
        self.wider_failures: Widening[list[GroupView]] = Widening()
        self.wider_functions: Widening[list[FunctionStats]] = Widening()
        self.aliases: dict[str, str] = {}
        self.text = ""
        self.settled_too = False
        self._slow_range = self.scope.range_ns
        self._previews: dict[str, Preview] = {}
        self._preview_timer: Timer | None = None

    @property
    def follows(self) -> bool:
        return True

    def first_focus(self) -> str:
        return "#failures"

    def load(self) -> None:
        self._ask_lists()
        self.ask("aliases", Feed("aliases"), lambda _ticket: self.data.aliases(), self._told_aliases)
        self.ask_health()
        if not self.hottest or self.data.now_ns() - self._slow_ns > SLOW_NS:
            self._ask_slow()

    _slow_ns = 0

    def _ask_lists(self) -> None:
        """In the range of the scope, or in a wider one if nobody has chosen it and there is nothing in it."""
        scope, now_ns = self.scope, self.data.now_ns()
        fixed = self.relive.range_chosen or bool(self.data.file)
        failures, functions = self.wider_failures, self.wider_functions

        def groups(ticket: Ticket) -> list[GroupView]:
            def ask(range_ns: int) -> list[GroupView]:
                return self.data.failure_groups(ticket, replace(scope, range_ns=range_ns))

            return failures.find(scope.range_ns, now_ns, ask, lambda found: fixed or any_open(found))

        def stats(ticket: Ticket) -> list[FunctionStats]:
            def ask(range_ns: int) -> list[FunctionStats]:
                return self.data.functions(ticket, replace(scope, range_ns=range_ns))

            return functions.find(scope.range_ns, now_ns, ask, lambda found: fixed or bool(found))

        self.ask("failures", self.groups, groups, self._groups)
        self.ask("functions", self.stats, stats, self._functions)

    def _ask_slow(self) -> None:
        self._slow_ns = self.data.now_ns()
        scope = self.functions_scope
        self.ask("hot", Feed("hot lines"), lambda ticket: self.data.hottest(ticket, scope), self._hottest)
        self.ask(
            "figures",
            Feed("rates and waiting"),
            lambda ticket: self.data.figures(ticket, scope, POINTS),
            self._told_figures,
        )

    @property
    def functions_scope(self) -> Scope:
        """The scope, with the range of the functions that are shown."""
        wider = self.wider_functions.range_ns
        return self.scope if wider is None else replace(self.scope, range_ns=wider)

    @property
    def failures_scope(self) -> Scope:
        """The scope, with the range of the failures that are shown."""
        wider = self.wider_failures.range_ns
        return self.scope if wider is None else replace(self.scope, range_ns=wider)

    # ------------------------------------------------------------ answers

    def _groups(self, groups: list[GroupView]) -> None:
        rows = self.query_one("#failures", VirtualRows)
        groups = [group for group in groups if matches_group(group, self.text)]
        settled = sum(map(is_settled, groups))
        if not self.settled_too:
            groups = [group for group in groups if not is_settled(group)]
        selected = self.selected_group()
        cursor = 0
        if selected is not None and rows.cursor > 0:  # the reader has moved: stay on the same failure
            same = [i for i, group in enumerate(groups) if group.fingerprint == selected.fingerprint]
            cursor = same[0] if same else rows.cursor
        rows.show(FailureRows(groups, self.data.now_ns()), cursor)
        tall = min(max(len(groups) + 3, 6), max(self.size.height * 2 // 5, 6))
        rows.styles.height = "1fr" if self.has_class("-tiny") else tall
        total = sum(group.count for group in groups)
        told = self.wider_failures.told(self.scope.range_ns, "none")
        title = f"Failures  {total:,} in {counted(len(groups), 'group')}" if groups else "Failures"
        rows.border_title = f"{title} · {told}" if told else title
        edges = [f"/ {safe_title(self.text)}"] if self.text else []
        edges += (
            [f"A: {'hide' if self.settled_too else 'show'} {settled} resolved or ignored"] if settled else []
        )
        rows.border_subtitle = " · ".join(edges)
        empty = lateness(self.health) or NO_FAILURES
        if settled:
            empty = f"No open failures.\n\nA: the {settled} that are resolved or ignored"
        rows.say_empty(NO_MATCH if self.text and self.groups.value else empty)
        self._preview_now()

    def _functions(self, functions: list[FunctionStats]) -> None:
        rows = self.query_one("#functions", VirtualRows)
        functions = [row for row in functions if self.text in row.name.lower()]
        rows.show(FunctionRows(functions, self.data.now_ns(), self.hottest, self.aliases, self.figures))
        told = self.wider_functions.told(self.scope.range_ns, "none ran")
        rows.border_title = f"Functions  {len(functions)}" + (f" · {told}" if told else "")
        if self._slow_range != self.functions_scope.range_ns:  # what was asked beside it is of another range
            self._slow_range = self.functions_scope.range_ns
            self._ask_slow()
        rows.say_empty(NO_MATCH if self.text and self.stats.value else lateness(self.health) or NO_FUNCTIONS)

    def _told_aliases(self, aliases: dict[str, str]) -> None:
        if aliases != self.aliases:
            self.aliases = aliases
            if self.stats.value is not None:
                self._functions(self.stats.value)

    def _hottest(self, hottest: dict[str, str]) -> None:
        self.hottest = hottest
        if self.stats.value is not None:
            self._functions(self.stats.value)

    def _told_figures(self, figures: list[FunctionHealth]) -> None:
        self.figures = {one.function: one for one in figures}
        if self.stats.value is not None:
            self._functions(self.stats.value)

    def told_health(self, before: Health | None) -> None:
        changed = lateness(self.health) != lateness(before)
        if changed and self.groups.value == []:
            self._groups([])
        if changed and self.stats.value == []:
            self._functions([])
        self.update_bars()

    def update_bars(self) -> None:
        super().update_bars()
        line = health_line(self.health, paused=self.relive.paused, new=self.new_rows)
        self.query_one("#live", LineBar).set([(" ", ""), *line])

    # ------------------------------------------------------------ preview

    def selected_group(self) -> GroupView | None:
        """The failure group under the cursor."""
        rows = self.query_one("#failures", VirtualRows)
        source = rows.source
        if isinstance(source, FailureRows) and rows.cursor < len(source):
            return source.groups[rows.cursor]
        return None

    def on_virtual_rows_moved(self, moved: VirtualRows.Moved) -> None:
        if moved.rows.id != "failures":
            return
        self._show_preview()
        if self._preview_timer is not None:
            self._preview_timer.stop()
        self._preview_timer = self.set_timer(PREVIEW_DELAY_S, self._preview_now)

    def _preview_now(self) -> None:
        group = self.selected_group()
        self._show_preview()
        if group is None or group.invocation_id in self._previews:
            return
        ident, attempt = group.invocation_id, group.attempt

        def work(ticket: Ticket) -> Preview:
            from relive_tui.models.failure.page import preview_of

            return preview_of(self.data.scene(ticket, ident, attempt))

        def done(preview: Preview) -> None:
            if len(self._previews) > 200:
                self._previews.clear()
            self._previews[ident] = preview
            self._show_preview()

        self.ask("preview", Feed("the scene"), work, done)

    def _show_preview(self) -> None:
        group = self.selected_group()
        preview = self._previews.get(group.invocation_id) if group else None
        bar = self.query_one("#preview", LineBar)
        bar.styles.height = height = 3 if self.size.height < TALL else 9
        self.query_one("#preview", LineBar).set(
            *[[("  ", ""), *line] for line in preview_lines(preview, group, height)]
        )

    # ------------------------------------------------------------ going on

    def on_virtual_rows_chosen(self, chosen: VirtualRows.Chosen) -> None:
        if chosen.rows.id == "failures":
            group = self.selected_group()
            if group is not None:
                self.relive.go(Place("failure", self.scope_of(group)))
            return
        source = chosen.rows.source
        if isinstance(source, FunctionRows):
            name = source.functions[chosen.index].name
            scope = replace(self.functions_scope.without_invocation(), function=name)
            self.relive.go(Place("invocations", scope))

    def scope_of(self, group: GroupView) -> Scope:
        """The scope with the newest failure of a group in it."""
        return replace(
            self.failures_scope,
            function=group.function,
            invocation_id=group.invocation_id,
            attempt=group.attempt,
        )

    def action_heap(self) -> None:
        """The heap of the failure under the cursor."""
        group = self.selected_group()
        self.relive.go(Place("heap", self.scope_of(group) if group is not None else self.scope))

    def action_settle(self) -> None:
        """Say that a failure is resolved or ignored."""
        self.settle(self.selected_group(), self.load)

    def action_settled(self) -> None:
        """Show groups that are resolved or ignored, too, or hide them again."""
        self.settled_too = not self.settled_too
        self._groups(self.groups.value or [])

    def lens_scope(self) -> Scope:
        """What a digit takes along: the function under the cursor, if the functions have the focus."""
        rows = self.query_one("#functions", VirtualRows)
        if rows.has_focus and isinstance(rows.source, FunctionRows) and len(rows.source):
            return replace(self.functions_scope, function=rows.source.functions[rows.cursor].name)
        return self.failures_scope

    def slash(self) -> None:
        from relive_tui.screens.dialogs.prompt import Prompt

        def done(text: str | None) -> None:
            if text is not None:
                self.text = text.strip().lower()
                self._show_again()

        self.app.push_screen(Prompt("Filter", self.text, hint="part of a function, an error or a file"), done)

    def leave(self) -> bool:
        if not self.text:
            return False
        self.text = ""
        self._show_again()
        return True

    def _show_again(self) -> None:
        self._groups(self.groups.value or [])
        self._functions(self.stats.value or [])

    def go_error(self, step: int) -> None:
        rows = self.query_one("#failures", VirtualRows)
        rows.focus()
        rows.move_to(rows.cursor + step)


def any_open(groups: list[GroupView]) -> bool:
    """Whether somebody has to look at one of them."""
    return not all(map(is_settled, groups))
