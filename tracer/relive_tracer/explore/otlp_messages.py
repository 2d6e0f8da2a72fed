"""Rows as OTLP messages, grouped by resource and scope."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status
from relive_base.attributes import Attribute, typed_value

from relive_tracer.explore.models import LogRow, SpanRow
from relive_tracer.explore.rows import INTEGER_NAMES, LOG_COLUMNS, SEVERITY_NUMBERS, SPAN_COLUMNS

__all__ = [
    "column_tuples",
    "fill_attributes",
    "hex_bytes",
    "log_tuples",
    "logs_request",
    "resource_key",
    "span_tuples",
    "traces_request",
]

_SAMPLED: Final = 0x001
_REMOTE_KNOWN: Final = 0x100
_REMOTE: Final = 0x200
_KINDS: Final = {"Internal": 1, "Server": 2, "Client": 3, "Producer": 4, "Consumer": 5}
_STATUSES: Final = {"Unset": Status.STATUS_CODE_UNSET, "Ok": Status.STATUS_CODE_OK}

Row = tuple[Any, ...]


def span_tuples(rows: Iterable[SpanRow]) -> list[Row]:
    """Spans as tuples in the order of SPAN_COLUMNS."""
    return [
        (
            r.start_ns, r.trace_id, r.span_id, r.parent_span_id, r.trace_state, r.name, r.kind, r.service,
            r.resource, r.scope, r.scope_version, r.attributes, r.duration_ns, r.status, r.status_message,
            [e.timestamp_ns for e in r.events], [e.name for e in r.events], [e.attributes for e in r.events],
            [k.trace_id for k in r.links], [k.span_id for k in r.links], [k.trace_state for k in r.links],
            [k.attributes for k in r.links], r.types, r.flags,
        )
        for r in rows
    ]  # fmt: skip


def log_tuples(rows: Iterable[LogRow]) -> list[Row]:
    """Lines as tuples in the order of LOG_COLUMNS."""
    return [
        (
            r.timestamp_ns, r.trace_id, r.span_id, r.flags if r.trace_id else 0, r.severity,
            r.severity_number or SEVERITY_NUMBERS.get(r.severity, 0), r.function, r.body, "",
            r.resource, "", r.attributes.get("logger.name", ""), "", {}, r.attributes, r.event_name, r.types,
        )
        for r in rows
    ]  # fmt: skip


def traces_request(rows: Iterable[Row]) -> ExportTraceServiceRequest:
    """`rows` are tuples in the order of SPAN_COLUMNS."""
    request = ExportTraceServiceRequest()
    scopes: dict[tuple[object, ...], ScopeSpans] = {}
    resources: dict[tuple[object, ...], ResourceSpans] = {}
    for row in rows:
        resource = resource_key(row[7], row[8])
        scope_key = (resource, row[9], row[10])
        scope = scopes.get(scope_key)
        if scope is None:
            group = resources.get(resource)
            if group is None:
                group = resources[resource] = request.resource_spans.add()
                fill_attributes(group.resource.attributes, dict(resource), {})
            scope = scopes[scope_key] = group.scope_spans.add()
            scope.scope.name, scope.scope.version = row[9], row[10]
        _fill_span(scope.spans.add(), row)
    return request


def logs_request(rows: Iterable[Row]) -> ExportLogsServiceRequest:
    """`rows` are tuples in the order of LOG_COLUMNS."""
    request = ExportLogsServiceRequest()
    scopes: dict[tuple[object, ...], ScopeLogs] = {}
    resources: dict[tuple[object, ...], ResourceLogs] = {}
    for row in rows:
        resource = resource_key(row[6], row[9])
        scope_key = (resource, row[11], row[12])
        scope = scopes.get(scope_key)
        if scope is None:
            group = resources.get(resource)
            if group is None:
                group = resources[resource] = request.resource_logs.add()
                fill_attributes(group.resource.attributes, dict(resource), {})
            scope = scopes[scope_key] = group.scope_logs.add()
            scope.scope.name, scope.scope.version = row[11], row[12]
        _fill_record(scope.log_records.add(), row)
    return request


def resource_key(service: str, resource: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """The attributes of a resource, by which rows are grouped."""
    if "service.name" in resource:
        return tuple(resource.items())
    return ("service.name", service), *resource.items()


def _fill_span(span: Span, row: Row) -> None:
    start_ns, trace_id, span_id, parent, trace_state, name, kind = row[:7]
    span.trace_id = hex_bytes(trace_id)
    span.span_id = hex_bytes(span_id)
    if parent:
        span.parent_span_id = hex_bytes(parent)
    if trace_state:
        span.trace_state = trace_state
    span.flags = row[23] | _remote(parent, kind)
    span.name = name
    span.kind = _KINDS.get(kind, 1)  # type: ignore[assignment]
    span.start_time_unix_nano = start_ns
    span.end_time_unix_nano = start_ns + row[12]
    types = row[22]
    fill_attributes(span.attributes, row[11], types)
    span.status.code = _STATUSES.get(row[13], Status.STATUS_CODE_ERROR)
    if row[14]:
        span.status.message = row[14]
    for index, (at, event_name, attributes) in enumerate(zip(row[15], row[16], row[17], strict=False)):
        event = span.events.add()
        event.time_unix_nano, event.name = at, event_name
        fill_attributes(event.attributes, attributes, types, f"event/{index}/")
    for index, (linked_trace, linked_span, state, attributes) in enumerate(
        zip(row[18], row[19], row[20], row[21], strict=False)
    ):
        link = span.links.add()
        link.trace_id, link.span_id, link.trace_state = hex_bytes(linked_trace), hex_bytes(linked_span), state
        # A consumer's link is to what published its event; of others' spans we know no better.
        link.flags = row[23] | _remote(linked_span, kind) if kind == "Consumer" else _SAMPLED
        fill_attributes(link.attributes, attributes, types, f"link/{index}/")


def _remote(parent: str, kind: str) -> int:
    """Of SpanFlags of OTLP: whether the parent is in another process, if there is one."""
    return _REMOTE_KNOWN | (_REMOTE if parent and kind in ("Server", "Consumer") else 0)


def _fill_record(record: LogRecord, row: Row) -> None:
    record.time_unix_nano = record.observed_time_unix_nano = row[0]
    if row[1]:
        record.trace_id = hex_bytes(row[1])
    if row[2]:
        record.span_id = hex_bytes(row[2])
    record.flags = row[3]
    record.severity_text = row[4]
    record.severity_number = row[5]
    record.body.string_value = row[7]
    if row[15]:
        record.event_name = row[15]
    fill_attributes(record.attributes, row[14], row[16])


def hex_bytes(text: str) -> bytes:
    """An id; nothing of what is none."""
    try:
        return bytes.fromhex(text)
    except ValueError:
        return b""


def fill_attributes(
    target: Any, attributes: Mapping[str, str], types: Mapping[str, str], prefix: str = ""
) -> None:
    """Add attributes to a message, each of its type."""
    target.extend(
        [
            KeyValue(key=key, value=_value(key, value, types.get(prefix + key, "") if types else ""))
            for key, value in attributes.items()
        ]
    )


def _value(key: str, text: str, code: str) -> AnyValue:
    if code:
        return _any_value(typed_value(text, code))
    # The platform's own attributes, whose types the semantic conventions give.
    if key in INTEGER_NAMES and text.isdecimal() and len(text) < 19:
        return AnyValue(int_value=int(text))
    if key == "faas.coldstart":
        return AnyValue(bool_value=text == "true")
    return AnyValue(string_value=text)


def _any_value(value: Attribute) -> AnyValue:
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    if isinstance(value, float):
        return AnyValue(double_value=value)
    if isinstance(value, str):
        return AnyValue(string_value=value)
    return AnyValue(array_value=ArrayValue(values=[_any_value(item) for item in value]))


def column_tuples(signal: str, columns: Mapping[str, Sequence[object]]) -> list[Row]:
    """Columns of otel_traces or otel_logs as tuples."""
    names = SPAN_COLUMNS if signal == "traces" else LOG_COLUMNS
    return list(zip(*(columns[name] for name in names), strict=True))
