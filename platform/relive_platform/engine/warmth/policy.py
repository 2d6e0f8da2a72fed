"""In which idle times a worker is worth its memory. Pure functions of what is known; no clock, no processes.

A worker that waits holds memory; one that is not there makes a caller wait for its start. So it is kept in
just those idle times in which

    arrivals a second, given that none has come so far  x  seconds of a start  x  price  >  GB of memory

The arrivals are learned: how often idle times of each length ended, newer ones counting more, and the fleet's
habits while a function has few of its own.
"""

from __future__ import annotations

import statistics
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

__all__ = [
    "DECAY",
    "EDGES_S",
    "PRIOR",
    "RECENT",
    "Costs",
    "History",
    "Window",
    "hazards",
    "is_kept",
    "prior_of",
    "windows",
]

_BINS: Final = 47
_FIRST_S: Final = 6.0
_LONGEST_S: Final = 172_800.0
EDGES_S: Final = (
    0.0,
    1.2,
    3.0,
    *(_FIRST_S * (_LONGEST_S / _FIRST_S) ** (step / _BINS) for step in range(_BINS + 1)),
)
"""Of the bins of idle times, up to two days; each is a quarter longer than the one before."""
DECAY: Final = 0.985
"""What an idle time counts for once the next one has come: some 66 of them are remembered."""
_PRIOR_WEIGHT: Final = 2.0  # the fleet counts for so many idle times
RECENT: Final = 32
_REGULAR: Final = 4  # fewer idle times say nothing of regularity
_NEAR: Final = 0.02  # of its length, and
_NEAR_S: Final = 12.0

Window = tuple[float, float]
"""Seconds of idle time, from and to."""


def _default_prior() -> tuple[float, ...]:
    """Of a fleet nobody knows: every tenfold of idle times ends as often as the next, most of them soon."""
    weights = [1.0 / (1.0 + index / 6.0) for index in range(len(EDGES_S) - 1)]
    return tuple(weight / sum(weights) for weight in weights)


PRIOR: Final = _default_prior()


@dataclass(slots=True)
class History:
    """The idle times of one function."""

    counts: list[float] = field(default_factory=lambda: [0.0] * (len(EDGES_S) - 1))
    recent: deque[float] = field(default_factory=lambda: deque(maxlen=RECENT))
    total: int = 0

    def add(self, gap_s: float) -> None:
        """An idle time has ended with an arrival."""
        self.counts = [count * DECAY for count in self.counts]
        self.counts[_bin(gap_s)] += 1.0
        self.recent.append(gap_s)
        self.total += 1


def _bin(gap_s: float) -> int:
    for index in range(len(EDGES_S) - 1, 0, -1):
        if gap_s >= EDGES_S[index]:
            return min(index, len(EDGES_S) - 2)
    return 0


@dataclass(frozen=True, slots=True)
class Costs:
    """What a worker of a function costs: `start_s` to whoever waits for it, `memory_gb` while it is kept.
    `price`: GB-seconds of memory that a second of waiting is worth."""

    start_s: float
    memory_gb: float
    price: float

    def is_worth(self, arrivals_s: float) -> bool:
        """Whether a worker is, if so many arrivals a second are expected."""
        return arrivals_s * self.start_s * self.price > self.memory_gb


def prior_of(histories: Iterable[History]) -> tuple[float, ...]:
    """The habits of a fleet, each function with the same weight, on top of the default."""
    sums = list(PRIOR)
    for history in histories:
        whole = sum(history.counts)
        if whole:
            sums = [old + count / whole for old, count in zip(sums, history.counts, strict=True)]
    whole = sum(sums)
    return tuple(value / whole for value in sums)


def hazards(history: History, prior: Sequence[float] = PRIOR) -> list[float]:
    """Arrivals a second in each bin, given that none has come before it."""
    counts = [own + _PRIOR_WEIGHT * fleet for own, fleet in zip(history.counts, prior, strict=True)]
    left = sum(counts)
    found = []
    for index, count in enumerate(counts):
        width = EDGES_S[index + 1] - EDGES_S[index]
        found.append(count / left / width if left > 1e-12 else 0.0)
        left -= count
    return found


def windows(history: History, costs: Costs, prior: Sequence[float] = PRIOR) -> list[Window]:
    """In which idle times a worker is kept, in order."""
    found: list[Window] = []
    rates = hazards(history, prior)
    for index, rate in enumerate(rates[:-1]):  # the last bin has no end
        if costs.is_worth(rate):
            found.append((EDGES_S[index], EDGES_S[index + 1]))
    if (regular := _regular(history, costs)) is not None:
        found.append(regular)
    return _merged(found)


def _regular(history: History, costs: Costs) -> Window | None:
    """Around the usual idle time of a function that has one: bins are too wide for it."""
    if len(history.recent) < _REGULAR:
        return None
    middle = statistics.median(history.recent)
    slack = _NEAR * middle + _NEAR_S
    near = sum(abs(gap - middle) < slack for gap in history.recent) / len(history.recent)
    if not costs.is_worth(near / (2 * slack)):
        return None
    return max(middle - slack, 0.0), middle + slack


def _merged(found: Iterable[Window]) -> list[Window]:
    out: list[Window] = []
    for begin, end in sorted(found):
        if out and begin <= out[-1][1]:
            out[-1] = out[-1][0], max(out[-1][1], end)
        else:
            out.append((begin, end))
    return out


def is_kept(found: Sequence[Window], idle_s: float) -> bool:
    """Whether a worker is kept at this idle time."""
    return any(begin <= idle_s < end for begin, end in found)
