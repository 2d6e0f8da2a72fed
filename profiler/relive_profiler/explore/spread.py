"""How much invocations differ among themselves: what a difference of their means is worth."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from relive_profiler.explore.filters import INNERMOST_FRAMES, PROFILE_ROWS, HotFilter, parameters
from relive_profiler.explore.hot import By

if TYPE_CHECKING:
    from relive_store import Store

__all__ = ["Key", "Spread", "margin_ms", "spread", "spread_of"]

MOST_ROWS: Final = 1_000
"""Profiles of one side that are looked at one by one, the newest."""
FEWEST: Final = 5
"""Invocations of one side, below which nothing is said of how certain a difference is."""
_NORMAL: Final = 1.96
_SMALL: Final = 2.5  # the quantile of Student's distribution is about 1.96 + 2.5 / (n - 1)

Key = tuple[str, str, str, int]
"""Deployed function, name, file, line (0 by function)."""


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
    store: Store, wanted: HotFilter, by: By, profiles: int, invocations: int, *, timeout_s: float = 30.0
) -> Spread:
    """Of the profiles under a filter of one engine. Two queries; store errors pass through."""
    values = {**parameters(wanted), "rows": MOST_ROWS}
    rows = store.query(PROFILE_ROWS, values, timeout_s=timeout_s).rows()
    frames = store.query(INNERMOST_FRAMES, parameters(wanted), timeout_s=timeout_s).rows()
    innermost: dict[tuple[str, int], Key] = {
        (row[0], row[1]): (row[0], row[2], row[3], row[4] if by == "line" else 0)  # type: ignore[misc]
        for row in frames
    }
    return spread_of(rows, innermost, invocations / max(profiles, 1))


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
