from __future__ import annotations

import random

import pytest
from relive_profiler.explore.diff import diff_folded, render_diff_text
from relive_profiler.explore.spread import FEWEST, margin_ms, spread_of

MS = 1_000_000
INNERMOST = {("fn", 1): ("fn", "a", "a.py", 0), ("fn", 2): ("fn", "b", "b.py", 0)}


def _spread(values, times=1.0):
    rows = [("fn", [1], [round(value * MS)]) for value in values]
    return spread_of(rows, INNERMOST, times)


def test_the_margin_is_that_of_the_difference_of_two_means():
    # Given two sides of 50 invocations each, with a deviation of 2 ms
    chance = random.Random(1)
    before = _spread([10 + chance.gauss(0, 2) for _ in range(50)])
    after = _spread([11 + chance.gauss(0, 2) for _ in range(50)])
    # Then the difference may be off by some 2 * sqrt(2 * 4 / 50) ms
    assert margin_ms(before, after, INNERMOST["fn", 1]) == pytest.approx(0.8, abs=0.15)


def test_of_few_invocations_nothing_is_claimed():
    few, many = _spread([1.0] * (FEWEST - 1)), _spread([1.0] * 50)
    assert margin_ms(few, many, INNERMOST["fn", 1]) is None
    assert margin_ms(many, many, INNERMOST["fn", 1]) == 0.0


def test_who_has_no_sample_counts_as_nothing():
    # Given 10 profiles of 4 ms, of 40 invocations
    seldom = _spread([4.0] * 10, times=4.0)
    assert seldom.count == 40
    assert seldom.error(INNERMOST["fn", 1]) == pytest.approx((160 / 40 - 1) / 39)


def test_what_is_smaller_than_its_margin_is_called_noise(stack, folded):
    # Given one function that is certainly slower, and one that is within its noise
    chance = random.Random(2)

    def side(mean_ms):
        rows = [("fn", [1, 2], [round(mean_ms * MS), round(chance.uniform(0, 9) * MS)]) for _ in range(30)]
        return spread_of(rows, INNERMOST)

    before = folded(stack("a", ms=30, ids=(1,)), stack("b", ms=135), invocations=30)
    after = folded(stack("a", ms=60, ids=(1,)), stack("b", ms=138), invocations=30)
    found = diff_folded(before, after, spreads=(side(1.0), side(2.0)))
    certain = {row.name: row.certain for row in found.rows}
    assert certain == {"a": True, "b": False}
    text = render_diff_text(found)
    assert "b.py:1  (noise)" in text
    assert "a.py:1  (noise)" not in text
    # ... and without single invocations nothing is said
    assert {row.certain for row in diff_folded(before, after).rows} == {None}
