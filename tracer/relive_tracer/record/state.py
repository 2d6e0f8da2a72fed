"""What the recording side knows of one invocation while it runs, and afterwards for its stragglers."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Final, NamedTuple, TypeAlias

from relive_base.wire.messages import LogLine

from relive_tracer.record.noticed import Noticed

__all__ = ["InvocationState", "TelemetryCounts", "Where", "Whereabouts"]

TAIL_LINES: Final = 20
"""Lines over the output limit that are kept for an invocation that fails."""


class TelemetryCounts(NamedTuple):
    """What one invocation recorded. `dropped`: spans and lines over a limit, or that could not be sent."""

    spans: int = 0
    logs: int = 0
    dropped: int = 0


class InvocationState:
    """Counters and ids of one invocation. The empty id is the time before a worker's first invocation."""

    __slots__ = (
        "_tail",
        "baggage",
        "bytes_left",
        "dropped",
        "dropped_lines",
        "invocation_id",
        "logs",
        "measured",
        "noticed",
        "sampled",
        "span",
        "span_id",
        "spans",
        "stamped_ns",
        "started_ns",
        "trace_id",
        "trace_state",
    )

    def __init__(self, invocation_id: str, trace_id: str, span_id: str, output_limit_bytes: int) -> None:
        self.invocation_id = invocation_id
        self.trace_id = trace_id
        self.span_id = span_id
        self.sampled = True
        self.trace_state = ""
        self.baggage = ""
        self.started_ns = 0
        self.stamped_ns = 0  # the latest of its lines
        self.span: Any = None  # the invoke span as OpenTelemetry sees it, once it is asked for
        self.bytes_left = output_limit_bytes
        self.spans = 0
        self.logs = 0
        self.measured = 0  # by the Metrics API
        self.dropped = 0
        self.dropped_lines = 0  # by the output limit, not yet told
        self._tail: deque[LogLine] | None = None  # the last of these: a failure's are told
        self.noticed: Noticed | None = None  # its own, if it runs beside others

    def keep(self, line: LogLine) -> None:
        """It was cut off by the output limit."""
        if self._tail is None:
            self._tail = deque(maxlen=TAIL_LINES)
        self._tail.append(line)

    def take_tail(self) -> list[LogLine]:
        """The last lines of those, which are forgotten."""
        tail, self._tail = self._tail, None
        return list(tail or ())

    def ended(self) -> InvocationState:
        """A copy that knows whose it was and when it began, and nothing else that could be asked for then."""
        copy = InvocationState(self.invocation_id, self.trace_id, self.span_id, 0)
        copy.sampled, copy.trace_state, copy.started_ns = self.sampled, self.trace_state, self.started_ns
        return copy

    def counts(self) -> TelemetryCounts:
        """What has been counted so far."""
        return TelemetryCounts(self.spans, self.logs, self.dropped)


Where: TypeAlias = tuple[InvocationState, str, str]
"""The invocation, trace id and span id that the calling code belongs to."""

Whereabouts: TypeAlias = Callable[[], Where]
