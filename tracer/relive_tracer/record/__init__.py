"""Runs inside the function's process: spans, logs and output lines leave it as they are finished."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from relive_tracer.record.interruption import of_signal_handler
    from relive_tracer.record.limits import FRAMEWORK_SPANS, TelemetryLimits
    from relive_tracer.record.noticed import HANDLED, SIGNALLED
    from relive_tracer.record.state import InvocationState, TelemetryCounts
    from relive_tracer.record.telemetry import Telemetry, preload, rehearse
else:

    def __getattr__(name: str) -> Any:
        """A process that records for others than a worker needs few of these."""
        if name not in _PLACES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found = globals()[name] = getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
        return found


__all__ = [
    "FRAMEWORK_SPANS",
    "HANDLED",
    "SIGNALLED",
    "InvocationState",
    "Telemetry",
    "TelemetryCounts",
    "TelemetryLimits",
    "of_signal_handler",
    "preload",
    "rehearse",
]

_PLACES: Final = {
    "of_signal_handler": "interruption",
    "FRAMEWORK_SPANS": "limits",
    "TelemetryLimits": "limits",
    "HANDLED": "noticed",
    "SIGNALLED": "noticed",
    "InvocationState": "state",
    "TelemetryCounts": "state",
    "Telemetry": "telemetry",
    "preload": "telemetry",
    "rehearse": "telemetry",
}
