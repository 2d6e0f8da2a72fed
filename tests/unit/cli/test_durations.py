"""Durations as people write them."""

from __future__ import annotations

import time

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st
from relive.arguments.durations import DURATION, WAIT, Duration, since_ns


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("15m", 900), ("1h", 3_600), ("7d", 604_800), ("2w", 1_209_600), ("500ms", 0.5),
     ("30", 30), ("1.5h", 5_400), (" 5 m ", 300), ("0", 0)],
)  # fmt: skip
def test_each_unit_and_a_bare_number(text: str, seconds: float) -> None:
    assert DURATION.convert(text, None, None) == seconds


@pytest.mark.parametrize("text", ["", "soon", "-5m", "5x", "1h30m", "1e3", "inf", "nan", "٣m5", "5 minutes"])
def test_what_is_no_duration_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(click.BadParameter, match="write it as 90s, 15m, 1h or 7d"):
        DURATION.convert(text, None, None)


@pytest.mark.parametrize(("kind", "text", "limit"), [(WAIT, "2d", "1d"), (DURATION, "9999999d", "36500d")])
def test_a_duration_beyond_the_limit_names_the_limit(kind: Duration, text: str, limit: str) -> None:
    with pytest.raises(click.BadParameter, match=f"at most {limit}"):
        kind.convert(text, None, None)


@given(st.integers(0, 10**9), st.sampled_from(["ms", "s", "m", "h"]))
def test_a_number_with_a_unit_is_never_refused_below_the_limit(number: int, unit: str) -> None:
    seconds = number * {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}[unit]
    if seconds <= 100 * 365 * 86400.0:
        assert DURATION.convert(f"{number}{unit}", None, None) == pytest.approx(seconds)


def test_no_duration_has_no_beginning_and_one_counts_from_now() -> None:
    assert since_ns(None) == 0
    before = time.time_ns()
    found = since_ns(60.0)
    assert before <= found + 60_000_000_000 <= time.time_ns()
