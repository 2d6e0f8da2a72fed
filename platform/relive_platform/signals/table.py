"""Every signal, in one table. How to add one: ARCHITECTURE.md."""

from __future__ import annotations

from typing import Final

from relive_platform.evidence import Take
from relive_platform.signals.kinds.logs import LogSignal
from relive_platform.signals.kinds.metrics import MetricSignal
from relive_platform.signals.kinds.profiles import ProfileSignal
from relive_platform.signals.kinds.spans import SpanSignal
from relive_platform.signals.signal import Signal

__all__ = ["SIGNALS", "takes"]

SIGNALS: Final[dict[str, type[Signal]]] = {
    "spans": SpanSignal,
    "logs": LogSignal,
    "metrics": MetricSignal,
    "profiles": ProfileSignal,
}


def takes() -> tuple[Take, ...]:
    """What the engine takes of its workers."""
    return tuple(kind.take for kind in SIGNALS.values() if kind.take is not None)
