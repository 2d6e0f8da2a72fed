"""What was measured: raw values, of which the collector's process makes sums, buckets and exemplars."""

from __future__ import annotations

from typing import Final

import msgspec

from relive_base.attributes import Attribute
from relive_base.wire.messages.frame import Frame

__all__ = ["METRIC_KINDS", "MetricData", "MetricPoint", "Metrics"]

METRIC_KINDS: Final = ("counter", "up_down_counter", "histogram", "gauge", "total", "level")
"""`total` is what has been counted since a beginning (cumulative, only grows), `level` likewise what also
falls. The first four are measured one by one, so that what is told of them are differences (delta)."""


class MetricPoint(msgspec.Struct, array_like=True):
    """Measurements with the same attributes. `start_ns`: of the first one, 0 if it is the only one;
    `time_ns`, and the span: of the last one."""

    time_ns: int
    values: list[int | float]
    attributes: dict[str, Attribute] = {}
    trace_id: str = ""
    span_id: str = ""
    start_ns: int = 0


class MetricData(msgspec.Struct, array_like=True):
    """Of one instrument. `bounds`: of a histogram's buckets, None for OpenTelemetry's default ones;
    `exponential`: its buckets are made to fit what is measured."""

    name: str
    kind: str
    unit: str = ""
    description: str = ""
    points: list[MetricPoint] = []
    scope: str = ""
    scope_version: str = ""
    bounds: list[float] | None = None
    exponential: bool = False


class Metrics(Frame, tag="metrics"):
    """Measurements, as soon as they are made."""

    invocation_id: str
    metrics: list[MetricData]
