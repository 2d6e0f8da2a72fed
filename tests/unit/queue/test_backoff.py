"""The wait before a retry."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from relive_platform.triggers.queue import Backoff


@given(
    attempt=st.integers(-5, 10_000),
    draw=st.floats(0, 1, exclude_max=True),
    base=st.floats(0, 100),
    limit=st.floats(100, 10_000),
)
def test_it_lies_between_half_and_all_of_the_doubled_base_up_to_the_limit(attempt, draw, base, limit) -> None:
    delay = Backoff(base, limit).delay_s(attempt, draw)

    whole = min(base * 2.0 ** min(max(attempt, 1) - 1, 40), limit)
    assert whole / 2 <= delay <= whole


def test_it_doubles() -> None:
    assert [Backoff(1, 300).delay_s(n, 0.999999) for n in (1, 2, 3)] == [
        0.9999994999999999 * 2**n for n in range(3)
    ]
