"""Measurements as rows of the otel_metrics_* tables: one row for those of a batch with equal attributes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import isfinite
from sys import float_info
from typing import Any, Final

from relive_base.attributes import Attribute
from relive_base.wire.messages import METRIC_KINDS, MetricData, MetricPoint

from relive_tracer.explore.histograms import DEFAULT_BOUNDS, bucket_counts, exponential
from relive_tracer.explore.rows import ColumnLists, FunctionRef, split_types

__all__ = [
    "CUMULATIVE",
    "DELTA",
    "METRIC_TABLES",
    "SHARED_COLUMNS",
    "MetricColumns",
    "metric_tables",
]

DELTA: Final = 1
CUMULATIVE: Final = 2
"""Of `AggregationTemporality`: OTLP's numbers."""
_EXEMPLARS: Final = 20
_BOUNDS: Final = 200
_LATEST_NS: Final = (1 << 63) - 1

SHARED_COLUMNS: Final = (
    "ResourceAttributes",
    "ResourceSchemaUrl",
    "ScopeName",
    "ScopeVersion",
    "ScopeAttributes",
    "ScopeSchemaUrl",
    "ServiceName",
    "MetricName",
    "MetricDescription",
    "MetricUnit",
    "Attributes",
    "StartTimeUnix",
    "TimeUnix",
    "Flags",
    "InvocationId",
    "AttributeTypes",
)
_EXEMPLAR_COLUMNS: Final = (
    "Exemplars.FilteredAttributes",
    "Exemplars.TimeUnix",
    "Exemplars.Value",
    "Exemplars.SpanId",
    "Exemplars.TraceId",
)
_RANGES: Final = ("Scale", "ZeroCount", "PositiveOffset", "PositiveBucketCounts", "NegativeOffset")
METRIC_TABLES: Final[dict[str, tuple[str, ...]]] = {
    "otel_metrics_gauge": (*_EXEMPLAR_COLUMNS, "Value"),
    "otel_metrics_sum": (*_EXEMPLAR_COLUMNS, "Value", "AggregationTemporality", "IsMonotonic"),
    "otel_metrics_histogram": (
        *_EXEMPLAR_COLUMNS,
        *("Count", "Sum", "BucketCounts", "ExplicitBounds", "Min", "Max", "AggregationTemporality"),
    ),
    "otel_metrics_exponential_histogram": (
        *_EXEMPLAR_COLUMNS,
        *("Count", "Sum", *_RANGES, "NegativeBucketCounts", "Min", "Max", "AggregationTemporality"),
    ),
    "otel_metrics_summary": ("Count", "Sum", "ValueAtQuantiles.Quantile", "ValueAtQuantiles.Value"),
}
"""The columns of each, beside those that all have (SHARED_COLUMNS)."""

Exemplars = tuple[list[dict[str, str]], list[int], list[float], list[str], list[str]]
"""Attributes, times, values, span ids, trace ids: parallel lists."""


class MetricColumns:
    """Columns of one of the tables, that grow row by row."""

    __slots__ = ("_names", "_rows", "table")

    def __init__(self, table: str) -> None:
        self.table = table
        self._names = (*SHARED_COLUMNS, *METRIC_TABLES[table])
        self._rows: list[tuple[object, ...]] = []

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, shared: tuple[object, ...], own: tuple[object, ...]) -> None:
        """One row: what SHARED_COLUMNS name, then what METRIC_TABLES does."""
        self._rows.append(shared + own)

    @property
    def columns(self) -> ColumnLists:
        """By name; all lists have the same length."""
        return {
            name: list(column)
            for name, column in zip(self._names, zip(*self._rows, strict=True), strict=True)
        }


@dataclass(slots=True)
class _Series:
    """The measurements of one batch that belong together."""

    metric: MetricData
    attributes: dict[str, Attribute]
    ref: FunctionRef
    start_ns: int = _LATEST_NS
    time_ns: int = 0
    values: list[int | float] = field(default_factory=list)
    points: list[MetricPoint] = field(default_factory=list)  # that have a span

    def add(self, point: MetricPoint) -> None:
        self.start_ns = min(self.start_ns, _time(point.start_ns or point.time_ns))
        self.time_ns = max(self.time_ns, _time(point.time_ns))
        self.values += point.values
        if point.trace_id and point.values:
            self.points.append(point)


