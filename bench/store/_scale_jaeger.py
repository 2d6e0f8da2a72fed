"""Jaeger's way to keep spans in ClickHouse (version 2): one table, sorted by trace, its attributes apart by type.

Its columns, order, partitions and indexes are those of Jaeger's own schema; the rows are taken from `otel_traces` of
the same engine, so that both have the same spans.
"""

# ruff: noqa: E501 - statements as they are sent; all parts are from here

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from relive_store import Store

__all__ = ["bytes_per_span", "copy_spans", "queries"]

_TYPES: Final = {"bool": "Bool", "double": "Float64", "int": "Int64", "str": "String", "complex": "String"}
_TIMEOUT_S: Final = 1_800.0


def _attributes(prefix: str = "") -> str:
    return ", ".join(
        f"{prefix}{kind}_attributes Nested(key String, value {type_})" for kind, type_ in _TYPES.items()
    )


_TABLE: Final = f"""
CREATE TABLE jaeger.spans
(
    id String, trace_id String, trace_state String, parent_span_id String, name String, kind String,
    start_time DateTime64(9), status_code String, status_message String, duration Int64, {_attributes()},
    events Nested(name String, timestamp DateTime64(9), {_attributes()}),
    links Nested(trace_id String, span_id String, trace_state String, {_attributes()}),
    service_name String, {_attributes("resource_")}, scope_name String, scope_version String, {_attributes("scope_")},
    INDEX by_service service_name TYPE set(500) GRANULARITY 1,
    INDEX by_name name TYPE set(1000) GRANULARITY 1,
    INDEX by_start start_time TYPE minmax GRANULARITY 1,
    INDEX by_duration duration TYPE minmax GRANULARITY 1,
    INDEX by_key str_attributes.key TYPE bloom_filter GRANULARITY 1,
    INDEX by_value str_attributes.value TYPE bloom_filter GRANULARITY 1,
    INDEX by_resource_key resource_str_attributes.key TYPE bloom_filter GRANULARITY 1,
    INDEX by_resource_value resource_str_attributes.value TYPE bloom_filter GRANULARITY 1
)
ENGINE = MergeTree PARTITION BY toDate(start_time) ORDER BY trace_id
"""
_COPY: Final = """
INSERT INTO jaeger.spans (id, trace_id, trace_state, parent_span_id, name, kind, start_time, status_code,
    status_message, duration, str_attributes.key, str_attributes.value, service_name, resource_str_attributes.key,
    resource_str_attributes.value, scope_name, scope_version)
SELECT SpanId, TraceId, TraceState, ParentSpanId, SpanName, SpanKind, Timestamp, StatusCode, StatusMessage, Duration,
    mapKeys(SpanAttributes), mapValues(SpanAttributes), ServiceName, mapKeys(ResourceAttributes),
    mapValues(ResourceAttributes), ScopeName, ScopeVersion
FROM otel_traces WHERE toDate(Timestamp) = toDate({day:String})
"""
_DAYS: Final = "SELECT DISTINCT toString(toDate(Timestamp)) AS day FROM otel_traces ORDER BY day"
_SIZE: Final = """
SELECT sum(bytes_on_disk) / sum(rows) FROM system.parts WHERE active AND database = 'jaeger' AND table = 'spans'
"""
_TRACE: Final = "SELECT * FROM jaeger.spans WHERE trace_id = {trace:String}"
_SEARCH: Final = """
SELECT DISTINCT trace_id FROM jaeger.spans
WHERE service_name = {service:String} AND start_time >= fromUnixTimestamp64Nano({since:Int64}) LIMIT 20
"""
_ATTRIBUTE: Final = """
SELECT DISTINCT trace_id FROM jaeger.spans
WHERE start_time >= fromUnixTimestamp64Nano({since:Int64})
    AND arrayExists((k, v) -> k = 'order.id' AND v = {order:String}, str_attributes.key, str_attributes.value)
LIMIT 20
"""


_COPIED: Final = """
SELECT (SELECT sum(total_rows) FROM system.tables WHERE database = 'jaeger' AND name = 'spans')
    = (SELECT count() FROM otel_traces)
"""


def copy_spans(store: Store) -> None:
    """All spans of `otel_traces`, a day at a time, unless they are there. Raises StoreError."""
    if store.query(_COPIED).scalar():
        return
    store.execute("CREATE DATABASE IF NOT EXISTS jaeger")
    store.execute("DROP TABLE IF EXISTS jaeger.spans SYNC", timeout_s=_TIMEOUT_S)
    store.execute(_TABLE)
    for (day,) in store.query(_DAYS).rows():
        store.execute(_COPY, {"day": str(day)}, timeout_s=_TIMEOUT_S)


def bytes_per_span(store: Store) -> float:
    """On the disk, with its indexes."""
    return float(str(store.query(_SIZE).scalar()))


def queries(store: Store, found: dict[str, str], since_ns: int) -> Iterator[tuple[str, Callable[[], Any]]]:
    """What it is asked for, as Jaeger's reader does."""
    yield "trace by id", lambda: store.query(_TRACE, {"trace": found["trace"]})
    yield (
        "traces of a service",
        lambda: store.query(_SEARCH, {"service": found["function"], "since": since_ns}),
    )
    yield "attribute search", lambda: store.query(_ATTRIBUTE, {"order": found["order"], "since": since_ns})
