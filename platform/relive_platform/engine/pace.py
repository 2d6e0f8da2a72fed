"""How fast a function is, by its recent invocations: how many workers it takes, and what one has at once."""

from __future__ import annotations

import math
from typing import Final

__all__ = ["AHEAD_LIMIT", "AHEAD_SERVICE_S", "FORK_COST_S", "Pace", "smoothed", "workers_wanted"]

FORK_COST_S: Final = 0.010
"""What a further worker costs, as measured; waiting less than this is cheaper than forking."""
AHEAD_LIMIT: Final = 15
"""Events that wait in the socket of a fast function's worker, behind what it runs. One
that never falls asleep between two of them saves two wake-ups, which cost more than a small handler."""
AHEAD_WAIT_S: Final = 0.001
"""No more than one worker gets done in this time, by its function's mean: others are woken for the rest."""
WORKER_COST_S: Final = 0.00003
"""What a worker spends on an invocation beside the handler, as measured."""
AHEAD_SERVICE_S: Final = 0.002
"""Only functions whose slowest recent invocation took less than this get events sent ahead."""

_DECAY: Final = 0.98
"""A slow invocation keeps events from being sent ahead for about as many invocations as it took times 50."""
_SHARE: Final = 0.2
"""Weight of the newest service time in the smoothed one."""
_OUTLIER: Final = 4.0
"""A service time counts for no more than this times the smoothed one: a single stall of a busy machine says
nothing about the function, a function that has become slow has said so within a dozen invocations."""
_UNKNOWN_S: Final = 1.0


class Pace:
    """Of one function version."""

    __slots__ = ("_ahead", "_mean_s", "_slowest_s", "ahead_limit", "service_s")

    def __init__(self, *, ahead: bool = True) -> None:
        """`ahead`: whether events may be sent ahead."""
        self._ahead = ahead
        self.service_s = 0.0  # smoothed time from dispatch to the last message; 0: none is known
        self.ahead_limit = 0.0
        """Fewer attempts than this may wait in a worker for one more to be sent ahead; 0: it is not fast."""
        self._slowest_s = _UNKNOWN_S  # of the recent handlers, decaying
        self._mean_s = _UNKNOWN_S

    def took(self, service_s: float, handler_s: float) -> None:
        """A worker was busy with an attempt for so long, and its handler took so much of that."""
        self.service_s = smoothed(self.service_s, service_s)
        if not self._ahead:
            return
        slowest_s = self._slowest_s * _DECAY
        self._slowest_s = slowest_s = handler_s if handler_s > slowest_s else slowest_s
        self._mean_s = mean_s = 0.9 * self._mean_s + 0.1 * handler_s
        limit = AHEAD_WAIT_S / (mean_s + WORKER_COST_S) if slowest_s < AHEAD_SERVICE_S else 0.0
        self.ahead_limit = limit if limit < AHEAD_LIMIT else AHEAD_LIMIT

    def turned_slow(self) -> None:
        """Something was sent ahead and waited too long."""
        self._slowest_s = _UNKNOWN_S
        self.ahead_limit = 0.0

    def soon_s(self) -> float:
        """Who has had an attempt for less than this is done with it soon."""
        return max(FORK_COST_S, 4 * self.service_s)


def smoothed(service_s: float, took_s: float) -> float:
    """The smoothed service time with one more in it; `service_s` is 0.0 before the first."""
    if not service_s:
        return took_s
    return service_s + _SHARE * (min(took_s, _OUTLIER * service_s) - service_s)


def workers_wanted(waiting: int, serving: int, service_s: float) -> int:
    """How many workers should be starting.

    `waiting`: requests without a worker. `serving`: busy workers that will be free soon. `service_s`: the
    smoothed time from dispatch to the last frame, 0.0 while none is known.
    """
    if not waiting:
        return 0
    if not service_s or service_s > FORK_COST_S:
        return waiting
    if serving:
        return int(waiting * service_s > FORK_COST_S * serving)
    # Those that are busy take unusually long: as many as are done with it when a further one could be ready.
    return math.ceil(waiting * service_s / FORK_COST_S)
