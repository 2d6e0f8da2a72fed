"""What follows from what came: the spans that nobody ended, the exception of a failure as a log record, and
which spans are left to the store."""

from __future__ import annotations

from relive_base.records import InvocationRecord
from relive_base.wire.messages import Logs, Spans
from relive_tracer.explore.failures import OpenSpans, failure_line
from relive_tracer.explore.platform_rows import derives_spans

from relive_platform.signals.signal import Arrival, Counts, Flow, ref_of

__all__ = ["Derive"]


class Derive:
    """Behind the redaction: what it makes is made of redacted text. `exported`: spans are sent elsewhere,
    too, so that all of them have to be made here."""

    def __init__(self, *, exported: bool = False, resource: str = "") -> None:
        self.counts = Counts()
        self._exported = exported
        self._resource = resource
        self._open = OpenSpans()

    def __call__(self, flow: Flow) -> None:
        for arrival in flow.arrivals[Spans]:
            if arrival.frame.open or self._open:
                self._follow(arrival)
        some_open = bool(self._open)
        for item in flow.finished:
            record = item.record
            if some_open or record.status != "ok":
                self._conclude(record, flow)
        flow.derived = [not self._exported and derives_spans(item.record) for item in flow.finished]

    def _follow(self, arrival: Arrival) -> None:
        frame: Spans = arrival.frame
        ref = arrival.ref
        if frame.open:
            self._open.opened(ref.invocation_id, ref.attempt, frame.open)
        for span in frame.spans:
            self._open.ended(ref.invocation_id, ref.attempt, span.span_id)

    def _conclude(self, record: InvocationRecord, flow: Flow) -> None:
        left = self._open.left(record)
        line = failure_line(record) if record.failed else None
        if not left and line is None:
            return
        ref = ref_of(record, self._resource)
        if left:
            frame = Spans(invocation_id=record.invocation_id, spans=left)
            flow.arrivals[Spans].append(Arrival(frame, ref, [], record))
        if line is not None:
            logs = Logs(invocation_id=record.invocation_id, lines=[line])
            flow.arrivals[Logs].append(Arrival(logs, ref, [], record))
        self.counts.taken += len(left) + (line is not None)
