"""AWS's embedded metric format: metrics in a log line, as Powertools and others print them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import isfinite
from typing import Any, Final

from relive_base.attributes import Attribute
from relive_base.wire.messages import LogLine, MetricData, MetricPoint

__all__ = ["embedded_metrics"]

_METRICS: Final = 100
_DIMENSIONS: Final = 30
_VALUES: Final = 100
"""The format's own limits, of one object."""
_CHARS: Final = 1_024
_INT_BITS: Final = 63  # the largest whole number of OTLP's metrics
_HOUR_NS: Final = 3_600 * 1_000_000_000
_UNITS: Final = {
    "Seconds": "s", "Milliseconds": "ms", "Microseconds": "us", "Bytes": "By", "Kilobytes": "kBy",
    "Megabytes": "MBy", "Gigabytes": "GBy", "Terabytes": "TBy", "Bits": "bit", "Percent": "%", "Count": "1",
    "Bytes/Second": "By/s", "Count/Second": "1/s", "None": "",
}  # fmt: skip


def embedded_metrics(fields: Mapping[str, Any], line: LogLine) -> list[MetricData]:
    """What the object of a line says of metrics: counts are counters, anything else is a histogram. The
    namespace is the scope; all dimensions are attributes, once for each metric."""
    about = fields.get("_aws")
    directives = about.get("CloudWatchMetrics") if isinstance(about, dict) else None
    if not isinstance(about, dict) or not isinstance(directives, list):
        return []
    at_ns = _time(about.get("Timestamp"), line.timestamp_ns)
    found: list[MetricData] = []
    for directive in directives:
        if isinstance(directive, dict):
            found += _of_directive(directive, fields, line, at_ns)
    return found[:_METRICS]


def _of_directive(
    directive: Mapping[str, Any], fields: Mapping[str, Any], line: LogLine, at_ns: int
) -> Iterator[MetricData]:
    namespace = directive.get("Namespace")
    attributes = _attributes(directive.get("Dimensions"), fields)
    for metric in _list(directive.get("Metrics")):
        name = metric.get("Name") if isinstance(metric, dict) else None
        values = _values(fields.get(name)) if isinstance(name, str) else []
        if not values:
            continue
        unit = metric.get("Unit")
        is_count = unit == "Count" and min(values) >= 0
        yield MetricData(
            name=str(name)[:_CHARS],
            kind="counter" if is_count else "histogram",
            unit=_UNITS.get(unit, unit)[:_CHARS] if isinstance(unit, str) else "",
            points=[MetricPoint(at_ns, values, dict(attributes), line.trace_id, line.span_id)],
            scope=namespace[:_CHARS] if isinstance(namespace, str) else "",
        )


def _attributes(sets: object, fields: Mapping[str, Any]) -> dict[str, Attribute]:
    names = dict.fromkeys(name for one in _list(sets) for name in _list(one) if isinstance(name, str))
    found: dict[str, Attribute] = {}
    for name in list(names)[:_DIMENSIONS]:
        value = fields.get(name)
        if isinstance(value, str) and value:
            found[name[:_CHARS]] = value[:_CHARS]
    return found


def _time(at_ms: object, written_ns: int) -> int:
    """As CloudWatch takes it: up to two weeks before, and two hours after; else when it was written."""
    if type(at_ms) is not int:
        return written_ns
    at_ns = at_ms * 1_000_000
    return at_ns if -14 * 24 * _HOUR_NS <= at_ns - written_ns <= 2 * _HOUR_NS else written_ns


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _values(value: object) -> list[int | float]:
    given: list[Any] = value if isinstance(value, list) else [value]
    return [one for one in given[:_VALUES] if _is_number(one)]


def _is_number(value: object) -> bool:
    """JSON has whole numbers of any length."""
    if type(value) is int:
        return value.bit_length() <= _INT_BITS
    return type(value) is float and isfinite(value)
