"""Invocations: any number of them, filtered, newest or slowest first, with a preview."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType

from relive_tui.models.home import preview_lines
from relive_tui.models.layout.format import count_short, short_id
from relive_tui.models.layout.text import Line, clean
from relive_tui.models.lists.feed import Feed
from relive_tui.models.lists.filtering import FilterProblem, InvocationQuery, complete, parse_filter
from relive_tui.models.lists.invocations import ORDER_NAMES, ORDERS, InvocationRows, invocation_preview
from relive_tui.models.lists.logs import log_line
from relive_tui.models.lists.pager import Pager
from relive_tui.models.navigation.scope import Place, Scope
from relive_tui.screens.base import ReliveScreen
from relive_tui.widgets.bars import LineBar
from relive_tui.widgets.rows import FixedRows, VirtualRows
from relive_tui.widgets.titles import safe_title

if TYPE_CHECKING:
    from collections.abc import Iterable

    from relive_views.profiles.why_slow import WhySlowView
    from relive_views.records import InvocationRow
    from textual.timer import Timer
    from textual.widget import Widget

    from relive_tui.source.tickets import Ticket

__all__ = ["InvocationsScreen"]

EMPTY = (
    "No invocations here.\n\nt: another range · /: another filter · relive invoke FN --event '{}' makes one"
)


PREVIEW_DELAY_S = 0.08
SLOW_DELAY_S = 0.3
INSIDE_LINES, INSIDE_LOGS = 14, 100
"""Lines of a scene, and of the log, in the preview below a short list."""
LIST_EDGES, BARS, INSIDE_LEAST = 3, 8, 6
"""Rows of the list's frame and header, of the bars around it, and that a preview needs."""


