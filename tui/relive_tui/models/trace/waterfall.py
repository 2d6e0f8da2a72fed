"""A trace as rows: the tree on the left, the bars on the right. Functions are bright, the platform's own
spans are folded into what they lead to until they are asked for."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

from relive_tui.models.layout.format import duration
from relive_tui.models.layout.text import Line, clean, fit
from relive_tui.models.trace.spans import (
    FUNCTION,
    PLUMBING,
    SPAN,
    Trace,
    attempts_of,
    critical_path,
    hidden_plumbing,
    kind_of,
)

if TYPE_CHECKING:
    from relive_views.records import SpanRow

__all__ = ["WaterfallRows", "bar", "legend"]

_EIGHTHS = " ▏▎▍▌▋▊▉█"
MAX_DEPTH_SHOWN = 24
_TIME_CELLS = 10
_LOOKS = {FUNCTION: ("name", "bar_function"), SPAN: ("", "bar"), PLUMBING: ("dim", "bar_platform")}


def bar(start: float, length: float, width: int) -> tuple[int, str]:
    """(cells before the bar, the bar) for fractions of the whole; never less than an eighth of a cell."""
    first = min(int(start * width), max(width - 1, 0))
    last = min(round((start + length) * width * 8) / 8, width)
    cells = max(last - first, 0.125)
    full = int(cells)
    rest = _EIGHTHS[int((cells - full) * 8)] if full < width - first else ""
    return first, "█" * full + (rest if rest.strip() else "")


def legend(hidden: int, shown: bool) -> Line:
    """What the bars mean, and how many spans of the platform are folded."""
    line: Line = [
        ("█", "bar_function"), (" function  ", "dim"), ("▄", "bar"), (" your span  ", "dim"),
        ("─", "bar_platform"), (" platform  ", "dim"), ("✖", "error"), (" failed", "dim"),
    ]  # fmt: skip
    if hidden:
        what = "folds" if shown else f"shows {hidden}"
        line += [("   ", ""), ("u", "hint_key"), (f" {what} platform span{'s' * (hidden != 1)}", "dim")]
    return line


class WaterfallRows:
    """The visible spans."""

    def __init__(self, trace: Trace, folded: set[int] | None = None, *, plumbing: bool = False) -> None:
        self.trace = trace
        self.folded = folded if folded is not None else set()
        self.critical: dict[int, int] = {}  # if not empty: the only spans that are shown
        self.hideable = hidden_plumbing(trace)
        self.plumbing = plumbing  # whether the platform's spans are shown
        self._attempts = attempts_of(trace)
        self.zoom = (trace.start_ns, trace.total_ns)
        self._depth: list[int] = []
        self._inside: list[int] = []
        self._measured: set[int] | None = None
        self.refold()

    def __len__(self) -> int:
        return len(self.shown)

    def like(self, other: WaterfallRows) -> WaterfallRows:
        """Folded and zoomed as the rows of the same trace with fewer spans are."""
        trace, before = self.trace, other.trace
        if other.folded:
            ids = {before.spans[index].span_id for index in other.folded}
            self.folded = {i for i, span in enumerate(trace.spans) if span.span_id in ids}
        if other.zoom != (before.start_ns, before.total_ns):
            self.zoom = other.zoom
        if other.critical:
            self.critical = critical_path(trace)
        if other.folded or other.critical or other.plumbing != self.plumbing:
            self.plumbing = other.plumbing
            self.refold()
        return self

    def grown(self, trace: Trace) -> WaterfallRows:
        """The rows of the same trace with more spans, folded and zoomed as these are."""
        return WaterfallRows(trace).like(self)

    @property
    def hidden(self) -> set[int]:
        """The platform's spans that are not shown now."""
        return set() if self.plumbing or self.critical else self.hideable

    def refold(self) -> None:
        """What is shown, after `folded`, `critical` or `plumbing` changed."""
        hidden, trace = self.hidden, self.trace
        shown = trace.visible(set() if self.critical else self.folded)
        self.shown = [
            index for index in shown if index not in hidden and (not self.critical or index in self.critical)
        ]
        if hidden != self._measured:
            self._measured = hidden
            self._measure(hidden)

    def _measure(self, hidden: set[int]) -> None:
        """How deep each span stands, and how many are below it, without the hidden ones."""
        trace = self.trace
        self._depth = [0] * len(trace.spans)
        self._inside = [0] * len(trace.spans)  # spans below each that are not hidden
        for index, parent in enumerate(trace.parent):
            if parent >= 0:
                self._depth[index] = self._depth[parent] + (parent not in hidden)
        for index in range(len(trace.spans) - 1, -1, -1):
            if trace.parent[index] >= 0:
                self._inside[trace.parent[index]] += self._inside[index] + (index not in hidden)

    def reveal(self, index: int) -> int:
        """The row of a span, after unfolding what hides it."""
        above = self.folded.intersection(self.trace.path(index)[:-1])
        if index in self.hidden or above:
            self.plumbing = self.plumbing or index in self.hidden
            self.folded -= above
            self.refold()
        row = bisect_left(self.shown, index)
        return row if self.shown[row : row + 1] == [index] else self.shown.index(index)

    def foldable(self, index: int) -> bool:
        """Whether something is shown below a span."""
        return self._inside[index] > 0

    def header(self, width: int) -> Line:
        label, area = self._widths(width)
        start, total = self.zoom
        zoomed = start > self.trace.start_ns  # then the scale counts from the window's left edge
        left = f"at {duration(start - self.trace.start_ns)}" if zoomed else "0"
        middle, right = ("+" * zoomed + duration(ns) for ns in (total / 2, total))
        half = max(area // 2, 1)
        scale = fit(left, half) + fit(middle, area - half - len(right)) + right
        return [
            (fit("  SPAN", label), "head"),
            (fit(scale, area), "head"),
            (fit("WAITED" if self.critical else "TIME", _TIME_CELLS, "right"), "head"),
        ]

    def _widths(self, width: int) -> tuple[int, int]:
        label = max(min(width * 2 // 5, 48), 16)
        return label, max(width - label - _TIME_CELLS, 8)

    def line(self, row: int, width: int, selected: bool) -> Line:
        index = self.shown[row]
        span = self.trace.spans[index]
        label, area = self._widths(width)
        style, tone = _LOOKS[kind_of(span)]
        took = self.critical.get(index, span.duration_ns)
        return [
            ("▸ " if selected else "  ", "accent"),
            (fit(self._label(index, span), label - 3) + " ", "error" if span.failed else style),
            *self._bars(index, span, area, "error" if span.failed else tone),
            (fit(duration(took), _TIME_CELLS, "right"), "error" if span.failed else ""),
        ]

    def _label(self, index: int, span: SpanRow) -> str:
        folded = index in self.folded
        mark = ("▸" if folded else "▾") if self.foldable(index) else " "
        indent = "  " * min(self._depth[index], MAX_DEPTH_SHOWN)
        sign = "✖ " if span.failed else "! " if self.trace.bad[index] and folded else ""
        attempt = f" #{self._attempts[index]}" if index in self._attempts else ""
        more = f" (+{self._inside[index]})" if folded and self._inside[index] else ""
        return f"{indent}{mark} {sign}{clean(span.title)}{attempt}{more}"

    def _bars(self, index: int, span: SpanRow, area: int, tone: str) -> Line:
        """The bar; before it, as a thin line, the platform's spans that are folded into it."""
        before, cells = self._bar(span.start_ns, span.duration_ns, area)
        kind = kind_of(span)
        if kind == PLUMBING:
            cells = "─" * len(cells) if cells[:1] not in ("›", "‹") else cells
        elif kind == SPAN:
            cells = "".join("▄" if cell == "█" else "▖" if cell in _EIGHTHS else cell for cell in cells)
        first = self._leads_in(index)
        lead = before
        if first < span.start_ns:
            lead = min(self._bar(first, span.start_ns - first, area)[0], before)
        return [
            (" " * lead, ""),
            ("─" * (before - lead), "bar_platform"),
            (fit(cells, area - before), tone),
        ]

    def _leads_in(self, index: int) -> int:
        """When the hidden spans right above a span began."""
        first, parent, hidden = self.trace.spans[index].start_ns, self.trace.parent[index], self.hidden
        while parent in hidden:
            first = min(first, self.trace.spans[parent].start_ns)
            parent = self.trace.parent[parent]
        return first

    def _bar(self, begin_ns: int, length_ns: int, area: int) -> tuple[int, str]:
        """The part of a span that lies in the window; an arrow if all of it lies beside it."""
        start, total = self.zoom
        first, last = (begin_ns - start) / total, (begin_ns + length_ns - start) / total
        if first >= 1.0:
            return area - 1, "›"
        if last <= 0.0 and first < 0.0:
            return 0, "‹"
        first, last = max(first, 0.0), min(last, 1.0)
        return bar(first, last - first, area)
