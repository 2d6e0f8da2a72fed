from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from relive_profiler.explore.diff import diff_folded, render_diff_text
from relive_profiler.explore.folding import confidence, estimate_invocations
from relive_profiler.explore.hot import fold_rows, hot_list, render_text


def test_self_is_the_innermost_frame_and_total_everything_above(stack, folded):
    # Given 60 ms in parse (of which 10 waiting), 30 in load itself, 10 in handler
    hot = hot_list(
        folded(
            stack("handler load parse", ms=60, cpu_ms=50, samples=60, ids=(1, 2)),
            stack("handler load", ms=30, samples=30, ids=(2, 3)),
            stack("handler", ms=10, samples=10, ids=(3,)),
            invocations=3,
        )
    )
    # Then
    rows = {row.name: row for row in hot.rows}
    assert [row.name for row in hot.rows] == ["parse", "load", "handler"]
    assert [round(row.self_pct) for row in hot.rows] == [60, 30, 10]
    assert rows["load"].total_s == pytest.approx(0.09)
    assert rows["handler"].total_s == pytest.approx(0.1)
    assert rows["handler"].self_s == pytest.approx(0.01)
    assert rows["parse"].self_cpu_s == pytest.approx(0.05)
    assert [rows[name].invocations for name in ("parse", "load", "handler")] == [2, 3, 3]
    assert (hot.samples, hot.invocations, hot.confidence) == (100, 3, "good")


def test_recursion_counts_a_function_once_per_stack(stack, folded):
    rows = {row.name: row for row in fold_rows([stack("a fib fib fib fib", ms=10)], "function")}
    assert rows["fib"].total_s == pytest.approx(0.01)
    assert rows["fib"].self_s == pytest.approx(0.01)


def test_lines_of_one_function_are_rows_of_their_own(stack):
    stacks = [stack("handler", ms=9, line=7), stack("handler", ms=1, line=8)]
    assert [(row.line, round(row.self_pct)) for row in fold_rows(stacks, "line")] == [(7, 90), (8, 10)]
    by_function = fold_rows(stacks, "function")
    assert [(row.line, round(row.self_pct)) for row in by_function] == [(7, 100)]


@pytest.mark.parametrize(
    ("samples", "level", "says"),
    [(0, "none", "no samples"), (1, "low", "only 1 sample:"), (4, "low", "too few"), (25, "fair", "±20"),
     (400, "good", "±5")],
)  # fmt: skip
def test_a_profile_says_how_sure_it_is(samples, level, says):
    found, sentence = confidence(samples)
    assert found == level
    assert says in sentence


@given(st.lists(st.lists(st.integers(0, 2**64 - 1), max_size=10, unique=True), max_size=6))
def test_few_invocations_are_counted_exactly(sketches):
    assert estimate_invocations([sorted(sketch) for sketch in sketches]) == len(set().union(*sketches))


@given(st.integers(100, 20_000), st.integers(0, 2**32))
def test_many_invocations_are_estimated(count, seed):
    hashes = [
        ((seed + number) * 0x9E3779B97F4A7C15 ^ (number * 0xD1B54A32D192ED03)) % 2**64
        for number in range(count)
    ]
    assert estimate_invocations([sorted(set(hashes))[:64]]) == pytest.approx(count, rel=0.7)


def test_differences_are_per_invocation(stack, folded):
    # Given the same cost per invocation of load, seen 10 times and 1000 times, and a parse that doubled
    before = folded(stack("h load", ms=10), stack("h parse", ms=20), invocations=10)
    after = folded(stack("h load", ms=1000), stack("h parse", ms=4000), invocations=1000)
    # When
    result = diff_folded(before, after)
    # Then
    rows = {row.name: row for row in result.rows}
    assert rows["load"].change_ms == pytest.approx(0)
    assert rows["parse"].change_ms == pytest.approx(2)
    assert result.rows[0].name == "parse"
    assert (result.before_ms, result.after_ms) == (pytest.approx(3), pytest.approx(5))


def test_what_is_new_or_gone_is_a_row(stack, folded):
    result = diff_folded(folded(stack("h old", ms=1)), folded(stack("h new", ms=2)))
    assert {row.name: row.change_ms for row in result.rows} == {"new": 2.0, "old": -1.0}  # h only calls them


def test_text_shows_hostile_names_as_escapes(stack, folded):
    hostile = folded(stack("\x1b[31mred\u202e", ms=1))
    hot = hot_list(hostile)
    for text in (
        render_text(hot, source=lambda file, line: "\x1b]0;x\x07"),
        render_diff_text(diff_folded(hostile, hostile)),
    ):
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert "\\x1b[31mred" in text


def test_text_shows_the_source_of_a_line(stack, folded):
    text = render_text(
        hot_list(folded(stack("h", ms=1, line=3))), source=lambda file, line: f"  {file} says {line}"
    )
    assert "h.py says 3" in text


def test_what_a_library_waited_is_the_time_of_the_line_that_called_it(stack):
    # Given 100 ms in a library below line 7 of the application, 30 of them on the CPU
    waiting = replace(
        stack("handler get recv", ms=100, cpu_ms=30, line=7),
        files=("cart.py", "site-packages/requests/api.py", "python3.11/socket.py"),
    )
    rows = {row.name: row for row in fold_rows([waiting], "line", waits_to_caller=True)}
    # Then the wait is the application's, the work stays where it was done, and nothing counts twice
    assert rows["handler"].self_s == pytest.approx(0.07)
    assert rows["recv"].self_s == pytest.approx(0.03)
    assert rows["get"].self_s == 0
    assert rows["recv"].self_cpu_s == pytest.approx(0.03)
    # And a stack without a line of the application stays as it is
    library = replace(waiting, files=("python3.11/threading.py",) * 3)
    assert fold_rows([library], "line", waits_to_caller=True) == fold_rows([library], "line")
