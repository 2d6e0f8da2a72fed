"""From rows to what templates show. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from relive_base.shown_numbers import shown_number
from relive_base.terminal import escape_terminal
from relive_base.values import ValueNode, render
from relive_views.records import SpanRow

__all__ = [
    "ROW_HEIGHT",
    "Bar",
    "Part",
    "Point",
    "Row",
    "SourceLine",
    "bars",
    "bytes_text",
    "duration",
    "source_lines",
    "sparkline",
    "visible",
    "waterfall",
    "when",
]

_UNITS: Final = ((1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "µs"))
_HOUR_NS: Final = 3_600_000_000_000
_WIDTH: Final = 1_000
_AROUND: Final = 6
_VALUE: Final = 4_000
_ATTRIBUTE: Final = 200
_DEPTH: Final = 12
_BAR_TOP: Final = 4
_BAR_HEIGHT: Final = 12
ROW_HEIGHT: Final = 20
"""In pixels, as the style sheet has it."""


def visible(value: object) -> object:
    """What a template shows: text with its control characters written out, as in a terminal. One that turns
    the direction of writing would turn all that stands behind it on the page."""
    return escape_terminal(value) if type(value) is str else value


def duration(ns: int) -> str:
    """ "1.25 s", "20.6 ms", "2 h 05 min", "13 d 00 h"."""
    if ns >= _HOUR_NS:
        hours, minutes = ns // _HOUR_NS, ns // (_HOUR_NS // 60) % 60
        return f"{hours} h {minutes:02} min" if hours < 24 else f"{hours // 24} d {hours % 24:02} h"
    for size, unit in _UNITS:
        if abs(ns) >= size:
            return f"{shown_number(ns / size, 3)} {unit}"
    return f"{ns} ns"


def bytes_text(size: int) -> str:
    """ "1.5 MB"."""
    for factor, unit in ((1 << 30, "GB"), (1 << 20, "MB"), (1 << 10, "KB")):
        if size >= factor:
            return f"{size / factor:.1f} {unit}"
    return f"{size} B"


def when(ns: int) -> str:
    """In UTC, to the millisecond."""
    if ns <= 0:
        return ""
    moment = datetime.fromtimestamp(ns // 1_000_000_000, UTC)
    return f"{moment:%Y-%m-%d %H:%M:%S}.{ns // 1_000_000 % 1000:03} UTC"


@dataclass(frozen=True, slots=True)
class Bar:
    """A span of a waterfall. `left` and `width` are thousandths of the trace."""

    span: SpanRow
    depth: int
    left: int
    width: int


def bars(spans: Sequence[SpanRow]) -> list[Bar]:
    """Parents first, brothers by start; spans whose parent is not there begin a tree."""
    if not spans:
        return []
    known = {span.span_id for span in spans}
    children: dict[str, list[SpanRow]] = {}
    for span in sorted(spans, key=lambda span: (span.start_ns, -span.duration_ns)):
        parent = span.parent_span_id if span.parent_span_id in known else ""
        children.setdefault(parent if parent != span.span_id else "", []).append(span)
    start = min(span.start_ns for span in spans)
    total = max(max(span.end_ns for span in spans) - start, 1)
    found: list[Bar] = []
    waiting = [(span, 0) for span in reversed(children.pop("", []))]
    seen: set[str] = set()
    while waiting:
        span, depth = waiting.pop()
        if span.span_id in seen:
            continue
        seen.add(span.span_id)
        left = (span.start_ns - start) * _WIDTH // total
        found.append(Bar(span, depth, left, max(span.duration_ns * _WIDTH // total, 2)))
        waiting += [(child, depth + 1) for child in reversed(children.get(span.span_id, []))]
    # What is left hangs on itself in a circle: it is shown, flat.
    found += [Bar(span, 0, 0, 2) for span in spans if span.span_id not in seen]
    return found


@dataclass(frozen=True, slots=True)
class Row:
    """A span as the page has it; its bar is in the picture of its part."""

    name: str
    message: str
    service: str
    took: str
    title: str
    depth: int
    failed: bool
    first_failed: bool  # of the whole trace


@dataclass(frozen=True, slots=True)
class Part:
    """Rows that a browser lays out together, and only once they are looked at. All bars are one picture, of
    two paths: those of spans that failed, and the others."""

    rows: list[Row]
    good_path: str
    bad_path: str

    @property
    def height(self) -> int:
        return len(self.rows) * ROW_HEIGHT


def waterfall(found: Sequence[Bar], size: int = 200) -> Iterator[Part]:
    """Few elements for each span: a browser shows 10,000 of them at once."""
    first = next((index for index, bar in enumerate(found) if bar.span.failed), -1)
    for start in range(0, len(found), size):
        some = found[start : start + size]
        paths = [_path(some, failed) for failed in (False, True)]
        yield Part(_rows(some, start, first), *paths)


def _path(found: Sequence[Bar], failed: bool) -> str:
    """A rectangle for each bar, at the height of its row."""
    return "".join(
        f"M{bar.left} {index * ROW_HEIGHT + _BAR_TOP}h{bar.width}v{_BAR_HEIGHT}h-{bar.width}z"
        for index, bar in enumerate(found)
        if bar.span.failed is failed
    )


def _rows(found: Sequence[Bar], start: int, first: int) -> list[Row]:
    return [
        Row(
            name=bar.span.name,
            message=bar.span.status_message,
            service=bar.span.service,
            took=duration(bar.span.duration_ns),
            title=_attributes(bar.span),
            depth=min(bar.depth, _DEPTH),
            failed=bar.span.failed,
            first_failed=start + index == first,
        )
        for index, bar in enumerate(found)
    ]


def _attributes(span: SpanRow) -> str:
    lines = [f"{key} = {value[:_ATTRIBUTE]}" for key, value in span.attributes.items()]
    return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class SourceLine:
    """A line of source."""

    number: int
    text: str
    failing: bool


def source_lines(source: Sequence[str], first: int, line: int) -> list[SourceLine]:
    """Those around `line`."""
    start = max(line - _AROUND, first)
    wanted = range(start, min(line + _AROUND + 1, first + len(source)))
    return [SourceLine(number, source[number - first], number == line) for number in wanted]


@dataclass(frozen=True, slots=True)
class Point:
    """A bucket of a chart: `x` and `height` for a bar of width 1 in a box of height 20."""

    x: int
    height: float
    label: str


def sparkline(values: Sequence[float | None], unit: str = "") -> list[Point]:
    """Bars; None has none."""
    highest = max((value for value in values if value is not None), default=0.0) or 1.0
    return [
        Point(index, round(value / highest * 20, 2), f"{shown_number(value)}{unit}")
        for index, value in enumerate(values)
        if value
    ]


def value_lines(node: ValueNode, label: str, depth: int = 0) -> Iterator[tuple[int, str, str]]:
    """(depth, label, text) of a value and of what is in it, three levels deep."""
    yield depth, label, render(node, _VALUE)
    if depth < 2:
        for name, child in node.children[:50]:
            yield from value_lines(child, name, depth + 1)
        more = node.more + max(len(node.children) - 50, 0)
        if more:
            yield depth + 1, "…", f"{more} more"
