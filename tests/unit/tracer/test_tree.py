"""Span trees from whatever a trace holds."""

from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st
from relive_tracer.explore.models import SpanRow
from relive_tracer.explore.render import duration_text, render_text
from relive_tracer.explore.tree import build_tree, critical_path, next_error


def span(name: str, parent: str = "", start: int = 0, end: int = 10, status: str = "Unset") -> SpanRow:
    return SpanRow(
        trace_id="t", span_id=name, parent_span_id=parent, name=name, start_ns=start, duration_ns=end - start,
        status=status, status_message="KeyError: 'sku'\n  hint: \x1b[31m" if status == "Error" else "",
    )  # fmt: skip


def test_children_follow_their_parent_by_start() -> None:
    tree = build_tree(
        [span("c", "b", 3, 4), span("b", "a", 2, 6), span("d", "a", 1, 2), span("a", "", 0, 10)]
    )
    assert [s.name for s in tree.spans] == ["a", "d", "b", "c"]
    assert tree.depths == [0, 1, 1, 2]
    assert tree.sizes == [4, 1, 2, 1]
    assert tree.children(0) == [1, 2]
    assert (tree.start_ns, tree.end_ns, tree.duration_ns) == (0, 10, 10)


def test_self_time_counts_overlapping_children_once() -> None:
    # Given a parent of 100 with children over 10-40, 30-60, and one that reaches past its end
    tree = build_tree(
        [span("p", "", 0, 100), span("x", "p", 10, 40), span("y", "p", 30, 60), span("z", "p", 90, 150)]
    )
    assert tree.self_ns == [40, 30, 30, 60]


def test_orphans_are_roots_and_marked() -> None:
    tree = build_tree([span("a"), span("lost", "gone", 5, 6)])
    assert tree.orphans == [False, True]
    assert tree.parents == [-1, -1]


def test_cycles_are_cut_and_nothing_is_lost() -> None:
    tree = build_tree(
        [span("a", "c", 1), span("b", "a", 2), span("c", "b", 3), span("self", "self", 4), span("ok")]
    )
    assert sorted(s.name for s in tree.spans) == ["a", "b", "c", "ok", "self"]
    assert [s.name for s in tree.spans][2:] == ["a", "b", "c"]


def test_children_before_their_parents_are_accepted() -> None:
    # Given a child on a machine whose clock is behind
    tree = build_tree([span("parent", "", 100, 200), span("child", "parent", 50, 150)])
    assert tree.depths == [0, 1]
    assert tree.self_ns == [50, 100]
    assert tree.start_ns == 50


def test_the_root_cause_is_the_deepest_failure_that_failed_first() -> None:
    tree = build_tree([
        span("root", "", 0, 100, "Error"), span("left", "root", 1, 20),
        span("right", "root", 20, 90, "Error"),
        span("deep", "right", 30, 40, "Error"), span("later", "right", 50, 60, "Error"),
    ])  # fmt: skip
    names = [s.name for s in tree.spans]
    assert names[tree.root_cause()] == "deep"
    assert [names[i] for i in tree.errors] == ["root", "right", "deep", "later"]
    assert [names[next_error(tree, i)] for i in range(5)] == ["right", "right", "deep", "later", "root"]
    assert names[next_error(tree, 0, -1)] == "later"
    assert build_tree([span("fine")]).root_cause() == -1


def test_the_critical_path_leaves_out_what_ran_beside_it() -> None:
    tree = build_tree([
        span("root", "", 0, 100), span("short", "root", 5, 40), span("long", "root", 5, 60),
        span("last", "root", 60, 95), span("inner", "last", 70, 80),
    ])  # fmt: skip
    assert {tree.spans[i].name for i in critical_path(tree)} == {"root", "long", "last", "inner"}


@given(
    st.lists(
        st.tuples(
            st.integers(0, 15), st.integers(0, 20), st.integers(0, 50), st.integers(0, 50), st.booleans()
        ),
        max_size=40,
    )
)
def test_any_rows_make_a_tree(rows: list[tuple[int, int, int, int, bool]]) -> None:
    spans = [span(str(i), str(p), s, s + d, "Error" if bad else "Ok") for i, p, s, d, bad in rows]
    tree = build_tree(spans)
    assert len(tree) + tree.duplicates == len(spans)
    assert len({s.span_id for s in tree.spans}) == len(tree)
    for index in range(len(tree)):
        assert 0 <= tree.self_ns[index] <= tree.spans[index].duration_ns
        for child in tree.children(index):
            assert tree.parents[child] == index
            assert tree.depths[child] == tree.depths[index] + 1
    assert set(critical_path(tree)) <= set(range(len(tree)))
    text = render_text(tree, 80)
    timed = [line for line in text.splitlines()[2:] if line.endswith((" ns", " us", " ms", " s"))]
    assert len(timed) == len(tree)


def test_100k_spans_in_one_chain_or_one_fan() -> None:
    chain = [span(str(i), str(i - 1) if i else "", i, 200_000 - i) for i in range(50_000)]
    fan = [span(f"f{i}", "0", i, i + 1) for i in range(50_000)]
    begin = time.process_time()
    tree = build_tree(reversed(chain + fan))
    critical_path(tree)
    assert time.process_time() - begin < 5.0
    assert max(tree.depths) == 49_999
    assert tree.sizes[0] == 100_000


def test_text_is_bounded_and_safe_for_a_terminal() -> None:
    tree = build_tree(
        [span("root\x1b]0;evil\x07", "", 0, 88_100_000, "Error"), span("x" * 500, "gone", 5, 10)]
    )
    text = render_text(tree, 100)
    assert "\x1b" not in text
    assert "\x07" not in text
    assert all(len(line) <= 100 for line in text.splitlines())
    assert "88.10 ms" in text
    assert "KeyError: 'sku' ↵ hint:" in text
    assert render_text(build_tree([])) == "no spans"


def test_durations_read_well() -> None:
    found = [duration_text(ns) for ns in (0, 999, 1_500, 1_240_000, 3_500_000_000, 125_000_000_000)]
    assert found == ["0 ns", "999 ns", "1.5 us", "1.24 ms", "3.50 s", "2 min 05 s"]
