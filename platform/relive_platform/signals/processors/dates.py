"""Times that functions give their spans, log lines and measurements themselves: seconds taken for
nanoseconds, say."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from relive_base.wire.messages import LogLine, Logs, MetricPoint, Metrics, SpanData, Spans
from relive_tracer.explore.metric_rows import METRIC_TABLES

from relive_platform.signals.kept import DAY_NS, KeptDays
from relive_platform.signals.signal import Counts, Flow

__all__ = ["STATED_END", "STATED_TIME", "Dates"]

STATED_TIME: Final = "relive.stated_time_ns"
STATED_END: Final = "relive.stated_end_ns"
_AHEAD_NS: Final = DAY_NS


class Dates:
    """What is older than the tables keep would be gone without a word, and what is of the future would never
    go: the tables have a part for each day. Both get the time at which they came, and an attribute with the
    one that they were given; a measurement has none, which would be a series of its own. Counts those."""

    def __init__(self, clock_ns: Callable[[], int] = time.time_ns, kept: KeptDays | None = None) -> None:
        self.counts = Counts()
        self._clock_ns = clock_ns
        self._kept = kept or KeptDays()

    def __call__(self, flow: Flow) -> None:
        now_ns = self._clock_ns()
        last_ns = now_ns + _AHEAD_NS
        first_ns = now_ns - self._kept.ns_of("otel_logs")
        for arrival in flow.arrivals[Logs]:
            for line in arrival.frame.lines:
                if not first_ns <= line.timestamp_ns <= last_ns:
                    self._line(line, now_ns)
        first_ns = now_ns - self._kept.ns_of("otel_traces")
        for arrival in flow.arrivals[Spans]:
            for span in arrival.frame.spans:
                if span.start_ns < first_ns or span.end_ns > last_ns:
                    self._span(span, now_ns)
        first_ns = now_ns - min(map(self._kept.ns_of, METRIC_TABLES))
        for arrival in flow.arrivals[Metrics]:
            for point in (point for metric in arrival.frame.metrics for point in metric.points):
                if not first_ns <= point.time_ns <= last_ns:
                    self._point(point, now_ns)

    def _line(self, line: LogLine, now_ns: int) -> None:
        line.attributes = {**line.attributes, STATED_TIME: line.timestamp_ns}
        line.timestamp_ns = now_ns
        self.counts.taken += 1

    def _span(self, span: SpanData, now_ns: int) -> None:
        """It ends now, and keeps a length that can be."""
        span.attributes = {**span.attributes, STATED_TIME: span.start_ns, STATED_END: span.end_ns}
        took_ns = max(span.end_ns - span.start_ns, 0)
        span.start_ns, span.end_ns = now_ns - (took_ns if took_ns <= DAY_NS else 0), now_ns
        self.counts.taken += 1

    def _point(self, point: MetricPoint, now_ns: int) -> None:
        point.time_ns, point.start_ns = now_ns, min(point.start_ns, now_ns)
        self.counts.taken += 1
