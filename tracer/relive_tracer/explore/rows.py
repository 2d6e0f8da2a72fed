"""Spans and log lines of the workers as columns of otel_traces and otel_logs.

Everything here runs once per span on the collector's thread, so columns are filled directly.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final

import msgspec
from relive_base.attributes import Attribute, type_code, value_text
from relive_base.resource import (
    host_name,
    parse_resource_attributes,
    relive_version,
    resource_attributes,
    sdk_version,
)
from relive_base.wire.messages import LogLine, SpanData

__all__ = [
    "INTEGER_NAMES",
    "LOG_COLUMNS",
    "SCOPE",
    "SEVERITY_NUMBERS",
    "SPAN_COLUMNS",
    "ColumnLists",
    "FunctionRef",
    "SpanColumns",
    "event_lists",
    "link_lists",
    "log_columns",
    "resource_json",
    "resource_of",
    "span_columns",
    "split_types",
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
    "AttributeTypes",
    "TraceFlags",
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
    "EventName",
    "AttributeTypes",
)

SEVERITY_NUMBERS: Final = {"TRACE": 1, "DEBUG": 5, "INFO": 9, "WARN": 13, "ERROR": 17, "FATAL": 21}
"""The lowest number of each range of OpenTelemetry's log data model."""

INTEGER_NAMES: Final = frozenset(
    {
        "code.line.number",
        "faas.max_memory",
        "http.response.status_code",
        "messaging.batch.message_count",
        "network.peer.port",
        "relive.attempt",
        "relive.websocket.close_code",
        "relive.websocket.messages_received",
        "relive.websocket.messages_sent",
        "relive.websocket.received_bytes",
        "relive.websocket.sent_bytes",
        "rpc.grpc.status_code",
        "server.port",
    }
)
"""Integers by the semantic conventions, in the platform's spans. Elsewhere `AttributeTypes` says it."""

SCOPE: Final = "relive"
_RESOURCES_KEPT: Final = 4_096
_NONE: Final[list[object]] = []  # shared by all spans without events or links; nobody changes it
_EMPTY: Final[dict[str, str]] = {}


class FunctionRef(msgspec.Struct, frozen=True, gc=False):
    """Whose span or line it is."""

    name: str
    version: int
    app: str = ""
    code_hash: str = ""
    invocation_id: str = ""
    attempt: int = 1
    instance: str = ""  # the worker's id
    given: str = ""  # OTEL_RESOURCE_ATTRIBUTES of the server
    own: str = ""  # the same of the function
    sampled: bool = True  # the flag of its trace

    @property
    def is_platform(self) -> bool:
        """Whether nobody's function is meant, but Relive itself."""
        return self.name == SCOPE and not self.version

    @property
    def resource(self) -> dict[str, str]:
        """Its resource attributes."""
        if self.is_platform:
            return platform_resource(self.instance, self.given)
        return resource_of(
            self.name, self.version, self.app, self.code_hash, self.instance, self.given, self.own
        )


@lru_cache(maxsize=_RESOURCES_KEPT)
def resource_of(
    name: str, version: int, app: str, code_hash: str, instance: str = "", given: str = "", own: str = ""
) -> dict[str, str]:
    """The resource attributes of a worker: one shared dict each, not to be changed."""
    return resource_attributes(
        name, version, app, code_hash, instance, given, own,
        sdk_version=sdk_version(), distro_version=relive_version(),
    )  # fmt: skip


@lru_cache(maxsize=_RESOURCES_KEPT)
def platform_resource(instance: str, given: str = "") -> dict[str, str]:
    """Of what Relive tells of itself."""
    own = {"service.name": SCOPE, "service.version": relive_version(), "service.instance.id": instance}
    found = {"host.name": host_name(), **parse_resource_attributes(given), **own}
    return {name: value for name, value in found.items() if value}


@lru_cache(maxsize=_RESOURCES_KEPT)
def resource_json(
    name: str, version: int, app: str, code_hash: str, instance: str = "", given: str = "", own: str = ""
) -> str:
    """`resource_of` as JSON."""
    found = resource_of(name, version, app, code_hash, instance, given, own)
    return json.dumps(found, ensure_ascii=False)