def metric_tables(found: Iterable[tuple[MetricData, FunctionRef]]) -> list[MetricColumns]:
    """The tables that these measurements are rows of. What is of an unknown kind is left out."""
    series: dict[object, _Series] = {}
    for metric, ref in found:
        if metric.kind in METRIC_KINDS:
            for point in metric.points:
                _place(series, metric, point, ref)
    tables: dict[str, MetricColumns] = {}
    for one in series.values():
        made = _row(one)
        if made is not None:
            table, own = made
            if table not in tables:
                tables[table] = MetricColumns(table)
            tables[table].add(_shared(one), own)
    return list(tables.values())


def _place(series: dict[object, _Series], metric: MetricData, point: MetricPoint, ref: FunctionRef) -> None:
    key = (
        ref,
        metric.name,
        metric.kind,
        metric.unit,
        metric.scope,
        metric.scope_version,
        metric.exponential,
        tuple(metric.bounds) if metric.bounds is not None else None,
        tuple((name, type(value), str(value)) for name, value in sorted(point.attributes.items())),
    )
    found = series.get(key)
    if found is None:
        found = series[key] = _Series(metric, point.attributes, ref)
    found.add(point)


def _shared(one: _Series) -> tuple[object, ...]:
    metric, ref = one.metric, one.ref
    types: dict[str, str] = {}
    attributes = split_types(one.attributes, types)
    return (
        ref.resource, "", metric.scope, metric.scope_version, {}, "", ref.name,
        metric.name, metric.description, metric.unit, attributes, one.start_ns, one.time_ns, 0,
        ref.invocation_id, types,
    )  # fmt: skip


def _row(one: _Series) -> tuple[str, tuple[object, ...]] | None:
    """Its table and what only that has; None if nothing can be said of it."""
    kind = one.metric.kind
    if kind == "histogram":
        return _histogram(one)
    if kind == "gauge":
        known = [value for value in one.values if value == value]
        points = [point for point in one.points if point.values[-1] == point.values[-1]]
        return ("otel_metrics_gauge", (*_exemplars(points[-1:]), float(known[-1]))) if known else None
    values = [value for value in one.values if isfinite(value)]
    if not values:
        return None
    cumulative = kind in ("total", "level")
    value = float(values[-1]) if cumulative else _total(values)
    own = (value, CUMULATIVE if cumulative else DELTA, kind in ("counter", "total"))
    return "otel_metrics_sum", (*_exemplars(_finite(one.points)[-1:]), *own)


def _histogram(one: _Series) -> tuple[str, tuple[object, ...]] | None:
    values = [float(value) for value in one.values if isfinite(value)]
    if not values:
        return None
    sides = (min(values), max(values), DELTA)
    exemplars = _exemplars(_spread(_finite(one.points)))
    if one.metric.exponential:
        return "otel_metrics_exponential_histogram", (
            *exemplars, len(values), _total(values), *exponential(values), *sides,
        )  # fmt: skip
    bounds = _bounds(one.metric.bounds)
    counts = bucket_counts(values, bounds)
    return "otel_metrics_histogram", (*exemplars, len(values), _total(values), counts, list(bounds), *sides)


def _bounds(given: list[float] | None) -> tuple[float, ...]:
    """They come from the user's process: what makes no buckets is not taken."""
    if given is None or len(given) > _BOUNDS or not all(isfinite(bound) for bound in given):
        return DEFAULT_BOUNDS
    return tuple(given) if all(low < high for low, high in pairwise(given)) else DEFAULT_BOUNDS


def _total(values: Sequence[int | float]) -> float:
    """Of finite numbers; one that is too large for a number is the largest there is, not infinite."""
    return min(max(float(sum(values)), -float_info.max), float_info.max)


def _finite(points: Iterable[MetricPoint]) -> list[MetricPoint]:
    """The worker sends no others, but whatever writes to its channel may."""
    return [point for point in points if isfinite(point.values[-1])]


def _spread(points: list[MetricPoint]) -> list[MetricPoint]:
    """The smallest, the largest, and some between: who looks for why wants both ends."""
    ordered = sorted(points, key=lambda point: point.values[-1])
    if len(ordered) <= _EXEMPLARS:
        return ordered
    step = (len(ordered) - 1) / (_EXEMPLARS - 1)
    return [ordered[round(place * step)] for place in range(_EXEMPLARS)]


def _exemplars(points: list[MetricPoint]) -> Exemplars:
    nothing: Any = [{} for _ in points]
    return (
        nothing,
        [_time(point.time_ns) for point in points],
        [float(point.values[-1]) for point in points],
        [point.span_id for point in points],
        [point.trace_id for point in points],
    )


def _time(at_ns: int) -> int:
    return min(max(at_ns, 0), _LATEST_NS)
