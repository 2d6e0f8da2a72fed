"""Times that functions give their spans and log lines themselves: seconds taken for nanoseconds, say."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from relive_base.wire.messages import LogLine, Logs, SpanData, Spans

from relive_platform.signals.signal import Counts, Flow

__all__ = ["STATED_END", "STATED_TIME", "Dates"]

STATED_TIME: Final = "relive.stated_time_ns"
STATED_END: Final = "relive.stated_end_ns"
_DAY_NS: Final = 86_400 * 1_000_000_000
_PAST_NS: Final = 14 * _DAY_NS
_AHEAD_NS: Final = _DAY_NS


class Dates:
    """What is older than the tables keep would be gone without a word, and what is of the future would never
    go: the tables have a part for each day. Both get the time at which they came, and an attribute with the
    one that they were given. Counts those."""

    def __init__(self, clock_ns: Callable[[], int] = time.time_ns) -> None:
        self.counts = Counts()
        self._clock_ns = clock_ns

    def __call__(self, flow: Flow) -> None:
        now_ns = self._clock_ns()
        first_ns, last_ns = now_ns - _PAST_NS, now_ns + _AHEAD_NS
        for arrival in flow.arrivals[Logs]:
            for line in arrival.frame.lines:
                if not first_ns <= line.timestamp_ns <= last_ns:
                    self._line(line, now_ns)
        for arrival in flow.arrivals[Spans]:
            for span in arrival.frame.spans:
                if span.start_ns < first_ns or span.end_ns > last_ns:
                    self._span(span, now_ns)

    def _line(self, line: LogLine, now_ns: int) -> None:
        line.attributes = {**line.attributes, STATED_TIME: line.timestamp_ns}
        line.timestamp_ns = now_ns
        self.counts.taken += 1

    def _span(self, span: SpanData, now_ns: int) -> None:
        """It ends now, and keeps a length that can be."""
        span.attributes = {**span.attributes, STATED_TIME: span.start_ns, STATED_END: span.end_ns}
        took_ns = max(span.end_ns - span.start_ns, 0)
        span.start_ns, span.end_ns = now_ns - (took_ns if took_ns <= _DAY_NS else 0), now_ns
        self.counts.taken += 1
