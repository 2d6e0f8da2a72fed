"""A stretch of a trail with its loops folded. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from relive_runtime.travel.trail import NOBODY, Trail

__all__ = ["Row", "depths", "folded"]

_LONGEST_BODY: Final = 12
_LOOKED_AT: Final = 20_000
_PROBES: Final = 64


@dataclass(frozen=True, slots=True)
class Row:
    """A line that ran. `times`: so often, as part of a loop whose rounds went the same way; `first` and
    `last`: the
    steps of the first and the last time."""

    first: int
    last: int
    times: int


def folded(trail: Trail, until: int, rows: int) -> list[Row]:
    """The last `rows` rows up to a step. At most 20,000 steps are looked at."""
    start = max(until + 1 - _LOOKED_AT, 0)
    keys = [_key(trail, step) for step in range(start, until + 1)]
    found: list[Row] = []
    at = len(keys)
    while at > 0 and len(found) < rows:
        body, times = _loop(keys, at)
        first = at - body * times
        for offset in range(body - 1, -1, -1):
            begins = start + first + offset
            found.append(Row(begins, begins + body * (times - 1), times))
        at = first
    return found[::-1][-rows:]


def depths(trail: Trail, columns: int) -> list[int]:
    """A trail in at most so many columns of as many steps each: the deepest call of each, from 0. Of a long
    column 64 steps are looked at."""
    levels: list[int] = []
    for caller in trail.callers:  # a caller has a lower number
        levels.append(0 if caller == NOBODY else levels[caller] + 1)
    count = len(trail)
    columns = min(columns, count)
    found = []
    for column in range(columns):
        first, end = column * count // columns, (column + 1) * count // columns
        stride = max((end - first) // _PROBES, 1)
        found.append(max(levels[trail.frame(step)] for step in range(first, end, stride)))
    return found


def _key(trail: Trail, step: int) -> tuple[int, int]:
    return id(trail.code(step)), trail.line(step)


def _loop(keys: list[tuple[int, int]], end: int) -> tuple[int, int]:
    """The length of the loop's body that ends at `end`, and its rounds: those that fold most."""
    best = (1, 1)
    for body in range(1, min(_LONGEST_BODY, end) + 1):
        piece, times = keys[end - body : end], 1
        while end - body * (times + 1) >= 0 and keys[end - body * (times + 1) : end - body * times] == piece:
            times += 1
        if times > 1 and body * (times - 1) > best[0] * (best[1] - 1):
            best = (body, times)
    return best
