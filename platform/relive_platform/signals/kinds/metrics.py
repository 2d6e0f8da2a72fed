"""Metrics: what functions and the platform measure, made rows of here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from relive_base.redaction.redactor import Redactor
from relive_base.wire.messages import Frame, Metrics
from relive_tracer.explore.metric_rows import metric_tables

from relive_platform.evidence import METRICS, Take
from relive_platform.signals.processors.redaction import redact_metric
from relive_platform.signals.signal import Arrival, Flow, Rows, Signal

__all__ = ["MetricSignal"]


class MetricSignal(Signal):
    """Rows of the `otel_metrics_*` tables."""

    message: ClassVar[type[Frame]] = Metrics
    take: ClassVar[Take | None] = METRICS

    def redact(self, arrival: Arrival, redactor: Redactor) -> None:
        for metric in arrival.frame.metrics:
            redact_metric(metric, redactor)

    def rows(self, flow: Flow) -> Iterable[Rows]:
        found = [(metric, one.ref) for one in flow.arrivals[Metrics] for metric in one.frame.metrics]
        return [Rows(table.table, table.columns, "metrics") for table in metric_tables(found)]
