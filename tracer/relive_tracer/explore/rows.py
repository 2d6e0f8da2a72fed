"""Spans and log lines of the workers as columns of otel_traces and otel_logs.

Everything here runs once per span on the collector's thread, so columns are filled directly.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from relive_base.frames import LogLine, SpanData

__all__ = [
    "LOG_COLUMNS",
    "SEVERITY_NUMBERS",
    "SPAN_COLUMNS",
    "ColumnLists",
    "FunctionRef",
    "SpanColumns",
    "log_columns",
    "resource_of",
    "span_columns",
]

ColumnLists = dict[str, list[object]]
"""Column name to values; all lists have the same length."""

SPAN_COLUMNS: Final = (
    "Timestamp",
    "TraceId",
    "SpanId",
    "ParentSpanId",
    "TraceState",
    "SpanName",
    "SpanKind",
    "ServiceName",
    "ResourceAttributes",
    "ScopeName",
    "ScopeVersion",
    "SpanAttributes",
    "Duration",
    "StatusCode",
    "StatusMessage",
    "Events.Timestamp",
    "Events.Name",
    "Events.Attributes",
    "Links.TraceId",
    "Links.SpanId",
    "Links.TraceState",
    "Links.Attributes",
)

LOG_COLUMNS: Final = (
    "Timestamp",
    "TraceId",
    "SpanId",
    "TraceFlags",
    "SeverityText",
    "SeverityNumber",
    "ServiceName",
    "Body",
    "ResourceSchemaUrl",
    "ResourceAttributes",
    "ScopeSchemaUrl",
    "ScopeName",
    "ScopeVersion",
    "ScopeAttributes",
    "LogAttributes",
)

SEVERITY_NUMBERS: Final = {"TRACE": 1, "DEBUG": 5, "INFO": 9, "WARN": 13, "ERROR": 17, "FATAL": 21}
"""The lowest number of each range of OpenTelemetry's log data model."""

_SCOPE: Final = "relive"
_RESOURCES_KEPT: Final = 4_096
_NONE: Final[list[object]] = []  # shared by all spans without events or links; nobody changes it
_EMPTY: Final[dict[str, str]] = {}


@dataclass(frozen=True, slots=True)
class FunctionRef:
    """Whose span or line it is."""

    name: str
    version: int
    app: str = ""
    code_hash: str = ""
    invocation_id: str = ""
    attempt: int = 1


@lru_cache(maxsize=_RESOURCES_KEPT)
def resource_of(name: str, version: int, app: str, code_hash: str) -> dict[str, str]:
    """The resource attributes of a function version: one shared dict each, not to be changed."""
    resource = {
        "service.name": name,
        "service.version": str(version),
        "faas.name": name,
        "faas.version": str(version),
    }
    if app:
        resource["service.namespace"] = app
    if code_hash:
        resource["relive.code_hash"] = code_hash
    return resource


