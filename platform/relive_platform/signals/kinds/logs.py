"""Log lines, whether they were logged or printed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from relive_base.redaction.redactor import KeyBlocks, Redactor
from relive_base.wire.messages import Frame, Logs
from relive_tracer.explore.rows import log_columns

from relive_platform.evidence import LOGS, Take
from relive_platform.signals.processors.redaction import redact_line
from relive_platform.signals.signal import Arrival, Flow, Rows, Signal

__all__ = ["LogSignal"]


class LogSignal(Signal):
    """Rows of `otel_logs`."""

    message: ClassVar[type[Frame]] = Logs
    take: ClassVar[Take | None] = LOGS

    def __init__(self, resource: str = "") -> None:
        super().__init__(resource)
        self._blocks = KeyBlocks()

    def redact(self, arrival: Arrival, redactor: Redactor) -> None:
        invocation_id = arrival.ref.invocation_id
        for line in arrival.frame.lines:
            redact_line(line, redactor, self._blocks, invocation_id)

    def rows(self, flow: Flow) -> Iterable[Rows]:
        lines = [(line, arrival.ref) for arrival in flow.arrivals[Logs] for line in arrival.frame.lines]
        return [Rows("otel_logs", log_columns(lines), "logs")] if lines else []
