"""A stretch of a trail with its loops folded. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from relive_runtime.travel.trail import Trail

__all__ = ["Row", "folded"]

_LONGEST_BODY: Final = 12
_LOOKED_AT: Final = 20_000


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
