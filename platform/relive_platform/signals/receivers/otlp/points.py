"""Data points of OTLP's metrics as rows of the otel_metrics_* tables.

A gauge may be NaN or infinite, as in OpenTelemetry and Prometheus: it says how something is. What is added up
may not: one such row would be the sum of all, so it is refused. An extreme or an exemplar that is none is
left out of its point."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import isfinite
from typing import Any, Final

from relive_tracer.explore.metric_rows import MetricColumns

from relive_platform.signals.receivers.otlp.limits import OtlpLimits
from relive_platform.signals.receivers.otlp.values import Texts, hex_id, time_in

__all__ = ["PointRows"]

_TABLES: Final = {
    "gauge": "otel_metrics_gauge",
    "sum": "otel_metrics_sum",
    "histogram": "otel_metrics_histogram",
    "exponential_histogram": "otel_metrics_exponential_histogram",
    "summary": "otel_metrics_summary",
}
_NO_VALUE: Final = 1
_MANY: Final = "with more buckets than a histogram may have"
_NO_SUM: Final = "with a sum that is NaN or infinite"
_NO_FIT: Final = "whose bucket counts do not fit their bounds: there must be one more of them"
_NO_ORDER: Final = "whose bounds are not finite numbers that increase"
_Own = tuple[object, ...]


class PointRows:
    """Rows by table, of one request."""

    def __init__(self, texts: Texts, limits: OtlpLimits) -> None:
        self.tables: dict[str, MetricColumns] = {}
        self._texts = texts
        self._limits = limits
        self._own: dict[str, Callable[[Any, Any], _Own | str]] = {
            "gauge": lambda data, point: (*self._exemplars(point), _value(point)),
            "sum": self._sum,
            "histogram": self._histogram,
            "exponential_histogram": self._exponential,
            "summary": self._summary,
        }

    def points(self, metric: Any) -> tuple[str, Sequence[Any]]:
        """Of a metric of any kind, and the table that they belong to."""
        kind = metric.WhichOneof("data")
        return (_TABLES[kind], getattr(metric, kind).data_points) if kind in _TABLES else ("", ())

    def add(
        self,
        metric: Any,
        point: Any,
        service: str,
        resource: dict[str, str],
        scope: tuple[str, str, dict[str, str]],
        urls: tuple[str, str],
    ) -> str:
        """Add one; why it cannot be, or ""."""
        kind = metric.WhichOneof("data")
        own = self._own[kind](getattr(metric, kind), point)
        if isinstance(own, str):
            return own
        texts = self._texts
        types: dict[str, str] = {}
        attributes = texts.attributes(point.attributes, types)
        shared = (
            resource, urls[0], scope[0], scope[1], scope[2], urls[1], service,
            texts.name(metric.name), texts.name(metric.description), texts.name(metric.unit), attributes,
            time_in(point.start_time_unix_nano), point.time_unix_nano, point.flags,
            attributes.get("faas.invocation_id", ""), types,
        )  # fmt: skip
        table = _TABLES[kind]
        if table not in self.tables:
            self.tables[table] = MetricColumns(table)
        self.tables[table].add(shared, own)
        return ""

    def _exemplars(self, point: Any) -> _Own:
        found = [one for one in point.exemplars if one.HasField("as_int") or _is_number(one)]
        found = found[: self._limits.exemplars]
        texts = self._texts
        return (
            [texts.attributes(one.filtered_attributes, {}) for one in found],
            [time_in(one.time_unix_nano) for one in found],
            [_value(one) for one in found],
            [hex_id(one.span_id, 8) for one in found],
            [hex_id(one.trace_id, 16) for one in found],
        )

    def _sum(self, data: Any, point: Any) -> _Own | str:
        value = _value(point)
        if not isfinite(value):
            return _NO_SUM
        return *self._exemplars(point), value, data.aggregation_temporality, data.is_monotonic

    def _histogram(self, data: Any, point: Any) -> _Own | str:
        counts, bounds = list(point.bucket_counts), list(point.explicit_bounds)
        if len(counts) > self._limits.buckets or len(bounds) > self._limits.buckets:
            return _MANY
        if len(counts) != len(bounds) + 1 and (counts or bounds):  # without buckets there is the sum alone
            return _NO_FIT
        if not all(low < high for low, high in pairwise((float("-inf"), *bounds, float("inf")))):
            return _NO_ORDER
        if not isfinite(point.sum):
            return _NO_SUM
        return (
            *self._exemplars(point), point.count, point.sum, counts, bounds, *_extremes(point),
            data.aggregation_temporality,
        )  # fmt: skip

    def _exponential(self, data: Any, point: Any) -> _Own | str:
        positive, negative = list(point.positive.bucket_counts), list(point.negative.bucket_counts)
        if len(positive) > self._limits.buckets or len(negative) > self._limits.buckets:
            return _MANY
        if not isfinite(point.sum):
            return _NO_SUM
        return (
            *self._exemplars(point), point.count, point.sum, point.scale, point.zero_count,
            point.positive.offset, positive, point.negative.offset, negative, *_extremes(point),
            data.aggregation_temporality,
        )  # fmt: skip

    def _summary(self, data: Any, point: Any) -> _Own | str:
        """A quantile of nothing is NaN: so it is kept."""
        pairs = [(one.quantile, one.value) for one in point.quantile_values]
        if len(pairs) > self._limits.buckets:
            return _MANY
        if not isfinite(point.sum):
            return _NO_SUM
        return point.count, point.sum, [quantile for quantile, _ in pairs], [value for _, value in pairs]


def _value(point: Any) -> float:
    if point.flags & _NO_VALUE if hasattr(point, "flags") else False:
        return 0.0
    return float(point.as_int if point.HasField("as_int") else point.as_double)


def _is_number(exemplar: Any) -> bool:
    return exemplar.HasField("as_double") and isfinite(exemplar.as_double)


def _extremes(point: Any) -> tuple[float, float]:
    """Least and most; 0 if they are not told, as the Collector's exporter has them, or are no numbers."""
    return tuple(value if isfinite(value) else 0.0 for value in (point.min, point.max))  # type: ignore[return-value]
