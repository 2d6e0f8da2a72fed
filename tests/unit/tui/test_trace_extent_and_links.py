"""Where in a trace one is, where its spans link to, and what a long one costs."""

from __future__ import annotations

from dataclasses import replace

from relive_tui.models.layout.text import line_text, line_width
from relive_tui.models.navigation.scope import Scope
from relive_tui.models.trace.extent import extent_line
from relive_tui.models.trace.links import MAX_LINKS, link_lines, links_of
from relive_tui.models.trace.reading import read_trace
from relive_tui.models.trace.spans import build_trace, critical_path
from relive_tui.models.trace.waterfall import WaterfallRows
from relive_views.records import SpanLinkRow, SpanRow, Unkept

MS = 1_000_000


def spans() -> list[SpanRow]:
    def row(ident: str, parent: str, start: int, length: int, **more: object) -> SpanRow:
        return SpanRow(
            span_id=ident, parent_span_id=parent, name=f"span {ident}", start_ns=start * MS,
            duration_ns=length * MS, **more,  # type: ignore[arg-type]
        )  # fmt: skip

    links = (SpanLinkRow("t1", "c"), SpanLinkRow("9" * 32, "ff00ff00ff", attributes={"why": "\x1b[1mretry"}))
    return [
        row("a", "", 0, 100),
        row("b", "a", 0, 20, links=links),
        row("c", "a", 50, 50, status="Error"),
    ]


def test_the_span_under_the_cursor_the_zoom_and_the_critical_path_are_marked() -> None:
    trace = build_trace(spans())
    whole = (trace.start_ns, trace.total_ns)
    assert line_text(extent_line(trace, 10, 1, whole)) == "━━        "
    assert line_text(extent_line(trace, 10, 2, whole)) == "     ━━━━━"
    assert extent_line(trace, 10, 2, whole)[-1][1] == "error"
    zoomed = extent_line(trace, 10, -1, (50 * MS, 50 * MS))
    assert line_text(zoomed) == "     [   ]"
    assert line_text(extent_line(trace, 10, -1, whole, critical_path(trace))) == "┄┄   ┄┄┄┄┄"
    assert line_width(extent_line(trace, 40, 0, whole)) == 40


def test_links_say_where_they_lead_and_are_harmless() -> None:
    trace = build_trace(spans())
    lines = [line_text(line) for line in link_lines(trace, trace.spans[1], "t1")]
    assert lines[0] == "⇢ span c, in this trace  L opens it"
    assert lines[1] == "⇢ trace 99999999 span ff00ff00"
    assert "\x1b" not in "".join(lines)
    many = replace(spans()[0], links=(SpanLinkRow("t", "s"),) * (MAX_LINKS + 5))
    assert len(links_of(many)) == MAX_LINKS
    assert "5 more links" in line_text(link_lines(trace, many, "t1")[-1])


def test_the_beginning_of_a_long_trace_is_folded_and_zoomed_as_all_of_it_is() -> None:
    # Given the first two spans of a trace, one of them folded, zoomed
    first = WaterfallRows(build_trace(spans()[:2]))
    first.folded.add(0)
    first.zoom = (0, 20 * MS)
    # When the rest has come
    read = read_trace("t1", spans(), Scope(), 40, 3)
    rows = read.rows.like(first)
    # Then that is so still, and the worst span is known
    assert rows.shown == [0]
    assert rows.zoom == (0, 20 * MS)
    assert read.more
    assert read.beginning == 2
    assert not read_trace("t1", spans(), Scope(), 40, 10).more
    # And what of it was not kept is counted
    assert (read.dropped, read.left_out) == (0, 0)
    read = read_trace("t1", spans(), Scope(), 40, 10, Unkept({"a": 7}, {"a": 3, "b": 1}))
    assert (read.dropped, read.left_out) == (7, 4)
