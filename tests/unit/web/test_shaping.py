"""From rows to what the pages show."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st
from relive_views.records import SpanRow
from relive_web.pages import Pages
from relive_web.shaping import (
    ROW_HEIGHT,
    bars,
    bytes_text,
    duration,
    source_lines,
    sparkline,
    waterfall,
    when,
)

IDS = st.sampled_from(["", "a", "b", "c", "d", "e"])


def span(ident: str, parent: str = "", start: int = 0, took: int = 10, **more: str) -> SpanRow:
    return SpanRow(span_id=ident, parent_span_id=parent, start_ns=start, duration_ns=took, **more)


def test_children_stand_below_their_parents_by_their_start() -> None:
    found = bars(
        [span("c", "a", 50, 50), span("b", "a", 0, 20), span("a", "", 0, 100), span("d", "gone", 90)]
    )

    assert [(bar.span.span_id, bar.depth, bar.left, bar.width) for bar in found] == [
        ("a", 0, 0, 1000),
        ("b", 1, 0, 200),
        ("c", 1, 500, 500),
        ("d", 0, 900, 100),
    ]


@given(st.lists(st.tuples(IDS, IDS, st.integers(0, 100), st.integers(0, 100)), max_size=12))
def test_each_span_is_shown_whatever_hangs_on_what(rows: list[tuple[str, str, int, int]]) -> None:
    spans = [span(ident, parent, start, took) for ident, parent, start, took in rows]

    found = bars(spans)

    assert {bar.span.span_id for bar in found} == {row.span_id for row in spans}
    assert all(0 <= bar.left <= 1000 and bar.width > 0 for bar in found)


def test_figures_are_short() -> None:
    assert [duration(ns) for ns in (1, 1_500, 20_600_000, 1_250_000_000)] == [
        "1 ns",
        "1.5 µs",
        "20.6 ms",
        "1.25 s",
    ]
    # Just below the next unit, and very long: never in powers of ten
    assert [duration(ns) for ns in (999_999, 999_999_999, 2_500_000_000_000)] == [
        "1,000 µs",
        "1,000 ms",
        "2,500 s",
    ]
    assert [duration(ns * 60_000_000_000) for ns in (125, 18_720)] == ["2 h 05 min", "13 d 00 h"]
    assert [bytes_text(size) for size in (10, 1536, 5 << 20, 3 << 30)] == [
        "10 B",
        "1.5 KB",
        "5.0 MB",
        "3.0 GB",
    ]
    assert when(0) == ""
    assert when(1_700_000_000_123_000_000) == "2023-11-14 22:13:20.123 UTC"


def test_the_failing_line_stands_among_its_neighbours() -> None:
    found = source_lines(["a", "b", "c"], 10, 11)

    assert [(line.number, line.text, line.failing) for line in found] == [
        (10, "a", False),
        (11, "b", True),
        (12, "c", False),
    ]


def test_a_chart_has_no_bar_where_nothing_was_measured() -> None:
    assert [(point.x, point.height) for point in sparkline([1.0, None, 2.0])] == [(0, 10.0), (2, 20.0)]
    assert sparkline([None, None]) == []


def test_a_waterfall_is_in_parts_with_one_picture_each() -> None:
    # Given 450 spans in a row, of which the 300th and the 400th failed
    spans = [
        span(f"{number:016x}", "", number * 10, 10, status="Error" if number in (300, 400) else "Unset")
        for number in range(450)
    ]
    parts = list(waterfall(bars(spans)))
    # Then each part has its bars at the heights of its rows
    assert [(len(part.rows), part.height) for part in parts] == [(200, 4_000), (200, 4_000), (50, 1_000)]
    paths = parts[2].good_path + parts[2].bad_path
    tops = sorted(int(top) // ROW_HEIGHT for top in re.findall(r"M\d+ (\d+)h\d+v12h-\d+z", paths))
    assert tops == list(range(50))
    assert sum(part.bad_path.count("M") for part in parts) == sum(
        row.failed for part in parts for row in part.rows
    )
    assert [row.name for part in parts for row in part.rows if row.first_failed] == [parts[1].rows[100].name]
    # And the page has few elements for each span: a browser shows 10,000 of them at once
    page = Pages(None, None)._page(  # type: ignore[arg-type]
        "trace.html", title="t", trace_id="t", parts=parts, count=450, logs=[], cut=False, limit=1,
        start_ns=1, total_ns=1, failed=2,
    ).body.decode()  # fmt: skip
    assert page.count("<tr") == 451
    assert page.count("<") - page.count("</") < 5.3 * 450
    assert page.count('id="error"') == 1
