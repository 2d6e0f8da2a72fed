"""Spans: the function's own as they came, the platform's own made of the records."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from relive_base.redaction.redactor import Redactor
from relive_base.wire.messages import Frame, Spans
from relive_tracer.explore.platform_rows import add_spans_of
from relive_tracer.explore.rows import SpanColumns

from relive_platform.evidence import SPANS, Take
from relive_platform.signals.processors.redaction import redact_open_span, redact_span
from relive_platform.signals.signal import Arrival, Flow, Rows, Signal

__all__ = ["SpanSignal"]


class SpanSignal(Signal):
    """Rows of `otel_traces`."""

    message: ClassVar[type[Frame]] = Spans
    take: ClassVar[Take | None] = SPANS

    def redact(self, arrival: Arrival, redactor: Redactor) -> None:
        frame: Spans = arrival.frame
        for open_span in frame.open:
            redact_open_span(open_span, redactor)
        for span in frame.spans:
            redact_span(span, redactor)

    def rows(self, flow: Flow) -> Iterable[Rows]:
        spans = SpanColumns()
        for arrival in flow.arrivals[Spans]:
            ref = arrival.ref
            for span in arrival.frame.spans:
                spans.add_span(span, ref)
        made_here = [item.record for item, done in zip(flow.finished, flow.derived, strict=True) if not done]
        add_spans_of(spans, made_here, self._resource)
        return [Rows("otel_traces", spans.columns, "traces")] if len(spans) else []
