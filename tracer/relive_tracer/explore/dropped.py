"""What of the invocations of a trace was not kept: it is in no row but counted."""

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
GROUP BY Span
"""


def dropped_by_span(store: Store, trace_id: str) -> dict[str, int]:
    """How much was not kept, by the span of its invocation; of one without a row it is not known."""
    where = Conditions()
    where.time_range("StartedAt", *extent_ns(store, trace_id))
    where.add("TraceId = {trace_id:String}", trace_id=trace_id)
    found = store.query(where.into(_DROPPED), where.parameters).rows()
    return {str(span): int(str(count)) for span, count in found}


def dropped_text(count: int) -> str:
    """For people: that the trace is not all there was."""
    spans = TelemetryLimits().spans
    return (
        f"{count:,} more of its spans, lines, values or samples not kept: over limits ({spans:,} spans of an"
        " invocation), or they could not be made or sent"
    )
