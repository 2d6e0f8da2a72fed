"""Metrics as the message that goes the way of all telemetry: into the store, and out over OTLP."""

from __future__ import annotations

from collections.abc import Iterable

from relive_base.wire.messages import MetricData, MetricPoint

from relive_platform.metrics.families import COUNTER, Family

__all__ = ["metric_messages"]

_SCOPE = "relive"


def metric_messages(families: Iterable[Family], start_ns: int, now_ns: int) -> list[MetricData]:
    """Counters, which began at `start_ns`, and gauges. Histograms are left out: the message has single
    measurements, and every invocation's are in its row."""
    return [
        MetricData(
            name=family.name,
            kind="total" if family.kind == COUNTER else "gauge",
            unit=family.unit,
            description=family.doc,
            points=[
                MetricPoint(
                    time_ns=now_ns,
                    values=[point.value],
                    attributes=dict(point.attributes),
                    start_ns=start_ns if family.kind == COUNTER else 0,
                )
                for point in family.numbers
            ],
            scope=_SCOPE,
        )
        for family in families
        if family.numbers
    ]