def split_types(
    attributes: Mapping[str, Attribute], types: dict[str, str], prefix: str = ""
) -> dict[str, str]:
    """The values as text; what is not text is noted in `types`, under `prefix` and its name."""
    texts: dict[str, str] = {}
    for name, value in attributes.items():
        if type(value) is str:
            texts[name] = value
            if name in INTEGER_NAMES:
                types[prefix + name] = "s"
        else:
            texts[name] = value_text(value)
            types[prefix + name] = type_code(value)
    return texts


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
        scope: str = SCOPE,
        scope_version: str | None = None,
        events: tuple[list[object], list[object], list[object]] | None = None,
        links: tuple[list[object], list[object], list[object], list[object]] | None = None,
        types: dict[str, str] = _EMPTY,
        *,
        sampled: bool,
    ) -> None:
        """One span. `ids`: trace, span and parent span id, trace state. `events`, `links`: parallel lists.

        `scope_version`: None is this version of Relive. `types`: as `split_types` notes them.
        `sampled`: what was decided of its trace, which is recorded in any case."""
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
        a[10](relive_version() if scope_version is None else scope_version)
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
        a[22](types)
        a[23](int(sampled))

    def add_span(self, span: SpanData, ref: FunctionRef) -> None:
        """A span of the user's own. Adds the invocation's id to its attributes."""
        types: dict[str, str] = {}
        attributes = split_types(span.attributes, types)
        if ref.invocation_id:
            attributes["faas.invocation_id"] = ref.invocation_id
            if ref.attempt != 1:
                attributes["relive.attempt"] = str(ref.attempt)
                types.pop("relive.attempt", None)
        self.add(
            span.start_ns,
            span.end_ns,
            (span.trace_id, span.span_id, span.parent_span_id, span.trace_state),
            span.name,
            span.kind,
            ref.name,
            ref.resource,
            attributes,
            span.status,
            span.status_message,
            span.scope,
            span.scope_version or (None if span.scope == SCOPE else ""),
            event_lists(span, types),
            link_lists(span, types),
            types or _EMPTY,
            sampled=ref.sampled,
        )


def event_lists(
    span: SpanData, types: dict[str, str]
) -> tuple[list[object], list[object], list[object]] | None:
    """Times, names and attributes of a span's events."""
    if not span.events:
        return None
    return (
        [event.timestamp_ns for event in span.events],
        [event.name for event in span.events],
        [split_types(event.attributes, types, f"event/{i}/") for i, event in enumerate(span.events)],
    )


def link_lists(
    span: SpanData, types: dict[str, str]
) -> tuple[list[object], list[object], list[object], list[object]] | None:
    """Trace ids, span ids, states and attributes of a span's links."""
    if not span.links:
        return None
    return (
        [link.trace_id for link in span.links],
        [link.span_id for link in span.links],
        [link.trace_state for link in span.links],
        [split_types(link.attributes, types, f"link/{i}/") for i, link in enumerate(span.links)],
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
    types: list[dict[str, str]] = [{} for _ in pairs]
    constant_text: list[object] = [""] * count
    return {
        "Timestamp": [line.timestamp_ns for line, _ in pairs],
        "TraceId": [line.trace_id for line, _ in pairs],
        "SpanId": [line.span_id for line, _ in pairs],
        "TraceFlags": [1 if line.trace_id and ref.sampled else 0 for line, ref in pairs],
        "SeverityText": [line.severity for line, _ in pairs],
        "SeverityNumber": [
            line.severity_number or SEVERITY_NUMBERS.get(line.severity, 0) for line, _ in pairs
        ],
        "ServiceName": [ref.name for _, ref in pairs],
        "Body": [line.body for line, _ in pairs],
        "ResourceSchemaUrl": constant_text,
        "ResourceAttributes": [ref.resource for _, ref in pairs],
        "ScopeSchemaUrl": constant_text,
        "ScopeName": [str(line.attributes.get("logger.name", "")) for line, _ in pairs],
        "ScopeVersion": constant_text,
        "ScopeAttributes": [_EMPTY] * count,
        "LogAttributes": [
            _log_attributes(line, ref, noted) for (line, ref), noted in zip(pairs, types, strict=True)
        ],
        "EventName": [line.event_name for line, _ in pairs],
        "AttributeTypes": list(types),
    }


def _log_attributes(line: LogLine, ref: FunctionRef, types: dict[str, str]) -> dict[str, str]:
    attributes = {"relive.source": line.source}
    if line.attributes:
        attributes.update(split_types(line.attributes, types))
    if ref.invocation_id:
        attributes["faas.invocation_id"] = ref.invocation_id
        if ref.attempt != 1:
            attributes["relive.attempt"] = str(ref.attempt)
    return attributes