class SpanColumns:
    """Columns of otel_traces that grow span by span."""

    __slots__ = ("_appends", "columns")

    def __init__(self) -> None:
        self.columns: ColumnLists = {name: [] for name in SPAN_COLUMNS}
        self._appends = tuple(column.append for column in self.columns.values())

    def __len__(self) -> int:
        return len(self.columns["SpanId"])

    def extend(self, columns: ColumnLists) -> None:
        """Many spans at once: all columns."""
        for name, column in self.columns.items():
            column.extend(columns[name])

    def add(
        self,
        start_ns: int,
        end_ns: int,
        ids: tuple[str, str, str, str],
        name: str,
        kind: str,
        service: str,
        resource: dict[str, str],
        attributes: dict[str, str],
        status: str = "Unset",
        status_message: str = "",
        scope: str = _SCOPE,
        scope_version: str = "",
        events: tuple[list[object], list[object], list[object]] | None = None,
        links: tuple[list[object], list[object], list[object], list[object]] | None = None,
    ) -> None:
        """One span. `ids`: trace, span and parent span id, trace state. `events`, `links`: parallel lists."""
        a = self._appends
        a[0](start_ns)
        a[1](ids[0])
        a[2](ids[1])
        a[3](ids[2])
        a[4](ids[3])
        a[5](name)
        a[6](kind)
        a[7](service)
        a[8](resource)
        a[9](scope)
        a[10](scope_version)
        a[11](attributes)
        a[12](end_ns - start_ns if end_ns > start_ns else 0)
        a[13](status)
        a[14](status_message)
        times, names, event_attributes = events or (_NONE, _NONE, _NONE)
        a[15](times)
        a[16](names)
        a[17](event_attributes)
        traces, spans, states, link_attributes = links or (_NONE, _NONE, _NONE, _NONE)
        a[18](traces)
        a[19](spans)
        a[20](states)
        a[21](link_attributes)

    def add_span(self, span: SpanData, ref: FunctionRef) -> None:
        """A span of the user's own. Adds the invocation's id to its attributes."""
        attributes = span.attributes
        if ref.invocation_id:
            attributes = {**attributes, "faas.invocation_id": ref.invocation_id}
            if ref.attempt != 1:
                attributes["relive.attempt"] = str(ref.attempt)
        events = links = None
        if span.events:
            events = (
                [e.timestamp_ns for e in span.events],
                [e.name for e in span.events],
                [e.attributes for e in span.events],
            )
        if span.links:
            links = (
                [k.trace_id for k in span.links],
                [k.span_id for k in span.links],
                [k.trace_state for k in span.links],
                [k.attributes for k in span.links],
            )
        self.add(
            span.start_ns,
            span.end_ns,
            (span.trace_id, span.span_id, span.parent_span_id, span.trace_state),
            span.name,
            span.kind,
            ref.name,
            resource_of(ref.name, ref.version, ref.app, ref.code_hash),
            attributes,
            span.status,
            span.status_message,
            span.scope,
            span.scope_version,
            events,  # type: ignore[arg-type]
            links,  # type: ignore[arg-type]
        )


def span_columns(spans: Iterable[tuple[SpanData, FunctionRef]]) -> ColumnLists:
    """Columns of otel_traces for the users' own spans."""
    result = SpanColumns()
    for span, ref in spans:
        result.add_span(span, ref)
    return result.columns


def log_columns(lines: Iterable[tuple[LogLine, FunctionRef]]) -> ColumnLists:
    """Columns of otel_logs. The line's source becomes the attribute `log.iostream` or the scope's name."""
    pairs = list(lines)
    count = len(pairs)
    constant_text: list[object] = [""] * count
    return {
        "Timestamp": [line.timestamp_ns for line, _ in pairs],
        "TraceId": [line.trace_id for line, _ in pairs],
        "SpanId": [line.span_id for line, _ in pairs],
        "TraceFlags": [1 if line.trace_id else 0 for line, _ in pairs],
        "SeverityText": [line.severity for line, _ in pairs],
        "SeverityNumber": [SEVERITY_NUMBERS.get(line.severity, 0) for line, _ in pairs],
        "ServiceName": [ref.name for _, ref in pairs],
        "Body": [line.body for line, _ in pairs],
        "ResourceSchemaUrl": constant_text,
        "ResourceAttributes": [
            resource_of(ref.name, ref.version, ref.app, ref.code_hash) for _, ref in pairs
        ],
        "ScopeSchemaUrl": constant_text,
        "ScopeName": [line.attributes.get("logger.name", "") for line, _ in pairs],
        "ScopeVersion": constant_text,
        "ScopeAttributes": [_EMPTY] * count,
        "LogAttributes": [_log_attributes(line, ref) for line, ref in pairs],
    }


def _log_attributes(line: LogLine, ref: FunctionRef) -> dict[str, str]:
    attributes = {"relive.source": line.source}
    if line.attributes:
        attributes.update(line.attributes)
    if ref.invocation_id:
        attributes["faas.invocation_id"] = ref.invocation_id
        if ref.attempt != 1:
            attributes["relive.attempt"] = str(ref.attempt)
    return attributes
