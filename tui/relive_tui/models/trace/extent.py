"""Where in the trace one is: the span under the cursor, the zoom and the critical path, below the minimap."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from relive_tui.models.layout.text import Line, Span
    from relive_tui.models.trace.spans import Trace

__all__ = ["extent_line"]


def extent_line(
    trace: Trace, width: int, current: int, zoom: tuple[int, int], critical: Iterable[int] = ()
) -> Line:
    """`━` the span under the cursor, `┄` the critical path, `[` and `]` the zoom."""
    cells: list[Span] = [(" ", "")] * width

    def cell(ns: int) -> int:
        return min(max((ns - trace.start_ns) * width // trace.total_ns, 0), width - 1)

    def mark(begin_ns: int, end_ns: int, sign: Span) -> None:
        first, last = cell(begin_ns), cell(max(end_ns - 1, begin_ns))
        cells[first : last + 1] = [sign] * (last + 1 - first)

    if not width or not trace.spans:
        return []
    for index in critical:
        span = trace.spans[index]
        if trace.parent[index] >= 0:  # the whole says nothing
            mark(span.start_ns, span.start_ns + span.duration_ns, ("┄", "warn"))
    if current >= 0:
        span = trace.spans[current]
        style = "error" if span.failed else "accent"
        mark(span.start_ns, span.start_ns + span.duration_ns, ("━", style))
    begin_ns, length_ns = zoom
    if (begin_ns, length_ns) != (trace.start_ns, trace.total_ns):
        cells[cell(begin_ns)] = ("[", "hint_key")
        cells[cell(begin_ns + length_ns - 1)] = ("]", "hint_key")
    return _joined(cells)


def _joined(cells: list[Span]) -> Line:
    """Neighbours of one style as one span."""
    line: Line = []
    for text, style in cells:
        if line and line[-1][1] == style:
            line[-1] = (line[-1][0] + text, style)
        else:
            line.append((text, style))
    return line
