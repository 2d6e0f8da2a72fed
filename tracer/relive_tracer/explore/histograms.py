"""Values to the buckets of OpenTelemetry's histograms."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from math import ceil, log2
from typing import Final, NamedTuple

__all__ = ["DEFAULT_BOUNDS", "Exponential", "bucket_counts", "exponential"]

DEFAULT_BOUNDS: Final = (
    0.0, 5.0, 10.0, 25.0, 50.0, 75.0, 100.0, 250.0, 500.0, 750.0,
    1_000.0, 2_500.0, 5_000.0, 7_500.0, 10_000.0,
)  # fmt: skip
"""Of a histogram for which nobody has said others, by OpenTelemetry's specification."""
_LARGEST_SCALE: Final = 20
_BUCKETS: Final = 160
"""OpenTelemetry's default for one range: with it, values that lie a factor of 1e5 apart are known to 4 %."""


class Exponential(NamedTuple):
    """Bucket i of a range holds values over base^i up to base^(i+1), with base 2^(2^-scale); the first count
    is of bucket `offset`."""

    scale: int
    zero_count: int
    positive_offset: int
    positive_counts: list[int]
    negative_offset: int
    negative_counts: list[int]


def bucket_counts(values: Sequence[float], bounds: Sequence[float]) -> list[int]:
    """How many values each bucket has: up to and with its bound, the last one all above."""
    counts = [0] * (len(bounds) + 1)
    for value in values:
        counts[bisect_left(bounds, value)] += 1
    return counts


def exponential(values: Sequence[float], buckets: int = _BUCKETS) -> Exponential:
    """The finest buckets of which `buckets` are enough for each range."""
    positive = [_index(value) for value in values if value > 0]
    negative = [_index(-value) for value in values if value < 0]
    shift = max(_shift(positive, buckets), _shift(negative, buckets))
    zero_count = len(values) - len(positive) - len(negative)
    return Exponential(
        _LARGEST_SCALE - shift, zero_count, *_counted(positive, shift), *_counted(negative, shift)
    )


def _index(value: float) -> int:
    """Of its bucket at the largest scale. Two buckets beside each other are one at the next smaller scale, so
    that all others follow by halving."""
    return ceil(log2(value) * (1 << _LARGEST_SCALE)) - 1


def _shift(indexes: Sequence[int], buckets: int) -> int:
    if not indexes:
        return 0
    low, high, shift = min(indexes), max(indexes), 0
    while (high >> shift) - (low >> shift) >= buckets:
        shift += 1
    return shift


def _counted(indexes: Sequence[int], shift: int) -> tuple[int, list[int]]:
    if not indexes:
        return 0, []
    places = [index >> shift for index in indexes]
    offset = min(places)
    counts = [0] * (max(places) - offset + 1)
    for place in places:
        counts[place - offset] += 1
    return offset, counts
