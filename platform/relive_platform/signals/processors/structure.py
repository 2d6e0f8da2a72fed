"""What is in a log line beside its text: the fields of JSON, and metrics that are embedded in it."""

from __future__ import annotations

import logging

from relive_base.wire.messages import LogLine, Logs, Metrics
from relive_tracer.explore.emf import embedded_metrics
from relive_tracer.explore.json_lines import structure

from relive_platform.signals.signal import Arrival, Counts, Flow

__all__ = ["Structure"]

_log = logging.getLogger(__name__)


class Structure:
    """Before the redaction, which then knows fields by their names. Counts the lines that are JSON; one for
    which that fails stays as it is, and is counted as dropped."""

    def __init__(self) -> None:
        self.counts = Counts()

    def __call__(self, flow: Flow) -> None:
        for arrival in flow.arrivals[Logs]:
            for line in arrival.frame.lines:
                if line.body[:1] != "{":
                    continue
                try:
                    self._look_into(line, arrival, flow)
                except Exception:  # whatever is in it: it costs its fields, and not the batch
                    _log.exception("a line of %s could not be looked into", arrival.ref.invocation_id)
                    self.counts.dropped += 1

    def _look_into(self, line: LogLine, arrival: Arrival, flow: Flow) -> None:
        fields = structure(line)
        if fields is None:
            return
        if "_aws" in fields and (metrics := embedded_metrics(fields, line)):
            frame = Metrics(invocation_id=arrival.ref.invocation_id, metrics=metrics)
            flow.arrivals[Metrics].append(Arrival(frame, arrival.ref, arrival.redact_keys))
        self.counts.taken += 1
