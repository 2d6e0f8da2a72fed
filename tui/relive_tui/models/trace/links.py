"""Links of a span to spans of this trace, or of another one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from relive_tui.models.layout.text import Line, clean

if TYPE_CHECKING:
    from relive_views.records import SpanLinkRow, SpanRow

    from relive_tui.models.trace.spans import Trace

__all__ = ["link_label", "link_lines", "links_of"]

MAX_LINKS = 100


def links_of(span: SpanRow) -> tuple[SpanLinkRow, ...]:
    """Those that lead somewhere."""
    return tuple(link for link in span.links if link.trace_id)[:MAX_LINKS]


def link_label(trace: Trace, link: SpanLinkRow, trace_id: str) -> str:
    """`checkout, in this trace`, or `trace 4bf92f35 span 00f067aa`."""
    if link.trace_id == trace_id:
        names = [span.name for span in trace.spans if span.span_id == link.span_id]
        return f"{clean(names[0]) if names else clean(link.span_id)}, in this trace"
    return f"trace {clean(link.trace_id[:8])} span {clean(link.span_id[:8])}"


def link_lines(trace: Trace, span: SpanRow, trace_id: str) -> list[Line]:
    """A line for each link, with its attributes below; the first one says which key follows them."""
    lines: list[Line] = []
    for number, link in enumerate(links_of(span)):
        line: Line = [("⇢ ", "accent"), (link_label(trace, link, trace_id), "")]
        lines.append(line if number else [*line, ("  L", "hint_key"), (" opens it", "dim")])
        for name, value in sorted(link.attributes.items()):
            lines.append([("    " + clean(name), "key"), (" = ", "dim"), (clean(value), "value")])
    if len(span.links) > MAX_LINKS:
        lines.append([(f"⇢ {len(span.links) - MAX_LINKS:,} more links", "dim")])
    return lines
