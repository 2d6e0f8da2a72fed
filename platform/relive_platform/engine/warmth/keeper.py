"""What is known of each function's idle times, starts and memory, and what follows for its workers: the one
owner of it. Everything runs on the event loop; pools tell it what they see and ask it every 0.1 s."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from relive_platform.engine.clock import Clock
from relive_platform.engine.warmth.policy import (
    EDGES_S,
    PRIOR,
    Costs,
    History,
    Window,
    hazards,
    is_kept,
    prior_of,
    windows,
)

__all__ = ["Known", "Warmth"]

_LEAST_S: Final = 10.0  # whoever was just busy stays: starting and ending processes costs CPU, too
_AGAIN_S: Final = 60.0  # windows are found anew so often, as the fleet's habits change
_TIMER_LEAD_S: Final = 1.0  # beside the time that a start takes
_TIMER_WAIT_S: Final = 5.0  # a timer that was due may come so late
_START_S: Final = 0.3  # of a function that was never started
_MEMORY_GB: Final = 0.05
_SHARE: Final = 0.2  # of the newest start in the smoothed time
_MAX_FUNCTIONS: Final = 10_000
_GIB: Final = 1024**3


@dataclass(slots=True)
class Known:
    """Of one function. `start_s` and `memory_gb` are smoothed; 0: not known."""

    history: History = field(default_factory=History)
    start_s: float = 0.0
    memory_gb: float = 0.0
    due_ns: int = 0  # of its next timer
    found: list[Window] = field(default_factory=list)
    found_at: float = -1.0

    def costs(self, price: float) -> Costs:
        """With what is usual for what is not known yet."""
        return Costs(self.start_s or _START_S, self.memory_gb or _MEMORY_GB, price)


class Warmth:
    """`price`: GB-seconds of idle memory that a second of a caller's waiting is worth; 0: workers are
    kept for a fixed time."""

    def __init__(self, price: float, clock: Clock | None = None) -> None:
        clock = clock or Clock()
        self._mono, self._wall_ns = clock.mono, clock.wall_ns
        self._price = price
        self._known: dict[str, Known] = {}
        self._prior = PRIOR
        self._prior_at = -1.0

    @property
    def learns(self) -> bool:
        """Whether idle times are judged by what is known."""
        return self._price > 0

    # ------------------------------------------------------------ what is told

    def _of(self, function: str) -> Known:
        known = self._known.get(function)
        if known is None:
            if len(self._known) >= _MAX_FUNCTIONS:  # the one that was told of first
                del self._known[next(iter(self._known))]
            known = self._known[function] = Known()
        return known

    def seen(self, function: str, idle_s: float) -> None:
        """An idle time has ended with an arrival. One that a timer has ended says nothing: that is known."""
        known = self._of(function)
        if not self._is_due(known, 0.0):
            known.history.add(idle_s)
            known.found_at = -1.0

    def started(self, function: str, start_s: float) -> None:
        """A worker took so long to start."""
        known = self._of(function)
        known.start_s += (start_s - known.start_s) * (_SHARE if known.start_s else 1.0)

    def holds(self, function: str, memory_bytes: int) -> None:
        """An idle worker holds so much memory."""
        known = self._of(function)
        known.memory_gb += (memory_bytes / _GIB - known.memory_gb) * (_SHARE if known.memory_gb else 1.0)

    def learn(self, function: str, gaps_s: list[float], start_s: float, memory_bytes: float) -> None:
        """What the records say of it, oldest first. What was seen since counts more."""
        known = self._of(function)
        history = History()
        for gap_s in [*gaps_s, *known.history.recent]:
            history.add(gap_s)
        known.history = history
        known.start_s = known.start_s or start_s
        known.memory_gb = known.memory_gb or memory_bytes / _GIB
        known.found_at = -1.0

    def expect(self, due_ns: Mapping[str, int]) -> None:
        """When the next timer of each function is due."""
        for function, at_ns in due_ns.items():
            known = self._of(function)
            if not self._is_due(known, 0.0):  # else it is just coming
                known.due_ns = at_ns
        for function, known in self._known.items():
            if known.due_ns and function not in due_ns and not self._is_due(known, 0.0):
                known.due_ns = 0

    def _is_due(self, known: Known, lead_s: float) -> bool:
        left_s = (known.due_ns - self._wall_ns()) / 1e9
        return bool(known.due_ns) and -_TIMER_WAIT_S < left_s <= lead_s

    # ------------------------------------------------------------ what follows

    def is_wanted(self, function: str, idle_s: float) -> bool:
        """Whether a worker is worth its memory after so long an idle time."""
        return idle_s < _LEAST_S or is_kept(self._windows(self._of(function)), idle_s)

    def timer_comes(self, function: str) -> bool:
        """Whether a worker should be started, or kept, for a timer."""
        known = self._known.get(function)
        if known is None or not known.due_ns:
            return False
        return self._is_due(known, 1.5 * (known.start_s or _START_S) + _TIMER_LEAD_S)

    def _windows(self, known: Known) -> list[Window]:
        now = self._mono()
        if known.found_at < 0 or now - known.found_at > _AGAIN_S:
            if self._prior_at < 0 or now - self._prior_at > _AGAIN_S:
                self._prior, self._prior_at = prior_of(one.history for one in self._known.values()), now
            known.found = windows(known.history, known.costs(self._price), self._prior)
            known.found_at = now
        return known.found

    # ------------------------------------------------------------ why

    def explain(self, function: str) -> dict[str, Any]:
        """What `is_wanted` and `timer_comes` go by."""
        known = self._of(function)
        costs = known.costs(self._price)
        found = self._windows(known) if self.learns else []
        rates = hazards(known.history, self._prior)
        return {
            "function": function,
            "learns": self.learns,
            "idle_times": known.history.total,
            "fleet": sum(bool(one.history.total) for one in self._known.values()),
            "start_s": round(costs.start_s, 6),
            "start_known": bool(known.start_s),
            "memory_gb": round(costs.memory_gb, 6),
            "memory_known": bool(known.memory_gb),
            "price": self._price,
            "least_s": _LEAST_S,
            "due_ns": known.due_ns,
            "windows": [[round(begin, 3), round(end, 3)] for begin, end in found],
            "bins": [
                {
                    "from_s": round(EDGES_S[index], 3),
                    "to_s": round(EDGES_S[index + 1], 3),
                    "ended": round(known.history.counts[index], 3),
                    "arrivals_s": rate,
                    "worth_gb": rate * costs.start_s * self._price,
                    "kept": costs.is_worth(rate),
                }
                for index, rate in enumerate(rates[:-1])
            ],
        }
