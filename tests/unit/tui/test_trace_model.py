"""The tree of a trace and its waterfall."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from relive_tui.models.layout.text import line_text, line_width
from relive_tui.models.trace.spans import build_trace, minimap, span_lines
from relive_tui.models.trace.waterfall import WaterfallRows, bar, legend
from relive_views.records import SpanRow


def span(ident: str, parent: str = "", start: int = 0, length: int = 100, **more: str) -> SpanRow:
    return SpanRow(
        span_id=ident,
        parent_span_id=parent,
        name=more.pop("name", ident),
        start_ns=start,
        duration_ns=length,
        **more,
    )  # type: ignore[arg-type]


def failing() -> list[SpanRow]:
    return [
        span("root", "", 0, 100),
        span("invoke", "root", 5, 90, status="Error"),
        span("load", "invoke", 10, 20),
        span("price", "invoke", 40, 30, status="Error"),
    ]


def test_spans_in_any_order_become_the_same_tree() -> None:
    straight, reverse = build_trace(failing()), build_trace(failing()[::-1])
    names = [s.name for s in straight.spans]
    assert names == [s.name for s in reverse.spans] == ["root", "invoke", "load", "price"]
    assert straight.depth == [0, 1, 2, 2]
    assert straight.end == [4, 4, 3, 4]
    assert straight.bad == [True, True, False, True]


def test_own_time_is_without_what_the_children_cover_and_overlaps_count_once() -> None:
    trace = build_trace([span("a", "", 0, 100), span("b", "a", 10, 40), span("c", "a", 30, 40)])
    assert trace.self_ns[0] == 100 - 60


def test_the_cursor_starts_on_the_deepest_failed_span() -> None:
    trace = build_trace(failing())
    assert trace.spans[trace.worst()].name == "price"
    healthy = build_trace([span("a", "", 0, 100), span("b", "a", 10, 80)])
    assert healthy.spans[healthy.worst()].name == "b"


def test_the_cursor_starts_on_the_failure_of_the_invocation_one_comes_from() -> None:
    # Given two attempts of one invocation that failed, the first of them deeper
    def attempt(number: int) -> dict[str, str]:
        return {"faas.invocation_id": "i", **({"relive.attempt": str(number)} if number > 1 else {})}

    rows = [
        SpanRow(
            span_id="a",
            parent_span_id="",
            name="first",
            start_ns=0,
            duration_ns=9,
            status="Error",
            attributes=attempt(1),
        ),
        SpanRow(
            span_id="b",
            parent_span_id="a",
            name="deep",
            start_ns=1,
            duration_ns=5,
            status="Error",
            attributes=attempt(1),
        ),
        SpanRow(
            span_id="c",
            parent_span_id="",
            name="second",
            start_ns=10,
            duration_ns=9,
            status="Error",
            attributes=attempt(2),
        ),
    ]
    trace = build_trace(rows)
    assert trace.spans[trace.worst("i", 2)].name == "second"
    assert trace.spans[trace.worst("i")].name == "deep"
    assert trace.spans[trace.worst("other", 1)].name == "deep"


def test_missing_parents_cycles_and_doubled_ids_lose_no_span() -> None:
    # Given an orphan, two spans that are each other's parent, one that is its own, and one that came twice
    spans = [span("o", "gone"), span("x", "y"), span("y", "x"), span("s", "s"), span("d", ""), span("d", "")]
    trace = build_trace(spans)
    # Then each is in the tree once
    assert sorted(s.span_id for s in trace.spans) == ["d", "o", "s", "x", "y"]


@given(
    st.lists(
        st.tuples(st.integers(0, 12), st.integers(-1, 12), st.integers(0, 50), st.integers(0, 50)),
        max_size=30,
    )
)
def test_any_set_of_spans_makes_a_tree_with_each_once(rows: list[tuple[int, int, int, int]]) -> None:
    trace = build_trace(
        [span(str(i), str(p) if p >= 0 else "", start, length) for i, p, start, length in rows]
    )
    assert sorted(s.span_id for s in trace.spans) == sorted({str(row[0]) for row in rows})
    for index, parent in enumerate(trace.parent):
        assert parent < index < trace.end[index] <= len(trace.spans)
        assert trace.depth[index] == (trace.depth[parent] + 1 if parent >= 0 else 0)
    for width in (1, 17, 90):
        assert line_width(minimap(trace, width)) == (width if trace.spans else 0)


def test_folding_hides_a_subtree_and_revealing_opens_it() -> None:
    rows = WaterfallRows(build_trace(failing()))
    rows.folded.add(1)
    rows.refold()
    assert rows.shown == [0, 1]
    # the folded row says that something failed below it, and how much is hidden
    assert "(+2)" in line_text(rows.line(1, 100, False))
    assert rows.reveal(3) == 3
    assert not rows.folded


def test_bars_stay_inside_their_area() -> None:
    assert bar(0.0, 1.0, 10) == (0, "█" * 10)
    assert bar(0.5, 0.0, 10)[1] == "▏"
    first, cells = bar(1.0, 0.0, 10)
    assert first + len(cells) <= 10


@given(st.floats(0, 1), st.floats(0, 1), st.integers(1, 200))
def test_no_bar_is_wider_than_its_area(start: float, length: float, width: int) -> None:
    first, cells = bar(start, min(length, 1 - start), width)
    assert first + len(cells) <= width


def test_rows_fill_the_width_and_failures_carry_a_sign() -> None:
    rows = WaterfallRows(build_trace(failing()))
    for width in (60, 80, 120):
        assert line_width(rows.line(3, width, True)) == width == line_width(rows.header(width))
    assert "✖" in line_text(rows.line(3, 80, False))


def test_what_is_said_of_a_span_is_clean() -> None:
    hostile = span("a", name="\x1b]0;owned\x07[red]")
    hostile.attributes["k\x1b"] = "v\nw"
    text = "".join(line_text(line) for line in span_lines(build_trace([hostile]), 0))
    assert "\x1b" not in text
    assert "\n" not in text


def test_a_zoom_shows_of_each_span_only_what_lies_in_the_window() -> None:
    # Given a zoom to the last tenth of a second of a trace
    ms = 1_000_000
    trace = build_trace(
        [
            span("root", "", 0, 1_000 * ms),
            span("before", "root", 100 * ms, 200 * ms),
            span("into", "root", 800 * ms, 150 * ms),
            span("here", "root", 900 * ms, 100 * ms),
            span("after", "", 1_000 * ms, 50 * ms),
        ]
    )
    rows = WaterfallRows(trace)
    rows.zoom = (900 * ms, 100 * ms)
    # Then what is over is not drawn as if it filled the window, and what reaches into it is drawn so far
    text = {s.name: line_text(rows.line(row, 90, False)) for row, s in enumerate(trace.spans)}
    assert "█" not in text["before"]
    assert "‹" in text["before"]
    assert "█" not in text["after"]
    assert "›" in text["after"]
    assert text["into"].count("█") * 2 == text["here"].count("█") == text["root"].count("█")
    assert {line_width(rows.line(row, 90, False)) for row in range(len(rows))} == {90}
    # and the scale tells its three moments apart
    assert "at 900ms" in line_text(rows.header(90))
    assert "+50.0ms" in line_text(rows.header(90))
    assert "+100ms" in line_text(rows.header(90))


def test_a_trace_that_grows_stays_folded_and_zoomed() -> None:
    # Given a trace that somebody looks into: a span is closed, another one fills the width
    rows = WaterfallRows(build_trace([*failing(), span("deep", "load", 12, 3)]))
    names = [s.name for s in rows.trace.spans]
    rows.folded = {names.index("load")}
    rows.zoom = (40, 30)
    # When spans arrive, one of them before all others
    more = [span("early", "", -5, 2), *failing(), span("deep", "load", 12, 3), span("late", "price", 50, 9)]
    grown = rows.grown(build_trace(more))
    # Then the same is closed and zoomed, and what is new is there
    assert [grown.trace.spans[index].name for index in grown.shown] == [
        "early", "root", "invoke", "load", "price", "late",
    ]  # fmt: skip
    assert grown.zoom == (40, 30)
    # And the whole of a trace that was not zoomed is the whole of what it has become
    whole = WaterfallRows(rows.trace).grown(grown.trace)
    assert whole.zoom == (-5, 105)
    rows.critical = {0: 1}
    assert set(rows.grown(grown.trace).shown) == set(rows.grown(grown.trace).critical)


def test_a_span_belongs_to_the_invocation_above_it_and_a_root_to_the_one_that_failed() -> None:
    # Given a request that called two invocations, of which the second failed at its second attempt
    rows = [
        SpanRow(span_id="root", parent_span_id="", name="POST /", start_ns=0, duration_ns=99),
        SpanRow(
            span_id="a",
            parent_span_id="root",
            name="first",
            start_ns=1,
            duration_ns=9,
            attributes={"faas.invocation_id": "one"},
        ),
        SpanRow(span_id="a1", parent_span_id="a", name="SELECT", start_ns=2, duration_ns=5),
        SpanRow(
            span_id="b",
            parent_span_id="root",
            name="second",
            start_ns=20,
            duration_ns=9,
            status="Error",
            attributes={"faas.invocation_id": "two", "relive.attempt": "2"},
        ),
    ]
    trace = build_trace(rows)
    assert [trace.invocation_of(index) for index in range(4)] == [
        ("two", 2),
        ("one", 0),
        ("one", 0),
        ("two", 2),
    ]
    assert build_trace([span("alone")]).invocation_of(0) == ("", 0)


def through_a_queue() -> list[SpanRow]:
    """checkout sends an event to orders, which fails twice; between them lies the platform."""
    faas = {"faas.invocation_id": "i", "faas.trigger": "pubsub"}

    def run(ident: str, parent: str, start: int, attempt: int) -> SpanRow:
        more = {**faas, "faas.name": "orders", **({"relive.attempt": str(attempt)} if attempt > 1 else {})}
        return SpanRow(
            span_id=ident,
            parent_span_id=parent,
            name="orders",
            start_ns=start,
            duration_ns=5,
            status="Error",
            attributes=more,
        )

    return [
        SpanRow(
            span_id="http",
            parent_span_id="",
            name="POST /checkout",
            start_ns=0,
            duration_ns=30,
            attributes={"faas.trigger": "http"},
        ),
        SpanRow(
            span_id="c",
            parent_span_id="http",
            name="checkout",
            start_ns=2,
            duration_ns=20,
            attributes={"faas.name": "checkout", "faas.trigger": "http"},
        ),
        SpanRow(
            span_id="p",
            parent_span_id="c",
            name="publish orders",
            start_ns=5,
            duration_ns=5,
            kind="Producer",
            attributes={"faas.invocation_id": "j"},
        ),
        SpanRow(span_id="q", parent_span_id="p", name="queue", start_ns=10, duration_ns=20),
        SpanRow(
            span_id="d1",
            parent_span_id="p",
            name="process orders",
            start_ns=30,
            duration_ns=8,
            status="Error",
            attributes=faas,
        ),
        run("r1", "d1", 32, 1),
        SpanRow(
            span_id="d2",
            parent_span_id="p",
            name="process orders",
            start_ns=70,
            duration_ns=8,
            status="Error",
            attributes=faas,
        ),
        run("r2", "d2", 72, 2),
    ]


def shown(rows: WaterfallRows) -> list[str]:
    return [line_text(rows.line(row, 100, False))[:40].rstrip() for row in range(len(rows))]


def test_the_platforms_spans_are_folded_into_what_they_lead_to_and_attempts_are_numbered() -> None:
    rows = WaterfallRows(build_trace(through_a_queue()))
    assert [name.strip(" ▾") for name in shown(rows)] == [
        "POST /checkout", "checkout", "✖ orders #1", "✖ orders #2",
    ]  # fmt: skip
    # Two steps in, below checkout, although four spans lie above it
    assert shown(rows)[2].index("✖") - shown(rows)[1].index("▾") == 4
    assert "u shows 4 platform spans" in line_text(legend(len(rows.hideable), shown=False))
    # The wait that was folded is a thin line before the bar
    bars = line_text(rows.line(3, 100, False))
    assert bars.index("─") < bars.index("█")
    # And all of them are there when they are asked for
    rows.plumbing = True
    rows.refold()
    assert len(rows) == 8
    assert [style for _, style in rows.line(3, 100, False)][1] == "dim"


def test_functions_are_bright_and_have_other_bars_than_ones_own_spans() -> None:
    rows = WaterfallRows(build_trace([*through_a_queue(), span("load", "c", 3, 10)]))
    lines = {
        line_text(rows.line(row, 100, False))[:40].strip(" ▾"): rows.line(row, 100, False) for row in range(3)
    }
    assert lines["checkout"][1][1] == "name"
    assert "█" in line_text(lines["checkout"])
    assert lines["load"][1][1] == ""
    assert "▄" in line_text(lines["load"])


def test_a_failed_span_of_the_platform_with_nothing_failed_below_is_never_folded() -> None:
    refused = SpanRow(
        span_id="x",
        parent_span_id="c",
        name="invoke pricing",
        start_ns=8,
        duration_ns=2,
        status="Error",
        attributes={"faas.invoked_name": "pricing"},
    )
    rows = WaterfallRows(build_trace([*through_a_queue(), refused]))
    assert any("✖ invoke pricing" in name for name in shown(rows))


def test_a_folded_span_is_shown_with_its_kind_when_one_goes_to_it() -> None:
    trace = build_trace(through_a_queue())
    rows = WaterfallRows(trace)
    queue = next(number for number, each in enumerate(trace.spans) if each.name == "queue")
    row = rows.reveal(queue)
    assert rows.shown[row] == queue
    assert rows.plumbing
