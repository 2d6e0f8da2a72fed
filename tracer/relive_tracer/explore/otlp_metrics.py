"""Rows of the otel_metrics_* tables as OTLP messages, grouped by resource, scope and metric."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from relive_tracer.explore.otlp_messages import fill_attributes, hex_bytes, resource_key

__all__ = ["metric_row_dicts", "metrics_request"]

_KINDS: Final = {
    "Scale": "exponential_histogram",
    "BucketCounts": "histogram",
    "IsMonotonic": "sum",
    "ValueAtQuantiles.Value": "summary",
}
"""A column that only this kind has; a gauge has none of them."""

Row = dict[str, Any]


def metric_row_dicts(columns: Mapping[str, Sequence[object]]) -> list[Row]:
    """Columns of one of the tables, row by row; all of a table are of one kind."""
    kind = next((kind for column, kind in _KINDS.items() if column in columns), "gauge")
    names = (*columns, "kind")
    count = len(next(iter(columns.values()), ()))
    rows = zip(*columns.values(), [kind] * count, strict=True)
    return [dict(zip(names, row, strict=True)) for row in rows]


def metrics_request(rows: Iterable[Row]) -> ExportMetricsServiceRequest:
    """`rows` as `metric_row_dicts` gives them."""
    request = ExportMetricsServiceRequest()
    resources: dict[object, Any] = {}
    scopes: dict[object, Any] = {}
    metrics: dict[object, Any] = {}
    for row in rows:
        resource = resource_key(row["ServiceName"], row["ResourceAttributes"])
        scope = (resource, row["ScopeName"], row["ScopeVersion"])
        names = (scope, row["MetricName"], row["MetricUnit"], row["kind"], row.get("IsMonotonic"))
        key = (*names, row.get("AggregationTemporality"))
        metric = metrics.get(key)
        if metric is None:
            if scope not in scopes:
                if resource not in resources:
                    resources[resource] = request.resource_metrics.add()
                    fill_attributes(resources[resource].resource.attributes, dict(resource), {})
                scopes[scope] = resources[resource].scope_metrics.add()
                scopes[scope].scope.name, scopes[scope].scope.version = scope[1], scope[2]
            metric = metrics[key] = _metric(scopes[scope].metrics.add(), row)
        _FILLS[row["kind"]](metric.data_points.add(), row)
    return request


def _metric(metric: Any, row: Row) -> Any:
    """Names a metric; gives what has its points."""
    metric.name, metric.unit, metric.description = (
        row["MetricName"],
        row["MetricUnit"],
        row["MetricDescription"],
    )
    data = getattr(metric, row["kind"])
    if row["kind"] in ("sum", "histogram", "exponential_histogram"):
        data.aggregation_temporality = row["AggregationTemporality"]
    if row["kind"] == "sum":
        data.is_monotonic = row["IsMonotonic"]
    data.SetInParent()
    return data


def _number(point: Any, row: Row) -> None:
    _shared(point, row)
    point.as_double = row["Value"]
    _exemplars(point, row)


def _distribution(point: Any, row: Row) -> None:
    _shared(point, row)
    point.count, point.sum, point.min, point.max = row["Count"], row["Sum"], row["Min"], row["Max"]
    _exemplars(point, row)


def _histogram(point: Any, row: Row) -> None:
    _distribution(point, row)
    point.bucket_counts.extend(row["BucketCounts"])
    point.explicit_bounds.extend(row["ExplicitBounds"])


def _exponential(point: Any, row: Row) -> None:
    _distribution(point, row)
    point.scale, point.zero_count = row["Scale"], row["ZeroCount"]
    point.positive.offset, point.negative.offset = row["PositiveOffset"], row["NegativeOffset"]
    point.positive.bucket_counts.extend(row["PositiveBucketCounts"])
    point.negative.bucket_counts.extend(row["NegativeBucketCounts"])


def _summary(point: Any, row: Row) -> None:
    _shared(point, row)
    point.count, point.sum = row["Count"], row["Sum"]
    pairs = zip(row["ValueAtQuantiles.Quantile"], row["ValueAtQuantiles.Value"], strict=True)
    for quantile, value in pairs:
        point.quantile_values.add(quantile=quantile, value=value)


_FILLS: Final = {
    "gauge": _number,
    "sum": _number,
    "histogram": _histogram,
    "exponential_histogram": _exponential,
    "summary": _summary,
}


def _shared(point: Any, row: Row) -> None:
    point.start_time_unix_nano, point.time_unix_nano = row["StartTimeUnix"], row["TimeUnix"]
    point.flags = row["Flags"]
    fill_attributes(point.attributes, row["Attributes"], row["AttributeTypes"])


def _exemplars(point: Any, row: Row) -> None:
    parts = ("FilteredAttributes", "TimeUnix", "Value", "SpanId", "TraceId")
    for attributes, at_ns, value, span_id, trace_id in zip(
        *(row[f"Exemplars.{part}"] for part in parts), strict=True
    ):
        exemplar = point.exemplars.add(time_unix_nano=at_ns, as_double=value)
        exemplar.span_id, exemplar.trace_id = hex_bytes(span_id), hex_bytes(trace_id)
        fill_attributes(exemplar.filtered_attributes, attributes, {})
