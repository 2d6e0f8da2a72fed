"""Runs inside the function's process: spans, logs and output lines leave it as they are finished."""

from relive_tracer.record.interruption import of_signal_handler
from relive_tracer.record.limits import FRAMEWORK_SPANS, TelemetryLimits
from relive_tracer.record.noticed import HANDLED, SIGNALLED
from relive_tracer.record.state import InvocationState, TelemetryCounts
from relive_tracer.record.telemetry import Telemetry, preload, rehearse

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
