"""Trace: the waterfall, the span under the cursor, its logs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from relive_base.shown_numbers import counted
from textual.binding import Binding, BindingType
from textual.containers import Container

from relive_tui.models.layout.format import duration
from relive_tui.models.layout.text import Line, clean, wrap_lines
from relive_tui.models.lists.feed import Feed
from relive_tui.models.lists.logs import LogPanelRows
from relive_tui.models.navigation.scope import Place, Scope
from relive_tui.models.trace.extent import extent_line
from relive_tui.models.trace.links import link_lines
from relive_tui.models.trace.reading import Read, read_trace
from relive_tui.models.trace.spans import (
    SPAN,
    Trace,
    critical_path,
    kind_of,
    minimap,
    span_lines,
)
from relive_tui.models.trace.waterfall import WaterfallRows, legend
from relive_tui.screens.trace_acts import TraceActs
from relive_tui.source.traces import MAX_SPANS
from relive_tui.widgets.bars import LineBar
from relive_tui.widgets.rows import FixedRows, VirtualRows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from relive_views.profiles.why_slow import WhySlowView
    from relive_views.records import LogRow, SpanRow
    from textual.widget import Widget

    from relive_tui.source.tickets import Ticket

__all__ = ["TraceScreen"]

EMPTY = "No spans of this trace are stored.\n\nrelive invocations lists what ran · Esc goes back"
HEAD_SPANS = 2_000
"""Of a long trace these are shown first."""
TALL = 24  # rows of a terminal in which the minimap says where in the trace one is
GROWS_NS = 30_000_000_000
GROWS_SPANS = 5_000
"""A trace that is looked at is asked for again while it may still grow, and is not too long for that."""


class TraceScreen(TraceActs):
    """The cursor starts on the failed span that lies deepest."""

    HINTS: ClassVar = (
        ("⏎", "fold"), ("e/E", "error"), ("z/Z", "zoom"), ("f", "errors only"), ("a", "all logs"),
        ("c", "critical path"), ("s", "scene"),
    )  # fmt: skip
    REFRESH_S = 2.0
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("z", "zoom(1)", show=False),
        Binding("Z", "zoom(0)", show=False),
        Binding("f", "focus_errors", show=False),
        Binding("a", "all_logs", show=False),
        Binding("s", "scene", show=False),
        Binding("c", "critical", show=False),
        Binding("u", "plumbing", show=False),
        Binding("L", "link", show=False),
        Binding("x", "export", show=False),
        Binding("n", "match(1)", show=False),
        Binding("N", "match(-1)", show=False),
    ]

    def body(self) -> Iterable[Widget]:
        yield LineBar(id="minimap")
        yield VirtualRows(title="Waterfall", empty="… loading the trace", id="waterfall")
        yield LineBar(id="legend")
        yield LineBar(id="slow")
        with Container(classes="panes", id="lower"):
            yield VirtualRows(title="Span", cursor=False, wide=True, id="span")
            yield VirtualRows(
                title="Logs of this span", cursor=False, empty="no log lines", wide=True, id="logs"
            )

    def setup(self) -> None:
        self.spans: Feed[Read] = Feed("the trace")
        self._map: tuple[int, Line] = (0, [])
        self._partial = False  # the rest is on its way
        self._unmoved = True  # the reader has not moved the cursor
        self.trace: Trace | None = None
        self.rows: WaterfallRows | None = None
        self.trace_logs: list[LogRow] = []
        self.all_logs = False
        self.search = ""
        self.opened_ns = self.data.now_ns()

    @property
    def follows(self) -> bool:
        """While it may still grow."""
        young = self.data.now_ns() - self.opened_ns < GROWS_NS
        return self.trace is None or (young and len(self.trace.spans) < GROWS_SPANS)

    def first_focus(self) -> str:
        return "#waterfall"

    # ------------------------------------------------------------ data

    def load(self) -> None:
        if self.trace is None or len(self.trace.spans) < HEAD_SPANS:
            self.ask("trace", self.spans, self._reading(HEAD_SPANS), self._arrived)
        else:
            self._ask_rest()

    def _ask_rest(self) -> None:
        """All of a long trace, whose beginning is shown already."""
        self.ask("rest", Feed[Read]("the rest of the trace"), self._reading(MAX_SPANS), self._arrived)

    def _reading(self, limit: int) -> Callable[[Ticket], Read]:
        """Everything that takes long with many spans is done in the worker."""
        scope, width = self.scope, self._map_width()

        def work(ticket: Ticket) -> Read:
            trace_id, spans = self.data.trace(ticket, scope, limit)
            missing = self.data.unkept(ticket, trace_id) if trace_id else None
            return read_trace(trace_id, spans, scope, width, limit, missing)

        return work

    def tick(self) -> None:
        """A trace that is being written grows; after a while nothing more is asked."""
        if self.follows:
            self.load()

    def failed(self, group: str, error: BaseException) -> None:
        if self.trace is None and group == "trace":
            self.say_nothing(self.query_one("#waterfall", VirtualRows), EMPTY)

    def _arrived(self, read: Read) -> None:
        trace, spans, before = read.trace, read.trace.spans, self.current_span()
        waterfall = self.query_one("#waterfall", VirtualRows)
        if spans:
            waterfall.say_empty(EMPTY)
        else:
            self.say_nothing(waterfall, EMPTY)
        if self.trace is not None and len(spans) == len(self.trace.spans):
            if self._partial and not read.more:  # it was all of it, to the span
                self._partial = False
                self._show_count(read)
                self._ask_logs(read.trace_id)
            return
        first = self.trace is None or read.trace_id != self.scope.trace_id
        if read.trace_id != self.scope.trace_id:
            self.rows = None
            self.relive.rescope_screen(self, replace(self.scope, trace_id=read.trace_id))
        self.rows = read.rows if self.rows is None else read.rows.like(self.rows)
        self.trace, self._map = trace, read.minimap
        index = self._place(None if self._unmoved else before, read.beginning)
        self._unmoved = self._unmoved or first
        if spans:
            critical = self.rows.critical
            waterfall.show(self.rows, 0 if critical and index not in critical else self.rows.reveal(index))
        self._show_count(read)
        self._show_minimap()
        self._show_legend()
        self._show_span()
        if first:
            self._ask_slow()
        self._partial = read.more and len(spans) <= HEAD_SPANS
        if self._partial:
            self._ask_rest()
        else:
            self._ask_logs(read.trace_id)

    def _show_count(self, read: Read) -> None:
        assert self.trace is not None
        count, errors = len(self.trace.spans), len(self.trace.errors())
        told = f"{counted(count, 'span')} · {errors} failed · {duration(self.trace.total_ns)}"
        if read.left_out:
            told += f" · {read.left_out:,} left out by span_share"
        if read.dropped:
            told += f" · {read.dropped:,} more not kept"
        if read.more:  # what is shown is not all of it
            rest = "loading the rest" if count <= HEAD_SPANS else "more are not shown"
            told = f"the first {told} · {rest}"
        self.query_one("#waterfall", VirtualRows).border_title = f"Waterfall  {told}"

    def _place(self, before: SpanRow | None, beginning: int) -> int:
        """Where the cursor stays, or begins: the span that one comes from, else the failed one of the
        invocation that one comes from."""
        assert self.trace is not None
        wanted = before.span_id if before is not None else self.scope.span_id
        found = (at for at, span in enumerate(self.trace.spans) if span.span_id == wanted)
        return next(found, beginning) if wanted else beginning

    def _ask_slow(self) -> None:
        """Why the invocation that one comes from, or else the first one, was slow."""
        assert self.trace is not None
        scope = self.scope
        if not scope.invocation_id and self.trace.spans:
            ident, attempt = self.trace.invocation_of(0)
            scope = replace(scope, invocation_id=ident, attempt=attempt)

        def done(found: WhySlowView | None) -> None:
            bar = self.query_one("#slow", LineBar)
            lines: list[Line] = []
            if found is not None:
                text = f"{clean(found.row.function)}: {clean(found.answer.sentence)}"
                lines = wrap_lines([[(text, "warn")]], max(self.size.width - 20, 20))[:2]
                lines[-1] = [*lines[-1], ("  4 d", "hint_key"), (" shows where", "dim")]
            bar.styles.height = len(lines)
            bar.set(*[[("! " if not at else "  ", "warn"), *line] for at, line in enumerate(lines)])

        self.ask(
            "slow",
            Feed("how long it usually takes", quiet=True),
            lambda ticket: self.data.why_slow(ticket, scope),
            done,
        )

    def _ask_logs(self, trace_id: str) -> None:
        scope = replace(self.scope, trace_id=trace_id, invocation_id="", span_id="", function="")

        def work(ticket: Ticket) -> list[LogRow]:
            return self.data.logs(ticket, scope, limit=5_000)

        def done(rows: list[LogRow]) -> None:
            self.trace_logs = rows
            self._show_logs()

        self.ask("logs", Feed("log lines"), work, done)

    # ------------------------------------------------------------ showing

    def current(self) -> int:
        """Index of the span under the cursor; -1 without one."""
        if self.rows is None or not len(self.rows):
            return -1
        return self.rows.shown[min(self.query_one("#waterfall", VirtualRows).cursor, len(self.rows) - 1)]

    def current_span(self) -> SpanRow | None:
        """The span under the cursor."""
        index = self.current()
        return self.trace.spans[index] if self.trace is not None and index >= 0 else None

    def on_resize(self) -> None:
        super().on_resize()
        self._show_minimap()

    def _map_width(self) -> int:
        return max(self.size.width - 2, 1)

    def _show_minimap(self) -> None:
        trace, rows = getattr(self, "trace", None), getattr(self, "rows", None)
        if trace is None or rows is None:
            return
        width = self._map_width()
        if self._map[0] != width:
            self._map = (width, minimap(trace, width))
        bar = self.query_one("#minimap", LineBar)
        tall = self.size.height >= TALL
        bar.styles.height = 1 + tall
        extent = [extent_line(trace, width, self.current(), rows.zoom, rows.critical)] if tall else []
        bar.set(*[[(" ", ""), *line] for line in (self._map[1], *extent)])

    def _show_span(self) -> None:
        index = self.current()
        lines: list[Line] = []
        if self.trace is not None and index >= 0:
            lines = span_lines(self.trace, index)
            links = link_lines(self.trace, self.trace.spans[index], self.scope.trace_id)
            lines[2:2] = links
        self.query_one("#span", VirtualRows).show(FixedRows(lines))
        self._show_minimap()
        self._show_logs()

    def _show_logs(self) -> None:
        span = self.current_span()
        own = [row for row in self.trace_logs if span is not None and row.span_id == span.span_id]
        rows = own if own and not self.all_logs else self.trace_logs
        what = "this span" if rows is own else "the trace"
        panel = self.query_one("#logs", VirtualRows)
        panel.border_title = f"Logs of {what}  {len(rows)}"
        panel.border_subtitle = f"a: all {len(self.trace_logs)}" if len(rows) < len(self.trace_logs) else ""
        if rows is not own and not self.all_logs and rows:
            panel.border_subtitle = "this span wrote none"
        panel.show(LogPanelRows(rows))

    # ------------------------------------------------------------ keys

    def on_virtual_rows_moved(self, moved: VirtualRows.Moved) -> None:
        if moved.rows.id == "waterfall":
            self._unmoved = False
            self._show_span()

    def on_virtual_rows_chosen(self, chosen: VirtualRows.Chosen) -> None:
        index = self.current()
        if chosen.rows.id == "waterfall" and self.rows is not None and index >= 0:
            self._fold(index, index not in self.rows.folded)

    def on_virtual_rows_sideways(self, side: VirtualRows.Sideways) -> None:
        index = self.current()
        if side.rows.id == "waterfall" and index >= 0:
            self._fold(index, side.step < 0)

    def _fold(self, index: int, folded: bool) -> None:
        assert self.rows is not None
        assert self.trace is not None
        if not self.rows.foldable(index):
            return
        (self.rows.folded.add if folded else self.rows.folded.discard)(index)
        self.rows.refold()
        self.query_one("#waterfall", VirtualRows).show(self.rows, self.rows.shown.index(index))

    def go_to(self, index: int) -> None:
        assert self.rows is not None
        if self.rows.critical and index not in self.rows.critical:
            self.action_critical()
        row = self.rows.reveal(index)
        waterfall = self.query_one("#waterfall", VirtualRows)
        waterfall.refit()
        waterfall.move_to(row)

    def _next(self, candidates: list[int], step: int, what: str) -> None:
        here = self.current()
        further = [index for index in candidates if (index > here if step > 0 else index < here)]
        if further:
            self.go_to(further[0] if step > 0 else further[-1])
        else:
            self.notify(f"no further {what} in this trace", timeout=2, markup=False)

    def go_error(self, step: int) -> None:
        if self.trace is not None and self.rows is not None:
            hidden = self.rows.hidden
            self._next([index for index in self.trace.errors() if index not in hidden], step, "error")

    def action_match(self, step: int) -> None:
        """The next (or previous) span whose name or attributes match."""
        if self.trace is None or not self.search:
            return
        found = [index for index, span in enumerate(self.trace.spans) if matches(span, self.search)]
        self._next(found, step, "match")

    def slash(self) -> None:
        from relive_tui.screens.dialogs.prompt import Prompt

        def done(text: str | None) -> None:
            if text:
                self.search = text.lower()
                self.action_match(1)

        self.app.push_screen(Prompt("Search spans", self.search, hint="name or attribute · n next"), done)

    def action_zoom(self, step: int) -> None:
        """To the span, or back to the whole trace."""
        span = self.current_span()
        if self.rows is None or self.trace is None or span is None:
            return
        whole = (self.trace.start_ns, self.trace.total_ns)
        self.rows.zoom = (span.start_ns, max(span.duration_ns, 1)) if step else whole
        self.query_one("#waterfall", VirtualRows).refresh()
        self._show_minimap()

    def leave(self) -> bool:
        if self.rows is not None and self.trace is not None:
            whole = (self.trace.start_ns, self.trace.total_ns)
            if self.rows.zoom != whole:
                self.action_zoom(0)
                return True
        return False

    def action_focus_errors(self) -> None:
        """Fold everything that no error lies in; again: unfold all."""
        if self.rows is None or self.trace is None:
            return
        index = self.current()
        trace = self.trace
        inner = {i for i in range(len(trace.spans)) if trace.end[i] > i + 1 and not trace.bad[i]}
        self.rows.folded = set() if self.rows.folded else inner
        self.go_to(index)
        self._show_legend()

    def action_critical(self) -> None:
        """Mark the spans that the end of the trace waited for, and show only them; again: all spans."""
        if self.rows is None or self.trace is None:
            return
        index = self.current()
        self.rows.critical = {} if self.rows.critical else critical_path(self.trace)
        self.rows.refold()
        waterfall = self.query_one("#waterfall", VirtualRows)
        waterfall.border_subtitle = "critical path (c: all)" if self.rows.critical else ""
        shown = self.rows.shown
        waterfall.show(self.rows, shown.index(index) if index in shown else 0)
        self._show_span()

    def lens(self, view: str) -> Scope:
        """A heap and a flame graph are of one invocation: of the span under the cursor's. A flame graph is of
        that span, if it is the function's own."""
        scope = self.lens_scope()
        if view not in ("heap", "flame") or self.trace is None:
            return scope
        index = self.current()
        ident, attempt = self.trace.invocation_of(index) if index >= 0 else ("", 0)
        if not ident:
            return scope
        span = self.trace.spans[index]
        inside = span.span_id if view == "flame" and kind_of(span) == SPAN else ""
        if ident == scope.invocation_id and scope.attempt:
            return replace(scope, span_id=inside)
        return replace(scope, invocation_id=ident, attempt=attempt, function="", span_id=inside)

    def action_plumbing(self) -> None:
        """Show the platform's own spans, or fold them into what they lead to."""
        if self.rows is None or not len(self.rows):
            return
        index = self.current()
        self.rows.plumbing = not self.rows.plumbing
        self.rows.refold()
        shown = [row for row, each in enumerate(self.rows.shown) if each <= index]
        self.query_one("#waterfall", VirtualRows).show(self.rows, shown[-1] if shown else 0)
        self._show_legend()
        self._show_span()

    def _show_legend(self) -> None:
        if self.rows is not None:
            line = legend(len(self.rows.hideable), self.rows.plumbing)
            self.query_one("#legend", LineBar).set([("  ", ""), *line])

    def action_all_logs(self) -> None:
        """Logs of the span, or of the whole trace."""
        self.all_logs = not self.all_logs
        self._show_logs()

    def action_scene(self) -> None:
        """The failure scene of the invocation that the span belongs to."""
        span = self.current_span()
        ident = span.attributes.get("faas.invocation_id", "") if span else ""
        ident = ident or self.scope.invocation_id
        if ident:
            self.relive.go(Place("failure", replace(self.scope, invocation_id=ident, attempt=0, trace_id="")))
        else:
            self.notify("this span belongs to no invocation", timeout=2, markup=False)


def matches(span: SpanRow, text: str) -> bool:
    """Whether a span's name or one of its attributes holds `text` (lower case)."""
    if text in span.name.lower():
        return True
    return any(text in value.lower() or text in name.lower() for name, value in span.attributes.items())
