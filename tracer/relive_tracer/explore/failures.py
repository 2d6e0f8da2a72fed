"""What a failed invocation leaves beside its own spans: an exception's log record, and spans nobody ended."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import Final

from relive_base.attributes import Attribute
from relive_base.records import InvocationRecord
from relive_base.wire.messages import LogLine, OpenSpan, SpanData

__all__ = ["OpenSpans", "failure_line"]

_INVOCATIONS: Final = 10_000
_SPANS: Final = 1_000  # of one invocation
_WHY: Final = "the process ended before this span did"


def failure_line(record: InvocationRecord) -> LogLine | None:
    """The exception that ended the invocation, by OpenTelemetry's conventions; None if there was none."""
    error = record.error
    if error is None or not error.traceback:
        return None
    attributes: dict[str, Attribute] = {
        "exception.type": error.type,
        "exception.message": error.message,
        "exception.stacktrace": error.traceback,
    }
    if error.file:
        module = f"{error.module}." if error.module else ""
        attributes["code.file.path"] = error.file
        attributes["code.line.number"] = error.line
        attributes["code.function.name"] = f"{module}{error.function}"
    return LogLine(
        timestamp_ns=record.ended_ns or record.responded_ns or record.accepted_ns,
        severity="ERROR",
        body=f"{error.type}: {error.message}" if error.message else error.type,
        trace_id=record.trace_id,
        span_id=record.span_id,
        source="platform",
        attributes=attributes,
        event_name="exception",
    )


class OpenSpans:
    """Spans that have begun and not ended, of invocations that run: what stands there when the process has
    ended gets an end, so that nothing in the trace is without its parent. Bounded; the oldest go."""

    def __init__(self) -> None:
        self._of: OrderedDict[tuple[str, int], dict[str, OpenSpan]] = OrderedDict()

    def __len__(self) -> int:
        """Invocations that have some."""
        return len(self._of)

    def opened(self, invocation_id: str, attempt: int, spans: Iterable[OpenSpan]) -> None:
        """They were told of; their names are redacted by now."""
        known = self._of.setdefault((invocation_id, attempt), {})
        for span in spans:
            if len(known) < _SPANS:
                known[span.span_id] = span
        if len(self._of) > _INVOCATIONS:
            self._of.popitem(last=False)

    def ended(self, invocation_id: str, attempt: int, span_id: str) -> None:
        """The span itself came."""
        if self._of:
            known = self._of.get((invocation_id, attempt))
            if known is not None:
                known.pop(span_id, None)

    def left(self, record: InvocationRecord) -> list[SpanData]:
        """Those of a finished invocation, ended with it; of one that succeeded none: they may end later."""
        if not self._of:
            return []
        known = self._of.pop((record.invocation_id, record.attempt), None)
        if not known or not record.failed:
            return []
        end_ns = record.ended_ns or record.responded_ns
        return [
            SpanData(
                trace_id=span.trace_id,
                span_id=span.span_id,
                parent_span_id=span.parent_span_id,
                name=span.name,
                kind=span.kind,
                start_ns=span.start_ns,
                end_ns=max(end_ns, span.start_ns),
                status="Error",
                status_message=_WHY,
                attributes={"relive.unfinished": True, "error.type": record.status},
                scope=span.scope,
            )
            for span in known.values()
        ]
