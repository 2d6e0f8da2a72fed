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
        spans, weighted = SpanColumns(), SpanColumns()
        weights: list[object] = []
        for arrival in flow.arrivals[Spans]:
            ref, weight = arrival.ref, arrival.weight
            out = spans if weight == 1 else weighted
            for span in arrival.frame.spans:
                out.add_span(span, ref)
            if weight != 1:
                weights += [weight] * len(arrival.frame.spans)
        made_here = [item.record for item, done in zip(flow.finished, flow.derived, strict=True) if not done]
        add_spans_of(spans, made_here, self._resource)
        if len(spans):
            yield Rows("otel_traces", spans.columns, "traces")
        if weights:
            yield Rows("otel_traces", {**weighted.columns, "SampleWeight": weights}, "traces")
