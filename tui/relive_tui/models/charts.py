"""Series as charts of braille dots with axes, laid out side by side in a panel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from relive_tui.models.layout.format import day_clock
from relive_tui.models.layout.text import Line, clean, fit, line_width, pad_line

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Chart", "ChartGrid", "chart_lines"]

LEAST_WIDTH: Final = 36
LEAST_HEIGHT: Final = 7
MOST_HEIGHT: Final = 12
_SCALE: Final = 7  # cells of the numbers at the left
_GAP: Final = 2  # cells between charts
_FRAME: Final = 2  # lines that are not of the plot: the title and the times


@dataclass(frozen=True, slots=True)
class Chart:
    """A series over [since, until). None: nothing was measured in that stretch. `label` gives a value as
    people read it. `late`: stretches at the end that may not be there yet. `starts_ns`: when each stretch
    begins; empty: they are as long as each other."""

    title: str
    values: Sequence[float | None]
    since_ns: int
    until_ns: int
    label: Callable[[float], str]
    style: str = "accent"
    late: int = 0
    starts_ns: Sequence[int] = ()

    def start_ns(self, at: int) -> int:
        """When a stretch begins."""
        if self.starts_ns:
            return self.starts_ns[at]
        return self.since_ns + at * (self.until_ns - self.since_ns) // len(self.values)


def chart_lines(chart: Chart, width: int, height: int) -> list[Line]:
    """The chart in `height` lines: a title with the newest and the highest value, the plot, the times."""
    known = [(value, at) for at, value in enumerate(chart.values) if value is not None]
    cells, rows = max(width - _SCALE - 2, 4), max(height - _FRAME, 1)
    title: Line = [(clean(chart.title), "bold"), ("  ", "")]
    if not known:
        body = [[("nothing was measured", "dim")] if row == rows // 2 else [] for row in range(rows)]
        plot = [[(" " * _SCALE + "│", "dim"), *line] for line in body]
        return [title, *plot, _times(chart, cells)]
    top, where = max(known, key=lambda one: one[0])
    newest = next((value for value in chart.values[: -2 - chart.late : -1] if value is not None), None)
    when = _minute(chart.start_ns(where), chart.until_ns)
    title += [
        ("now ", "dim"), (chart.label(newest) if newest is not None else "·", chart.style),
        ("  most ", "dim"), (chart.label(top), ""), (f" at {when}" if top > 0 else "", "dim"),
    ]  # fmt: skip
    # When, and then how high, is less than what it is now; the word for it does not stay alone.
    for parts in (1, 2):
        if line_width(title) > width:
            del title[-parts:]
    scale = {0: chart.label(top), rows - 1: chart.label(0.0)} if top > 0 else {rows - 1: chart.label(0.0)}
    if top > 0 and rows >= 5:
        scale[rows // 2] = chart.label(top * (rows - 1 - rows // 2) / (rows - 1))
    lines = [title]
    for row, dots in enumerate(_plot(chart.values, cells, rows, top)):
        lines.append([(fit(scale.get(row, ""), _SCALE, "right"), "dim"), ("│", "dim"), (dots, chart.style)])
    return [*lines, _times(chart, cells)]


def _times(chart: Chart, cells: int) -> Line:
    begin, end = (_minute(ns, chart.until_ns) for ns in (chart.since_ns, chart.until_ns))
    gap = max(cells - len(begin) - len(end), 1)
    return [(" " * _SCALE + "└", "dim"), (f"{begin}{' ' * gap}{end}", "dim")]


def _minute(ns: int, now_ns: int) -> str:
    """`11:57`, `Nov 29 23:10`: nothing is measured more finely."""
    text = day_clock(ns, now_ns)
    return text[:5] if len(text) == len("11:57:00") else text


def _plot(values: Sequence[float | None], cells: int, rows: int, top: float) -> list[str]:
    """Dots, joined where values follow each other; a gap stays one."""
    from plotille import Canvas  # 9 ms, which only who looks at a chart pays

    across, up = cells * 2, rows * 4  # dots; the last ones are for the last and the highest value
    last = max(len(values) - 1, 1) * across / (across - 1)
    canvas = Canvas(cells, rows, 0, 0, last, (top or 1.0) * up / (up - 1))
    before: tuple[int, float] | None = None
    for at, value in enumerate(values):
        if value is None:
            before = None
            continue
        canvas.line(*(before or (at, value)), at, value)
        before = (at, value)
    return [str(line) for line in canvas.plot().split("\n")]


class ChartGrid:
    """Charts in as many columns as the width has room for. Rows of a VirtualRows."""

    def __init__(self, charts: Sequence[Chart] = (), width: int = 80, height: int = 20) -> None:
        self.lines: list[Line] = []
        if not charts:
            return
        columns = max(min(width // LEAST_WIDTH, len(charts), 4), 1)
        bands = -(-len(charts) // columns)
        tall = min(max(height // bands, LEAST_HEIGHT), MOST_HEIGHT)
        each = width // columns
        for first in range(0, len(charts), columns):
            beside = [chart_lines(chart, each - _GAP, tall) for chart in charts[first : first + columns]]
            for row in range(tall):
                line: Line = []
                for lines in beside:
                    line += [*pad_line(lines[row] if row < len(lines) else [], each - _GAP), (" " * _GAP, "")]
                self.lines.append(line)

    def __len__(self) -> int:
        return len(self.lines)

    def header(self, width: int) -> Line | None:
        return None

    def line(self, index: int, width: int, selected: bool) -> Line:
        return self.lines[index]
