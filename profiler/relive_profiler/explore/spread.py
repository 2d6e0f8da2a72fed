"""How much invocations differ among themselves: what a difference of their means is worth."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from relive_profiler.explore.filters import HotFilter
from relive_profiler.explore.sums import By, Weight, own_times

if TYPE_CHECKING:
    from relive_store import Store

__all__ = ["Key", "Spread", "margin_ms", "spread", "spread_of"]

MOST_ROWS: Final = 1_000
"""Profiles of one side that are looked at one by one, the newest."""
FEWEST: Final = 5
"""Invocations of one side, below which nothing is said of how certain a difference is."""
_NORMAL: Final = 1.96
_SMALL: Final = 2.5  # the quantile of Student's distribution is about 1.96 + 2.5 / (n - 1)

Key = tuple[str, str, str, int] | int
"""Deployed function, name, file, line (0 by function); or the engine's number of it."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Own times in ms: sums, and sums of squares, over `count` invocations. Who has no sample counts as 0."""

    count: float = 0
    sums: dict[Key, float] = field(default_factory=dict)
    squares: dict[Key, float] = field(default_factory=dict)

    def error(self, key: Key) -> float:
        """The squared standard error of the mean of one function or line, in ms^2."""
        mean = self.sums.get(key, 0.0) / self.count
        variance = max(self.squares.get(key, 0.0) / self.count - mean * mean, 0.0)
        return variance / max(self.count - 1, 1)


def spread(
    store: Store,
    wanted: HotFilter,
    by: By,
    keys: Sequence[int],
    profiles: int,
    invocations: int,
    *,
    weight: Weight = "wall",
    timeout_s: float = 30.0,
) -> Spread:
    """Of these functions or lines, in the profiles under a filter of one engine, of all their time or that on
    the CPU. One query; store errors pass through."""
    if not keys or not profiles:
        return Spread()
    found = own_times(store, wanted, by, keys, MOST_ROWS, weight=weight, timeout_s=timeout_s)
    count = min(profiles, MOST_ROWS) * max(invocations / profiles, 1.0)
    sums: dict[Key, float] = {key: own_ns / 1e6 for key, (own_ns, _) in found.items()}
    return Spread(count, sums, {key: squares / 1e12 for key, (_, squares) in found.items()})


def spread_of(rows: Iterable[Any], innermost: Mapping[tuple[str, int], Key], times: float = 1.0) -> Spread:
    """`rows`: function, stacks, wall ns of each profile. `times`: invocations to one that has a profile."""
    sums: dict[Key, float] = {}
    squares: dict[Key, float] = {}
    count = 0
    for function, stacks, wall_ns in rows:
        count += 1
        own: dict[Key, float] = {}
        for stack, value in zip(stacks, wall_ns, strict=True):
            key = innermost.get((function, stack))
            if key is not None:
                own[key] = own.get(key, 0.0) + value / 1e6
        for key, value_ms in own.items():
            sums[key] = sums.get(key, 0.0) + value_ms
            squares[key] = squares.get(key, 0.0) + value_ms * value_ms
    return Spread(count * max(times, 1.0), sums, squares)


def margin_ms(before: Spread, after: Spread, key: Key) -> float | None:
    """How far the difference of a function's means may be off, at 95 %; None: too few invocations to say."""
    fewest = min(before.count, after.count)
    if fewest < FEWEST:
        return None
    quantile = _NORMAL + _SMALL / (fewest - 1)
    return quantile * math.sqrt(before.error(key) + after.error(key))
