"""Metrics: rate, errors, durations and waiting of each function, and the platform's gauges, as charts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from relive_base.shown_numbers import counted
from textual.binding import Binding, BindingType

from relive_tui.models.charts import ChartGrid
from relive_tui.models.layout.text import clean
from relive_tui.models.lists.feed import Feed
from relive_tui.models.metrics import POINTS, GaugeRows, MetricRows, function_charts, gauge_charts
from relive_tui.models.navigation.scope import Place, Scope
from relive_tui.models.widening import Widening
from relive_tui.screens.base import ReliveScreen
from relive_tui.widgets.rows import VirtualRows
from relive_tui.widgets.titles import safe_title

if TYPE_CHECKING:
    from collections.abc import Iterable

    from relive_views.health.functions import FunctionHealth
    from relive_views.health.platform import Gauge
    from textual.widget import Widget

    from relive_tui.models.charts import Chart
    from relive_tui.source.tickets import Ticket

__all__ = ["MetricsScreen"]

EMPTY = "Nothing ran in this time range.\n\nt: another range · relive invoke FN --event '{}' sends an event"
EMPTY_PLATFORM = (
    "The server has said nothing of itself in this time range.\n\n"
    "It does so at the end of each minute: relive serve · t: another range"
)


class MetricsScreen(ReliveScreen):
    """The cursor starts on the function that one comes from, else on the one that fails most."""

    HINTS: ClassVar = (
        ("⏎", "invocations"), ("v", "functions/platform"), ("t", "range"), ("3", "slowest or failed trace"),
        ("4", "flame"), ("Tab", "charts"),
    )  # fmt: skip
    REFRESH_S = 10.0
    BINDINGS: ClassVar[list[BindingType]] = [Binding("v", "mode", show=False)]

    def body(self) -> Iterable[Widget]:
        yield VirtualRows(title="Functions", empty="… loading metrics", id="list")
        yield VirtualRows(title="Charts", cursor=False, tells_more=True, id="charts")

    def setup(self) -> None:
        self.platform = False
        self.functions: Feed[list[FunctionHealth]] = Feed("metrics")
        self.gauges: Feed[list[Gauge]] = Feed("the platform's metrics")
        self.wider_functions: Widening[list[FunctionHealth]] = Widening()
        self.wider_gauges: Widening[list[Gauge]] = Widening()
        self._asked_ns = 0
        self._wanted = self.scope.function

    @property
    def follows(self) -> bool:
        return True

    def first_focus(self) -> str:
        return "#list"

    # ------------------------------------------------------------ data

    def load(self) -> None:
        """In the range of the scope, or in a wider one if nobody has chosen it and there is nothing in it."""
        scope, now_ns = replace(self.scope, function=""), self.data.now_ns()
        fixed = self.relive.range_chosen or bool(self.data.file)
        self._asked_ns = now_ns
        wider_functions, wider_gauges = self.wider_functions, self.wider_gauges

        def gauges(ticket: Ticket) -> list[Gauge]:
            def ask(range_ns: int) -> list[Gauge]:
                return self.data.gauges(ticket, replace(scope, range_ns=range_ns), POINTS)

            return wider_gauges.find(scope.range_ns, now_ns, ask, lambda found: fixed or bool(found))

        def functions(ticket: Ticket) -> list[FunctionHealth]:
            def ask(range_ns: int) -> list[FunctionHealth]:
                return self.data.figures(ticket, replace(scope, range_ns=range_ns), POINTS)

            return wider_functions.find(scope.range_ns, now_ns, ask, lambda found: fixed or bool(found))

        if self.platform:
            self.ask("metrics", self.gauges, gauges, self._told)
        else:
            self.ask("metrics", self.functions, functions, self._told)

    @property
    def shown_scope(self) -> Scope:
        """The scope, with the range of what is shown."""
        wider = (self.wider_gauges if self.platform else self.wider_functions).range_ns
        return self.scope if wider is None else replace(self.scope, range_ns=wider)

    def _told(self, _answer: object) -> None:
        rows = self.query_one("#list", VirtualRows)
        if self.platform:
            gauges = GaugeRows(self.gauges.value or [])
            told = self.wider_gauges.told(self.scope.range_ns, "none")
            rows.border_title = f"Platform  {counted(len(gauges), 'metric')}" + (f" · {told}" if told else "")
            rows.show(gauges)
            self._say_if_empty(rows, EMPTY_PLATFORM)
        else:
            functions = MetricRows(self.functions.value or [])
            told = self.wider_functions.told(self.scope.range_ns, "none ran")
            rows.border_title = f"Functions  {len(functions)}" + (f" · {told}" if told else "")
            rows.show(functions, self._first(functions))
            self._say_if_empty(rows, EMPTY)
        most = max(self.size.height // 3, 6)
        rows.styles.height = "1fr" if self.has_class("-tiny") else min(max(len(rows.source) + 3, 5), most)
        # the charts need the size that they will have
        self.call_after_refresh(self._draw)

    def _say_if_empty(self, rows: VirtualRows, text: str) -> None:
        if len(rows.source):
            rows.say_empty(text)
        else:
            self.say_nothing(rows, text)

    def _first(self, functions: MetricRows) -> int | None:
        """Where the cursor goes: to the function that it was on, though others may fail more by now."""
        names = [one.function for one in functions.functions]
        shown, rows = self.query_one("#list", VirtualRows).source, self.query_one("#list", VirtualRows)
        if isinstance(shown, MetricRows) and len(shown):
            self._wanted = shown.functions[min(rows.cursor, len(shown) - 1)].function
        return names.index(self._wanted) if self._wanted in names else None

    # ------------------------------------------------------------ charts

    def selected(self) -> FunctionHealth | Gauge | None:
        """What is under the cursor."""
        rows = self.query_one("#list", VirtualRows)
        source = rows.source
        if isinstance(source, MetricRows) and len(source):
            return source.functions[min(rows.cursor, len(source) - 1)]
        if isinstance(source, GaugeRows) and len(source):
            return source.gauges[min(rows.cursor, len(source) - 1)]
        return None

    def _charts(self) -> tuple[str, list[Chart]]:
        rows = self.query_one("#list", VirtualRows)
        source, found = rows.source, self.selected()
        if isinstance(source, GaugeRows) and found is not None:
            gauge = source.gauges[min(rows.cursor, len(source) - 1)]
            means = len(gauge.means) * 60_000_000_000
            since_ns = self.shown_scope.since_ns(self._asked_ns) or self._asked_ns - means
            return gauge.found.metric, gauge_charts(gauge, source.gauges, since_ns, self._asked_ns)
        if isinstance(source, MetricRows) and found is not None:
            one = source.functions[min(rows.cursor, len(source) - 1)]
            return one.function, function_charts(one)
        return "", []

    def _draw(self) -> None:
        panel = self.query_one("#charts", VirtualRows)
        name, charts = self._charts()
        region = panel.scrollable_content_region
        width = max((region.width or self.size.width - 4) - 1, 20)
        panel.border_title = f"Charts  {safe_title(name)}" if name else "Charts"
        panel.show(ChartGrid(charts, width, max(region.height, 1)))

    def on_resize(self) -> None:
        super().on_resize()
        if hasattr(self, "functions"):
            self.call_after_refresh(self._draw)

    def on_virtual_rows_moved(self, moved: VirtualRows.Moved) -> None:
        if moved.rows.id == "list":
            self._draw()

    # ------------------------------------------------------------ keys

    def on_virtual_rows_chosen(self, chosen: VirtualRows.Chosen) -> None:
        source = chosen.rows.source
        if isinstance(source, MetricRows):
            name = source.functions[chosen.index].function
            scope = self.shown_scope.without_invocation()
            self.relive.go(Place("invocations", replace(scope, function=name)))

    def action_mode(self) -> None:
        """The functions, or the platform itself."""
        self.platform = not self.platform
        rows = self.query_one("#list", VirtualRows)
        rows.show(MetricRows() if not self.platform else GaugeRows(), 0)
        rows.say_empty("… loading metrics", waiting=True)
        self._draw()
        self.load()

    def lens(self, view: str) -> Scope:
        """The function under the cursor; of traces the one that its charts are best explained by."""
        source, rows = self.query_one("#list", VirtualRows).source, self.query_one("#list", VirtualRows)
        if not isinstance(source, MetricRows) or not len(source):
            return self.shown_scope
        one = source.functions[min(rows.cursor, len(source) - 1)]
        scope = replace(self.shown_scope.without_invocation(), function=one.function)
        if view == "trace" and one.whole.exemplar_trace_id:
            ident = one.whole.exemplar_invocation_id
            return replace(scope, trace_id=one.whole.exemplar_trace_id, invocation_id=ident)
        return scope

    def go_error(self, step: int) -> None:
        """The next (or previous) function that fails."""
        rows = self.query_one("#list", VirtualRows)
        source = rows.source
        index = rows.cursor + step
        while isinstance(source, MetricRows) and 0 <= index < len(source):
            if source.functions[index].whole.failed:
                rows.move_to(index)
                return
            index += step
        self.notify("no further function fails", timeout=2, markup=False)

    def slash(self) -> None:
        """Go to the first row whose name has a text in it."""
        from relive_tui.screens.dialogs.prompt import Prompt

        rows = self.query_one("#list", VirtualRows)

        def done(text: str | None) -> None:
            names = [line.lower() for line in self._names()]
            found = [at for at, name in enumerate(names) if text and text.strip().lower() in name]
            if found:
                rows.move_to(found[0])
            elif text:
                self.notify(f"nothing here is called {clean(text)}", timeout=2, markup=False)

        self.app.push_screen(Prompt("Go to", "", hint="part of a name"), done)

    def _names(self) -> list[str]:
        source = self.query_one("#list", VirtualRows).source
        if isinstance(source, MetricRows):
            return [one.function for one in source.functions]
        return [gauge.name for gauge in source.gauges] if isinstance(source, GaugeRows) else []
