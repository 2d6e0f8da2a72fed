"""What the invocations of a trace recorded over their limits: it is in no row but counted."""

from __future__ import annotations

from typing import Final

from relive_store import Store

from relive_tracer.explore.conditions import Conditions
from relive_tracer.explore.traces import extent_ns
from relive_tracer.record.limits import TelemetryLimits

__all__ = ["dropped_by_span", "dropped_text"]

_DROPPED: Final = """
SELECT Span, sum(Count) FROM (
    SELECT argMax(SpanId, RecordVersion) AS Span, argMax(Dropped, RecordVersion) AS Count
    FROM invocations
    WHERE __WHERE__
    GROUP BY InvocationId, Attempt
)
WHERE Count > 0
GROUP BY Span
"""


def dropped_by_span(store: Store, trace_id: str) -> dict[str, int]:
    """How many spans, lines and values were dropped, by the span of their invocation."""
    where = Conditions()
    where.time_range("StartedAt", *extent_ns(store, trace_id))
    where.add("TraceId = {trace_id:String}", trace_id=trace_id)
    found = store.query(where.into(_DROPPED), where.parameters).rows()
    return {str(span): int(str(count)) for span, count in found}


def dropped_text(count: int) -> str:
    """For people: that the trace is not all there was."""
    what = "span, line or value was" if count == 1 else "spans, lines or values were"
    return f"{count:,} more {what} dropped by limits: an invocation keeps {TelemetryLimits().spans:,} spans"
