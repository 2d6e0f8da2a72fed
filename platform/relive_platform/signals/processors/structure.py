"""What is in a log line beside its text: the fields of JSON, and metrics that are embedded in it."""

from __future__ import annotations

from relive_base.wire.messages import Logs, Metrics
from relive_tracer.explore.emf import embedded_metrics
from relive_tracer.explore.json_lines import structure

from relive_platform.signals.signal import Arrival, Counts, Flow

__all__ = ["Structure"]


class Structure:
    """Before the redaction, which then knows fields by their names. Counts the lines that are JSON."""

    def __init__(self) -> None:
        self.counts = Counts()

    def __call__(self, flow: Flow) -> None:
        for arrival in flow.arrivals[Logs]:
            for line in arrival.frame.lines:
                if line.body[:1] != "{" or (fields := structure(line)) is None:
                    continue
                self.counts.taken += 1
                if "_aws" in fields and (metrics := embedded_metrics(fields, line)):
                    frame = Metrics(invocation_id=arrival.ref.invocation_id, metrics=metrics)
                    flow.arrivals[Metrics].append(Arrival(frame, arrival.ref, arrival.redact_keys))