class InvocationsScreen(ReliveScreen):
    """The list stands still if the reader is: it ends when it was loaded, newer rows are counted."""

    HINTS: ClassVar = (
        ("⏎", "open"), ("/", "filter"), ("f", "failures only"), ("s", "sort"), ("space d", "diff"),
        ("3", "trace"), ("t", "range"),
    )  # fmt: skip
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "sort", show=False),
        Binding("f", "failures", show=False),
        Binding("r", "renew", show=False),
        Binding("space", "mark", show=False),
        Binding("d", "diff", show=False),
    ]

    def body(self) -> Iterable[Widget]:
        yield LineBar(id="filter")
        yield VirtualRows(title="Invocations", empty="… loading invocations", id="rows")
        yield LineBar(id="preview")
        yield VirtualRows(title="Preview", cursor=False, wide=True, id="inside")

    def setup(self) -> None:
        self.pager: Pager[InvocationRow] = Pager()
        self.counted: Feed[tuple[int, list[InvocationRow]]] = Feed("invocations")
        self.filter_text = ""
        self.filter_problem = ""
        self.wanted = InvocationQuery()
        self.order = ORDERS[0]
        self.until_ns = 0
        self.scope_loaded = self.scope
        self._asked: list[int] = []
        self._inside: dict[tuple[str, int], list[Line]] = {}
        self._inside_timer: Timer | None = None
        self._slow: dict[tuple[str, int], str] = {}  # why each was slow; "" if it was not
        self._slow_timer: Timer | None = None
        rows = self.query_one("#rows", VirtualRows)
        self.listing = InvocationRows(self.pager, with_function=not self.scope.function)
        rows.source = self.listing
        rows.on_look = self._looked

    @property
    def follows(self) -> bool:
        """At the top the list follows; further down it stands still for its reader."""
        rows = self.query_one("#rows", VirtualRows)
        return rows.cursor == 0 and rows.scroll_offset.y == 0 and self.order == ORDERS[0]

    # ------------------------------------------------------------ data

    def load(self) -> None:
        self._reload(keep=False)

    def tick(self) -> None:
        """At the top the list follows; further down only the number of new rows does."""
        if self.follows:
            self._reload(keep=True)
        else:
            scope, query, since = self.scope, self.wanted, self.until_ns
            self.ask(
                "new",
                Feed("what is new"),
                lambda ticket: self.data.count(ticket, scope, query, since, 0),
                self._counted_new,
            )

    def _counted_new(self, count: int) -> None:
        self.new_rows = count
        self._show_filter()

    def _reload(self, *, keep: bool) -> None:
        scope, query, order = self.scope, self.wanted, self.order
        until = self.data.now_ns()
        since = scope.since_ns(until)

        def work(ticket: Ticket) -> tuple[int, list[InvocationRow]]:
            count = self.data.count(ticket, scope, query, since, until)
            first = self.data.invocations(
                ticket,
                scope,
                query,
                until_ns=until,
                order=order,
                offset=0,
                limit=self.pager.page_rows,
                after=None,
            )
            return count, first

        def done(answer: tuple[int, list[InvocationRow]]) -> None:
            count, first = answer
            self.until_ns, self.new_rows, self.scope_loaded = until, 0, scope
            self.pager.put(0, first, self.pager.reset(max(count, len(first))))
            rows = self.query_one("#rows", VirtualRows)
            if first:
                rows.say_empty(EMPTY)
            else:
                self.say_nothing(rows, EMPTY)
            self._share_height()
            rows.show(rows.source, rows.cursor if keep else self._beginning(first))
            self._show_filter()
            self._show_preview()

        self.ask("list", self.counted, work, done)

    def _beginning(self, first: list[InvocationRow]) -> int:
        """Where the cursor starts: on the invocation that one comes from, if the first page has it."""
        here = (self.scope.invocation_id, self.scope.attempt)
        return next((i for i, row in enumerate(first) if (row.invocation_id, row.attempt) == here), 0)

    def _looked(self, first: int, last: int) -> None:
        missing = self.pager.missing(first, last)
        if missing and missing != self._asked:
            self._asked = missing
            self._fetch(missing)

    def _fetch(self, numbers: list[int]) -> None:
        generation, size = self.pager.generation, self.pager.page_rows
        scope, query, order, until = self.scope_loaded, self.wanted, self.order, self.until_ns
        before = [(number, self.pager.last_row_before(number)) for number in numbers]

        def work(ticket: Ticket) -> list[tuple[int, list[InvocationRow]]]:
            pages = []
            for number, after in before:
                page = self.data.invocations(
                    ticket,
                    scope,
                    query,
                    until_ns=until,
                    order=order,
                    offset=number * size,
                    limit=size,
                    after=after,
                )
                pages.append((number, page))
            return pages

        def done(pages: list[tuple[int, list[InvocationRow]]]) -> None:
            self._asked = []
            for number, page in pages:
                self.pager.put(number, page, generation)
            self.query_one("#rows", VirtualRows).refresh()
            self._show_preview()

        self.ask("page", Feed("more invocations"), work, done)

    # ------------------------------------------------------------ showing

    def selected(self) -> InvocationRow | None:
        """The invocation under the cursor, if its page is here."""
        return self.pager.get(self.query_one("#rows", VirtualRows).cursor)

    def on_virtual_rows_moved(self, _moved: VirtualRows.Moved) -> None:
        self.show_crumbs()
        self._show_preview()

    def _show_preview(self) -> None:
        row = self.selected()
        lines = invocation_preview(row) if row is not None else []
        if row is not None:
            self._tell_slow(row, lines)
        self.query_one("#preview", LineBar).set(*[[("  ", ""), *line] for line in lines])
        inside = self.query_one("#inside", VirtualRows)
        if not inside.display or row is None:
            return
        known = self._inside.get((row.invocation_id, row.attempt))
        inside.show(FixedRows(known or [[("…", "dim")]]), 0)
        inside.border_title = (
            f"Preview of {safe_title(row.function)} {safe_title(short_id(row.invocation_id))}"
        )
        if known is None:
            if self._inside_timer is not None:
                self._inside_timer.stop()
            self._inside_timer = self.set_timer(PREVIEW_DELAY_S, lambda: self._ask_inside(row))

    def _tell_slow(self, row: InvocationRow, lines: list[Line]) -> None:
        """Put in why it was slow, once that is known: it is asked for when the cursor rests."""
        if self._slow_timer is not None:
            self._slow_timer.stop()
        sentence = self._slow.get((row.invocation_id, row.attempt))
        if sentence:
            lines.insert(1, [("! ", "warn"), (clean(sentence), "warn")])
        elif sentence is None:
            self._slow_timer = self.set_timer(SLOW_DELAY_S, lambda: self._ask_slow(row))

    def _ask_slow(self, row: InvocationRow) -> None:
        scope = self._scope_of(row)

        def done(found: WhySlowView | None) -> None:
            if len(self._slow) > 500:
                self._slow.clear()
            self._slow[row.invocation_id, row.attempt] = found.answer.sentence if found is not None else ""
            if found is not None:
                self._show_preview()

        feed: Feed[WhySlowView | None] = Feed("how long it usually takes", quiet=True)
        self.ask("slow", feed, lambda ticket: self.data.why_slow(ticket, scope), done)

    def _ask_inside(self, row: InvocationRow) -> None:
        """The failing line with its locals, and what the invocation wrote."""
        scope = self._scope_of(row)

        def work(ticket: Ticket) -> list[Line]:
            from relive_tui.models.failure.page import preview_of

            lines: list[Line] = []
            if row.has_scene:
                scene = self.data.scene(ticket, row.invocation_id, row.attempt)
                lines += [*preview_lines(preview_of(scene), None, INSIDE_LINES), []]
            logs = self.data.logs(ticket, scope, limit=INSIDE_LOGS)
            lines += [log_line(each, with_function=False) for each in logs]
            return lines or [[("it wrote nothing · Enter shows its trace", "dim")]]

        def done(lines: list[Line]) -> None:
            if len(self._inside) > 200:
                self._inside.clear()
            self._inside[row.invocation_id, row.attempt] = lines
            self._show_preview()

        self.ask("inside", Feed("the preview"), work, done)

    def _share_height(self) -> None:
        """Under a short list there is room for what the invocation under the cursor did."""
        rows, inside = self.query_one("#rows", VirtualRows), self.query_one("#inside", VirtualRows)
        needed = max(len(self.pager), 1) + LIST_EDGES
        inside.display = len(self.pager) > 0 and self.size.height - BARS - needed >= INSIDE_LEAST
        rows.styles.height = needed if inside.display else "1fr"

    def on_resize(self) -> None:
        super().on_resize()
        if hasattr(self, "pager"):
            self._share_height()
            self._show_preview()

    def _show_filter(self) -> None:
        rows = self.query_one("#rows", VirtualRows)
        rows.border_title = safe_title(f"Invocations  {len(self.pager):,}")
        parts = [f"◆ {len(self.listing.marked)} marked (d: diff of two)"] if self.listing.marked else []
        parts += [f"↑ {count_short(self.new_rows)} new (r)"] if self.new_rows else []
        rows.border_subtitle = " · ".join(parts)
        text = clean(self.filter_text) or "all"
        self.query_one("#filter", LineBar).set(
            [(" / ", "hint_key"), (text, "" if self.filter_text else "dim")],
            right=[("sort ", "dim"), (ORDER_NAMES[self.order] + " ", "")],
        )

    # ------------------------------------------------------------ keys

    def on_virtual_rows_chosen(self, _chosen: VirtualRows.Chosen) -> None:
        row = self.selected()
        if row is not None:
            self.relive.go(Place("failure" if row.has_scene else "trace", self._scope_of(row)))

    def _scope_of(self, row: InvocationRow) -> Scope:
        return replace(
            self.scope, function=row.function, invocation_id=row.invocation_id, attempt=row.attempt,
            trace_id=row.trace_id, span_id="",
        )  # fmt: skip

    def lens_scope(self) -> Scope:
        row = self.selected()
        return self._scope_of(row) if row is not None else self.scope

    def slash(self) -> None:
        from relive_tui.screens.dialogs.prompt import Prompt

        def check(text: str) -> str:
            try:
                parse_filter(text)
            except FilterProblem as problem:
                return str(problem)
            return ""

        def done(text: str | None) -> None:
            if text is not None:
                self.set_filter(text)

        hint = "status:failed fn:checkout dur:>100ms trigger:http version:3 text · Tab completes"
        self.app.push_screen(
            Prompt("Filter", self.filter_text, hint=hint, check=check, complete=complete), done
        )

    def set_filter(self, text: str) -> None:
        """Show what matches `text`. Raises FilterProblem."""
        self.wanted = parse_filter(text)
        self.filter_text = text.strip()
        self._show_filter()
        self._reload(keep=False)

    def leave(self) -> bool:
        if self.filter_text:
            self.set_filter("")
            return True
        return False

    def action_failures(self) -> None:
        """Only failures, or all again."""
        words = [word for word in self.filter_text.split() if not word.startswith("status:")]
        self.set_filter(" ".join(words if "status:failed" in self.filter_text else [*words, "status:failed"]))

    def action_sort(self) -> None:
        """The next order."""
        self.order = ORDERS[(ORDERS.index(self.order) + 1) % len(ORDERS)]
        self._show_filter()
        self._reload(keep=False)

    def action_renew(self) -> None:
        """Show what is new."""
        self._reload(keep=False)

    def action_mark(self) -> None:
        """Mark the row for comparing, and go on to the next one."""
        row = self.selected()
        if row is not None:
            self.listing.mark(row)
            rows = self.query_one("#rows", VirtualRows)
            rows.refresh()
            rows.move_to(rows.cursor + 1)
            self._show_filter()

    def action_diff(self) -> None:
        """The two marked rows side by side, the older one first."""
        from relive_tui.screens.compare import CompareScreen

        marked = sorted(self.listing.marked.values(), key=lambda row: (row.started_at, row.attempt))
        if len(marked) == 2:
            self.app.push_screen(CompareScreen(self.relive, *marked))
        else:
            self.notify("mark two with space first", timeout=2, markup=False)

    def go_error(self, step: int) -> None:
        rows = self.query_one("#rows", VirtualRows)
        index = rows.cursor + step
        while 0 <= index < len(self.pager):
            row = self.pager.get(index)
            if row is None or row.failed:  # an unknown row: let its page come, then press again
                rows.move_to(index)
                return
            index += step
        self.notify("no further failure in this list", timeout=2, markup=False)
