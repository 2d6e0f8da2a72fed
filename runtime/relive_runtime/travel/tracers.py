"""Which tracer there is on this Python."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Final

from relive_runtime.travel.tracing import Own, Tracer
from relive_runtime.travel.trail import Trail

__all__ = ["make_tracer"]

_TOOLS: Final = (3, 4)
"""Ids of sys.monitoring that nobody has a claim on: 0 debuggers, 1 coverage, 2 profilers, 5 optimizers."""


def make_tracer(own: Own, trail: Trail, mine: Callable[[], bool] | None = None) -> Tracer:
    """The one that costs least here. `mine`: whether what runs now belongs to the invocation; None: all
    does."""
    monitoring = getattr(sys, "monitoring", None)
    free = [tool for tool in _TOOLS if monitoring is not None and monitoring.get_tool(tool) is None]
    if not free:
        from relive_runtime.travel.settraced import SettraceTracer

        return SettraceTracer(own, trail, mine)
    from relive_runtime.travel.monitored import MonitoringTracer

    return MonitoringTracer(own, trail, free[0], mine)
