"""Metrics: functions and the platform's gauges as rows, and the charts of the one under the cursor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from relive_tui.models.charts import Chart
from relive_tui.models.layout.columns import Column, Table, room_for
from relive_tui.models.layout.format import bytes_short, count_short, duration, millis, rate, trend
from relive_tui.models.layout.text import Line, Span, clean

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from relive_views.health.functions import FunctionHealth
    from relive_views.health.platform import Gauge

__all__ = ["POINTS", "GaugeRows", "MetricRows", "function_charts", "gauge_charts"]

POINTS: Final = 120
"""Stretches of time of a chart."""


def _percent(value: float) -> str:
    return "0" if value <= 0 else f"{value * 100:.1f}%" if value < 0.0995 else f"{value * 100:.0f}%"


def _ms(value: float) -> str:
    return duration(value * 1e6) if value > 0 else "0"


def _number(value: float) -> str:
    if value != int(value):
        return f"{value:.2f}" if abs(value) < 100 else f"{value:.0f}"
    return count_short(int(value))


_CHARTS: Final[tuple[tuple[str, str, Callable[[float], str], str], ...]] = (
    ("error_rate", "errors", _percent, "error"),
    ("rate", "rate per s", rate, "accent"),
    ("p95_ms", "p95", _ms, "accent"),
    ("waited_p95_ms", "waited p95", _ms, "warn"),
    ("p99_ms", "p99", _ms, "accent"),
    ("p50_ms", "p50", _ms, "accent"),
    ("memory_bytes", "memory", bytes_short, "ok"),
    ("cold_starts", "cold starts", _number, "key"),
)
"""What is charted of a function, the most telling first: (series, title, label, style)."""
_UNWRITTEN: Final = 2
"""Minutes that the server has not said yet: the one that is not over, and the one on its way."""
_UNITS: Final[dict[str, Callable[[float], str]]] = {
    "By": bytes_short,
    "s": lambda value: duration(value * 1e9) if value > 0 else "0",
    "ms": _ms,
}


class MetricRows:
    """Functions, those that fail most first."""

    def __init__(self, functions: Sequence[FunctionHealth] = ()) -> None:
        self.functions = sorted(functions, key=lambda one: (-(one.whole.error_rate or 0.0), one.function))
        names = room_for((clean(one.function) for one in self.functions), 8, 30)
        self._table = Table(
            (
                Column("FUNCTION", names, keep=20),
                Column("ATTEMPTS", 8, "right", keep=15),
                Column("RATE/S", 6, "right", keep=16),
                Column("ERRORS", 7, "right", keep=19),
                Column("", 8, keep=9, grow=1),
                Column("P50ms", 6, "right", keep=8),
                Column("P95ms", 6, "right", keep=18),
                Column("P99ms", 6, "right", keep=10),
                Column("WAITED", 6, "right", keep=17),
                Column("COLD", 5, "right", keep=7),
                Column("MEMORY", 6, "right", keep=11),
                Column("REJECTED", 8, "right", keep=6),
            )
        )

    def __len__(self) -> int:
        return len(self.functions)

    def header(self, width: int) -> Line | None:
        return self._table.header(width)

    def line(self, index: int, width: int, selected: bool) -> Line:
        one = self.functions[index]
        whole = one.whole
        failed = whole.error_rate or 0.0
        room = dict(self._table.layout(width)).get(4, 0)
        errors = "·" if whole.error_rate is None else _percent(failed)
        cells: list[Span] = [
            (clean(one.function), "name"),
            (count_short(whole.attempts), ""),
            (rate(one.rate), "dim"),
            (("✖" if failed else "") + errors, "error" if failed else "dim"),
            (trend(one.series("error_rate"), room), "error"),
            *((_figure(value), "") for value in (whole.p50_ms, whole.p95_ms, whole.p99_ms)),
            (_figure(whole.waited_p95_ms), "warn"),
            (count_short(whole.cold_starts), "dim"),
            (bytes_short(whole.largest_rss_bytes) if whole.largest_rss_bytes else "·", ""),
            (count_short(whole.rejected), "warn" if whole.rejected else "dim"),
        ]
        return self._table.row(cells, width, selected=selected)


def _figure(value_ms: float | None) -> str:
    return "·" if value_ms is None else millis(value_ms)


class GaugeRows:
    """What the server says of itself. Those that were never anything but 0 come last."""

    def __init__(self, gauges: Sequence[Gauge] = ()) -> None:
        self.gauges = sorted(
            gauges, key=lambda gauge: (not (gauge.found.most or gauge.found.least), gauge.name)
        )
        names = room_for((clean(gauge.name) for gauge in self.gauges), 12, 60)
        self._table = Table(
            (
                Column("METRIC", names, keep=9),
                Column("NOW", 8, "right", keep=8),
                Column("MEAN", 8, "right", keep=4),
                Column("LEAST", 8, "right", keep=3),
                Column("MOST", 8, "right", keep=5),
                Column("", 10, keep=6, grow=1),
            )
        )

    def __len__(self) -> int:
        return len(self.gauges)

    def header(self, width: int) -> Line | None:
        return self._table.header(width)

    def line(self, index: int, width: int, selected: bool) -> Line:
        gauge = self.gauges[index]
        found = gauge.found
        label = _UNITS.get(found.unit, _number)
        room = dict(self._table.layout(width)).get(5, 0)
        figures = (found.last, found.mean, found.least, found.most)
        cells: list[Span] = [
            (clean(gauge.name), "name"),
            *((label(value), "" if value else "dim") for value in figures),
            (trend(gauge.means, room), "accent"),
        ]
        return self._table.row(cells, width, selected=selected)


def function_charts(one: FunctionHealth) -> list[Chart]:
    """All that is charted of a function."""
    until_ns = one.since_ns + int(one.seconds * 1e9)
    starts_ns = [point.start_ns for point in one.points]
    return [
        Chart(title, one.series(name), one.since_ns, until_ns, label, style, starts_ns=starts_ns)
        for name, title, label, style in _CHARTS
    ]


def gauge_charts(gauge: Gauge, gauges: Sequence[Gauge], since_ns: int, until_ns: int) -> list[Chart]:
    """A gauge, and beside it the others of its metric."""
    family = [one for one in gauges if one.found.metric == gauge.found.metric and one is not gauge]
    charts = []
    for one in (gauge, *family):
        told = " ".join(f"{name}={value}" for name, value in sorted(one.found.attributes.items()))
        title = told or one.found.metric.removeprefix("relive.")
        label = _UNITS.get(one.found.unit, _number)
        charts.append(
            Chart(title, one.means, since_ns, until_ns, label, late=_UNWRITTEN, starts_ns=one.starts_ns)
        )
    return charts
