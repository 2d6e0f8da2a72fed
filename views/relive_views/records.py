"""What was recorded, row by row: invocations, spans, log lines, statistics of functions."""

from __future__ import annotations

from relive_tracer.explore.dropped import Unkept
from relive_tracer.explore.models import (
    FunctionStats,
    InvocationRow,
    LogRow,
    SpanEventRow,
    SpanLinkRow,
    SpanRow,
    attempt_in,
)

__all__ = [
    "FunctionStats",
    "InvocationRow",
    "LogRow",
    "SpanEventRow",
    "SpanLinkRow",
    "SpanRow",
    "Unkept",
    "attempt_in",
]
