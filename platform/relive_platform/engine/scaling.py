"""How many workers a function's waiting requests are worth: pure arithmetic on its recent service times."""

from __future__ import annotations

import math
from typing import Final

__all__ = ["FORK_COST_S", "smoothed", "workers_wanted"]

FORK_COST_S: Final = 0.010
"""What a further worker costs, as measured; waiting less than this is cheaper than forking."""

_SHARE: Final = 0.2
"""Weight of the newest service time in the smoothed one."""
_OUTLIER: Final = 4.0
"""A service time counts for no more than this times the smoothed one: a single stall of a busy machine says
nothing about the function, a function that has become slow has said so within a dozen invocations."""


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
