"""What of the invocations of a trace was not kept: it is in no row but counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from relive_store import Store

from relive_tracer.explore.conditions import Conditions
from relive_tracer.explore.traces import extent_ns
from relive_tracer.record.limits import TelemetryLimits

__all__ = ["SPANS_LEFT_OUT", "Unkept", "unkept"]

SPANS_LEFT_OUT: Final = "relive.spans_left_out"
"""Attribute of an invocation whose own spans `span_share` left out: how many."""
_UNKEPT: Final = """
SELECT Span, sum(Count), sum(LeftOut) FROM (
    SELECT argMax(SpanId, RecordVersion) AS Span, argMax(Dropped, RecordVersion) AS Count,
        argMax(toUInt64OrZero(Attributes[{left_out:String}]), RecordVersion) AS LeftOut
    FROM invocations
    WHERE __WHERE__
    GROUP BY InvocationId, Attempt
)
GROUP BY Span
"""


@dataclass(frozen=True, slots=True)
class Unkept:
    """Counts by the span of the invocation; of one without a row nothing is known. `dropped`: over limits;
    `left_out`: spans of an invocation like others."""

    dropped: Mapping[str, int] = field(default_factory=dict)
    left_out: Mapping[str, int] = field(default_factory=dict)

    @property
    def dropped_text(self) -> str:
        """For people: that the trace is not all there was; "" if it is."""
        count = sum(self.dropped.values())
        if not count:
            return ""
        return (
            f"{count:,} more of its spans, lines, values or samples not kept: over limits"
            f" ({TelemetryLimits().spans:,} spans of an invocation), or they could not be made or sent"
        )

    @property
    def left_out_text(self) -> str:
        """The same of what was left out on purpose."""
        count = sum(self.left_out.values())
        if not count:
            return ""
        return f"{count:,} {'span' if count == 1 else 'spans'} of its functions left out: span_share"


def unkept(store: Store, trace_id: str) -> Unkept:
    """Of one trace. Raises StoreError."""
    where = Conditions()
    where.time_range("StartedAt", *extent_ns(store, trace_id))
    where.add("TraceId = {trace_id:String}", trace_id=trace_id)
    parameters = {**where.parameters, "left_out": SPANS_LEFT_OUT}
    found = store.query(where.into(_UNKEPT), parameters).rows()
    rows = [(str(span), int(str(count)), int(str(left))) for span, count, left in found]
    return Unkept(
        {span: count for span, count, _left in rows}, {span: left for span, _count, left in rows if left}
    )
