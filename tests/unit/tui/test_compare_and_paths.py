"""Differences of two invocations, the critical path, the editor's command, sideways."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from relive_tui.models.editor import editor_command
from relive_tui.models.layout.text import line_text, line_width, skip_cells, width_of
from relive_tui.models.lists.compare import Comparison, HotChange, compare_lines, event_differences
from relive_tui.models.trace.spans import build_trace, critical_path
from relive_views.records import InvocationRow, SpanRow


def test_events_differ_by_path() -> None:
    found = event_differences(
        '{"a": [1, {"b": 2}], "same": 1, "gone": null}', '{"a": [1, {"b": 3}, 4], "same": 1}'
    )
    assert found == [("event.a[1].b", "2", "3"), ("event.a[2]", "–", "4"), ("event.gone", "null", "–")]
    assert event_differences("plain", "text") == [("event", "plain", "text")]
    assert event_differences("1", "true") == [("event", "1", "true")]


def test_deep_events_do_not_end_the_comparison() -> None:
    assert event_differences("[" * 100_000, "{}") == [("event", "[" * 100_000, "{}")]


def test_what_differs_is_marked_and_hostile_text_is_harmless() -> None:
    before = InvocationRow(invocation_id="1", function="f", status="ok", duration_ns=1_000_000)
    after = InvocationRow(
        invocation_id="2",
        function="f",
        status="error",
        duration_ns=9_000_000,
        error_type="E",
        error_message="\x1b[31m",
    )
    found = Comparison(("1", None), (HotChange("a\x1b.py", 3, "f", 0.0, 2.0),), "note")
    text = "\n".join(line_text(line) for line in compare_lines(before, after, found, 100))
    assert "×9.00" in text
    assert "≠" in text
    assert "\x1b" not in text
    assert "B has no scene" in text


def span(name: str, parent: str, start: int, length: int) -> SpanRow:
    return SpanRow(span_id=name, parent_span_id=parent, name=name, start_ns=start, duration_ns=length)


def test_the_critical_path_is_what_the_end_waited_for() -> None:
    # Given a root that runs two children at once, and one after them; a fourth outlives the root
    trace = build_trace(
        [span("root", "", 0, 100), span("short", "root", 10, 20), span("long", "root", 10, 50),
         span("inner", "long", 20, 30), span("last", "root", 70, 20), span("late", "short", 5, 1)]
    )  # fmt: skip
    path = {trace.spans[index].name: waited for index, waited in critical_path(trace).items()}
    # Then the shorter of the two is not on it, and what was waited for sums up to the whole
    assert path == {"root": 30, "last": 20, "long": 20, "inner": 30}
    assert sum(path.values()) == 100


def test_the_path_goes_on_in_what_outlives_its_caller() -> None:
    # Given a request that ends while the event it queued waits and runs
    trace = build_trace(
        [span("request", "", 0, 10), span("publish", "request", 5, 2), span("queue", "publish", 7, 40),
         span("run", "publish", 47, 13)]
    )  # fmt: skip
    path = {trace.spans[index].name: waited for index, waited in critical_path(trace).items()}
    assert path == {"request": 5, "publish": 2, "queue": 40, "run": 13}


def test_an_empty_trace_has_no_critical_path() -> None:
    assert critical_path(build_trace([])) == {}


@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 50), st.integers(0, 50)), max_size=12))
def test_waiting_sums_up_to_the_time_of_the_root(raw: list[tuple[int, int, int]]) -> None:
    spans = [
        span("0", "", 0, 60),
        *(span(str(i + 1), str(min(p, i)), s, d) for i, (p, s, d) in enumerate(raw)),
    ]
    path = critical_path(build_trace(spans))
    assert all(waited >= 0 for waited in path.values())
    assert sum(path.values()) == max(s.start_ns + s.duration_ns for s in spans)


@pytest.mark.parametrize(
    ("editor", "command"),
    [
        ("vim", ["vim", "+7", "/a b.py"]),
        ("emacs -nw", ["emacs", "-nw", "+7", "/a b.py"]),
        ("/usr/bin/code", ["/usr/bin/code", "--wait", "--goto", "/a b.py:7"]),
        ("hx", ["hx", "/a b.py:7"]),
        ("'", []),
        ("", []),
    ],
)
def test_editors_are_told_the_line_in_their_own_way(editor: str, command: list[str]) -> None:
    assert editor_command({"EDITOR": editor}, "/a b.py", 7) == command


def test_visual_wins_over_editor() -> None:
    assert editor_command({"EDITOR": "vi", "VISUAL": "nano"}, "f", 0) == ["nano", "+1", "f"]


@given(st.lists(st.text(alphabet="ab日本 ", max_size=6), max_size=5), st.integers(0, 30))
def test_skipping_cells_leaves_the_rest(texts: list[str], cells: int) -> None:
    line = [(text, "") for text in texts]
    rest = skip_cells(line, cells)
    assert line_width(rest) == max(sum(map(width_of, texts)) - cells, 0)
