"""The platform's own spans, derived from the timestamps of an invocation's record.

    trigger            Server, Consumer or Internal, by what started the invocation
     +- queue          the wait for a worker, if it was 1 ms or more; for a queued event, since its commit
     +- init           the cold start, if this invocation had one
     +- invoke         the handler; the user's own spans are below it

The ids of the queue and init spans follow from the invoke span's id: deriving them twice gives the same rows.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from relive_base.attributes import Attribute
from relive_base.records import InvocationRecord
from relive_base.resource import relive_version
from relive_base.wire.messages import SpanData, SpanLink

from relive_tracer.explore.http_attributes import http_attributes, http_name
from relive_tracer.explore.rows import (
    INTEGER_NAMES,
    SCOPE,
    SPAN_COLUMNS,
    ColumnLists,
    SpanColumns,
    event_lists,
    link_lists,
    resource_of,
    split_types,
)

__all__ = [
    "add_platform_spans",
    "add_spans_of",
    "derives_spans",
    "platform_columns",
    "platform_spans",
    "producer_span",
    "record_resource",
    "server_span",
]

_QUEUE_BITS: Final = 0x5155455545000001
_INIT_BITS: Final = 0x494E495400000002
_FAAS_TRIGGERS: Final = {
    "alarm": "pubsub",
    "bucket": "datasource",
    "bus": "pubsub",
    "cloudevents": "pubsub",
    "failure": "pubsub",
    "http": "http",
    "kafka": "pubsub",
    "logs": "pubsub",
    "nats": "pubsub",
    "postgres": "datasource",
    "queue": "pubsub",
    "redis": "pubsub",
    "timer": "timer",
    "webhook": "http",
}
_MESSAGING: Final = "messaging."
_QUALIFIER: Final = "relive.qualifier"
_SERVED: Final = ("http", "grpc")
_TIMER_ATTRIBUTES: Final = ("faas.cron", "faas.time")
_KINDS: Final = {
    "alarm": "Consumer",
    "api": "Server",
    "bucket": "Consumer",
    "bus": "Consumer",
    "call": "Server",
    "cloudevents": "Consumer",
    "failure": "Consumer",
    "grpc": "Server",
    "http": "Server",
    "kafka": "Consumer",
    "logs": "Consumer",
    "nats": "Consumer",
    "postgres": "Consumer",
    "queue": "Consumer",
    "redis": "Consumer",
    "webhook": "Consumer",
}
_MESSAGE_CHARS: Final = 2_000
_SERVER_ERROR: Final = 500
_BAD_EVENT: Final = "bad_event"
_RPC_FAILED: Final = "RpcFailed"  # a status alone; the convention names it
_SHORT_WAIT_NS: Final = 1_000_000
"""A worker was free: such a wait is told by the record, and is not worth a span of its own."""

Links = tuple[list[object], list[object], list[object], list[object]]


def platform_spans(record: InvocationRecord) -> ColumnLists:
    """Columns of otel_traces with the platform's spans of one invocation."""
    return platform_columns((record,))


def platform_columns(records: Iterable[InvocationRecord], given: str = "") -> ColumnLists:
    """Columns of otel_traces with the platform's spans of `records`."""
    result = SpanColumns()
    add_spans_of(result, records, given)
    return result.columns


def record_resource(record: InvocationRecord, given: str = "") -> dict[str, str]:
    """The resource of a record's spans; `given`: OTEL_RESOURCE_ATTRIBUTES of the server."""
    r = record
    return resource_of(r.function, r.version, r.app, r.code_hash, r.instance, given, r.resource)


def add_spans_of(out: SpanColumns, records: Iterable[InvocationRecord], given: str = "") -> None:
    """The spans of many records. Most are plain: theirs are made column by column, in a third of the time.

    `given`: OTEL_RESOURCE_ATTRIBUTES of the server."""
    plain: list[InvocationRecord] = []
    for record in records:
        if _is_plain(record):
            plain.append(record)
        else:
            add_platform_spans(out, record, given)
    if plain:
        out.extend(_plain_columns(plain, given))


def derives_spans(record: InvocationRecord) -> bool:
    """Whether the store makes this record's spans by itself, of its row in `invocations`.

    The view `invocation_spans_mv` does (migration 0004), for less than half of what rows from here cost.
    """
    return bool(
        record.trigger == "http"
        and _is_plain(record)
        and record.sampled
        and not record.trace_state
        and record.http_method
        and record.http_path
    )


def _is_plain(r: InvocationRecord) -> bool:
    """Whether it has a trigger and an invoke span, and nothing that others have not."""
    return (
        r.status == "ok"
        and (r.trigger == "grpc" or (r.trigger == "http" and not r.attributes))
        and r.attempt == 1
        and not r.enqueued_ns
        and not r.link_span_id
        and r.span is None
        and r.http_status < _SERVER_ERROR
        and not r.init_ended_ns
        and r.started_ns > 0
        and r.dispatched_ns - r.accepted_ns < _SHORT_WAIT_NS
    )


def _plain_columns(records: list[InvocationRecord], given: str) -> ColumnLists:
    """The trigger spans of all, then the invoke spans of all."""
    count = len(records)
    begins = [r.accepted_ns for r in records], [r.started_ns for r in records]
    ends = [r.responded_ns or r.ended_ns for r in records], [r.ended_ns or r.responded_ns for r in records]
    resources = [record_resource(r, given) for r in records]
    triggers = [_served(r, {"faas.invocation_id": r.invocation_id}) for r in records]
    starts = begins[0] + begins[1]
    constants: dict[str, object] = {
        "ScopeName": SCOPE,
        "ScopeVersion": relive_version(),
        "StatusMessage": "",
        "StatusCode": "Unset",
        "AttributeTypes": {},
    }
    constants.update((name, []) for name in SPAN_COLUMNS if name.startswith(("Events.", "Links.")))
    columns: dict[str, Any] = {name: [value] * (2 * count) for name, value in constants.items()}
    columns |= {
        "Timestamp": starts,
        "TraceId": [r.trace_id for r in records] * 2,
        "SpanId": [r.trigger_span_id for r in records] + [r.span_id for r in records],
        "ParentSpanId": [r.parent_span_id for r in records] + [r.trigger_span_id for r in records],
        "TraceState": [r.trace_state for r in records] * 2,
        "TraceFlags": [int(r.sampled) for r in records] * 2,
        "SpanName": [name for name, _ in triggers] + [r.function for r in records],
        "SpanKind": ["Server"] * count + ["Internal"] * count,
        "ServiceName": [r.function for r in records] * 2,
        "ResourceAttributes": resources * 2,
        "SpanAttributes": [
            *(attributes for _, attributes in triggers),
            *(_invoke_attributes(r, {"faas.invocation_id": r.invocation_id}) for r in records),
        ],
        "Duration": [
            end - start if end > start else 0 for start, end in zip(starts, ends[0] + ends[1], strict=True)
        ],
    }
    return columns


def add_platform_spans(out: SpanColumns, record: InvocationRecord, given: str = "") -> None:
    """Two to four spans: trigger, queue, init, invoke; those that did not happen are left out."""
    name = record.function
    resource = record_resource(record, given)
    trace_id = record.trace_id
    shared = {"faas.invocation_id": record.invocation_id}
    if record.attempt != 1 or record.event_id:
        shared["relive.attempt"] = str(record.attempt)
    if _QUALIFIER in record.attributes:  # the version or alias that was asked for
        shared[_QUALIFIER] = record.attributes[_QUALIFIER]
    _add_trigger(out, record, resource, shared)
    queue_ns = record.queue_ns
    if queue_ns >= _SHORT_WAIT_NS or record.enqueued_ns:
        start = _waits_since(record)
        # A queued event waited before its consumer's span began: that wait belongs to the producer.
        queued_here = record.enqueued_ns and record.link_trace_id == trace_id and record.link_span_id
        parent = record.link_span_id if queued_here else record.trigger_span_id
        ids = (trace_id, _derived(record.span_id, _QUEUE_BITS), parent, record.trace_state)
        out.add(
            start, start + queue_ns, ids, "queue", "Internal", name, resource, shared, sampled=record.sampled
        )
    if record.init_ended_ns > record.init_started_ns:
        ids = (trace_id, _derived(record.span_id, _INIT_BITS), record.trigger_span_id, record.trace_state)
        failed = record.status == "init_error"
        out.add(
            record.init_started_ns,
            record.init_ended_ns,
            ids,
            "init",
            "Internal",
            name,
            resource,
            shared,
            "Error" if failed else "Unset",
            _message(record) if failed else "",
            sampled=record.sampled,
        )
    if record.started_ns or (record.dispatched_ns and record.status not in ("init_error", "rejected")):
        _add_invoke(out, record, resource, shared)


def _waits_since(record: InvocationRecord) -> int:
    """Since when it waited. What was tried before waited since it was due again, not while it ran."""
    return record.ready_ns or record.enqueued_ns or record.accepted_ns


def _derived(span_id: str, bits: int) -> str:
    try:
        return f"{int(span_id, 16) ^ bits:016x}"
    except ValueError:
        return f"{bits:016x}"


def _message(record: InvocationRecord) -> str:
    error = record.error
    return f"{error.type}: {error.message}"[:_MESSAGE_CHARS] if error is not None else record.status


def _add_trigger(
    out: SpanColumns, record: InvocationRecord, resource: dict[str, str], shared: dict[str, str]
) -> None:
    trigger = record.trigger
    failed = _trigger_failed(record)
    links: Links | None = None
    parent = record.parent_span_id
    if trigger in _SERVED:
        name, attributes = _served(record, shared)
    elif trigger == "queue" or record.link_span_id:
        name, attributes = f"process {record.function}", _messaging(record, shared)
    else:
        name, attributes = _plain(record, shared)
    if record.link_span_id or record.links:
        links = _links(record)
        if not parent and record.link_trace_id == record.trace_id:
            parent = record.link_span_id
    if failed or record.status == "rejected":
        ended_with = attributes.get("rpc.response.status_code", "")
        error_type = _error_type(record)
        attributes = {**attributes, "error.type": ended_with if error_type == _RPC_FAILED else error_type}
    # A timer's span begins when it fired: nobody else's does, and the wait lies below it.
    begin = _waits_since(record) if trigger == "timer" else record.accepted_ns
    out.add(
        begin,
        _trigger_end(record),
        (record.trace_id, record.trigger_span_id, parent, record.trace_state),
        name,
        _KINDS.get(trigger, "Internal"),
        record.function,
        resource,
        attributes,
        "Error" if failed else "Unset",
        _message(record) if failed and (record.failed or record.error is not None) else "",
        links=links,
        sampled=record.sampled,
    )


def _links(record: InvocationRecord) -> Links:
    """To its producer's span, and to the span that each record of a batch was sent in."""
    own = [SpanLink(record.link_trace_id, record.link_span_id)] if record.link_span_id else []
    links = [*own, *record.links]
    return (
        [link.trace_id for link in links],
        [link.span_id for link in links],
        [link.trace_state for link in links],
        [{name: str(value) for name, value in link.attributes.items()} for link in links],
    )


def _trigger_end(record: InvocationRecord) -> int:
    return record.responded_ns or record.ended_ns or record.dispatched_ns or record.accepted_ns


def _trigger_failed(record: InvocationRecord) -> bool:
    """Of HTTP the status says it: a 4xx is the client's error, and leaves the server's span as it is. What
    fails in the middle of its answer has sent a good status before."""
    if record.trigger == "http" and record.http_status and not record.event_id:
        error = record.error
        its_client = error is not None and error.kind == _BAD_EVENT
        return record.http_status >= _SERVER_ERROR or (record.failed and not its_client)
    return record.failed


def server_span(record: InvocationRecord) -> SpanData:
    """The trigger's span alone, of a request that was answered before its event ran."""
    texts = http_attributes(record, {})
    failed = record.http_status >= _SERVER_ERROR
    if failed:
        texts["error.type"] = _error_type(record)
    attributes: dict[str, Attribute] = {
        name: int(value) if name in INTEGER_NAMES else value for name, value in texts.items()
    }
    return SpanData(
        trace_id=record.trace_id,
        span_id=record.trigger_span_id,
        parent_span_id=record.parent_span_id,
        name=http_name(record),
        kind="Server",
        start_ns=record.accepted_ns,
        end_ns=_trigger_end(record),
        status="Error" if failed else "Unset",
        status_message=_message(record) if failed else "",
        attributes=attributes,
        scope=SCOPE,
        trace_state=record.trace_state,
    )


def _messaging(record: InvocationRecord, shared: dict[str, str]) -> dict[str, str]:
    return {
        **shared,
        "faas.trigger": _FAAS_TRIGGERS.get(record.trigger, "other"),
        "messaging.system": "relive",
        "messaging.operation.type": "process",
        "messaging.operation.name": "process",
        "messaging.destination.name": record.function,
        "messaging.message.id": record.event_id,
        **{name: value for name, value in record.attributes.items() if name.startswith(_MESSAGING)},
    }


def _served(record: InvocationRecord, shared: dict[str, str]) -> tuple[str, dict[str, str]]:
    """A request over HTTP, or a call of gRPC: its record has what there is to say."""
    if record.trigger == "http":
        return http_name(record), http_attributes(record, shared)
    attributes = {**shared, "faas.trigger": "other", **record.attributes}
    if record.user_agent:
        attributes["user_agent.original"] = record.user_agent
    service, method = attributes.get("rpc.service", ""), attributes.get("rpc.method", "")
    return f"{service}/{method}", attributes


def _plain(record: InvocationRecord, shared: dict[str, str]) -> tuple[str, dict[str, str]]:
    verb = {"timer": "timer", "call": "call"}.get(record.trigger, "invoke")
    attributes = {**shared, "faas.trigger": _FAAS_TRIGGERS.get(record.trigger, "other")}
    attributes.update((name, value) for name, value in record.attributes.items() if name in _TIMER_ATTRIBUTES)
    if record.caller_invocation_id:
        attributes["relive.caller_invocation_id"] = record.caller_invocation_id
    if record.event_id:
        attributes["relive.event_id"] = record.event_id
    return f"{verb} {record.function}", attributes


def _error_type(record: InvocationRecord) -> str:
    if record.error is not None:
        return record.error.type
    return record.status if record.status != "ok" else str(record.http_status)


def _add_invoke(
    out: SpanColumns, record: InvocationRecord, resource: dict[str, str], shared: dict[str, str]
) -> None:
    start = record.started_ns or record.init_ended_ns or record.dispatched_ns
    end = record.ended_ns or record.responded_ns or start
    attributes = _invoke_attributes(record, shared)
    own = record.span
    types: dict[str, str] = {}
    events: tuple[list[object], list[object], list[object]] | None = None
    links: Links | None = None
    if own is not None:
        given = split_types(own.attributes, types)
        for name in attributes.keys() & types.keys():
            del types[name]  # ours stays
        attributes = {**given, **attributes}
        events, links = event_lists(own, types), link_lists(own, types)
    status, message = (own.status, own.status_message) if own is not None else ("Unset", "")
    if record.failed:
        status, message = "Error", _message(record)
        events = _with_failure(events, _failure(record, attributes, end))
        for name in ("error.type", "code.file.path", "code.line.number", "code.function.name"):
            types.pop(name, None)
    out.add(
        start,
        end,
        (record.trace_id, record.span_id, record.trigger_span_id, record.trace_state),
        (own.name if own is not None else "") or record.function,
        "Internal",
        record.function,
        resource,
        attributes,
        status,
        message,
        events=events,
        links=links,
        types=types,
        sampled=record.sampled,
    )


def _with_failure(
    events: tuple[list[object], list[object], list[object]] | None,
    failure: tuple[list[object], list[object], list[object]] | None,
) -> tuple[list[object], list[object], list[object]] | None:
    if events is None or failure is None:
        return events or failure
    return events[0] + failure[0], events[1] + failure[1], events[2] + failure[2]


def _invoke_attributes(record: InvocationRecord, shared: dict[str, str]) -> dict[str, str]:
    attributes = {
        **shared,
        "faas.name": record.function,
        "faas.version": str(record.version),
        "faas.coldstart": "true" if record.cold else "false",
        "faas.trigger": _FAAS_TRIGGERS.get(record.trigger, "other"),
        "relive.status": record.status,
    }
    if record.memory_limit_bytes:
        attributes["faas.max_memory"] = str(record.memory_limit_bytes)
    return attributes


def _failure(
    record: InvocationRecord, attributes: dict[str, str], end_ns: int
) -> tuple[list[object], list[object], list[object]] | None:
    """Adds what failed, and where, to `attributes`; gives the exception event."""
    attributes["error.type"] = _error_type(record)
    error = record.error
    if error is None:
        return None
    if error.file:
        attributes["code.file.path"] = error.file
        attributes["code.line.number"] = str(error.line)
        module = f"{error.module}." if error.module else ""
        attributes["code.function.name"] = f"{module}{error.function}"
    details = {"exception.type": error.type, "exception.message": error.message}
    if error.traceback:
        details["exception.stacktrace"] = error.traceback
    return [end_ns], ["exception"], [details]


def producer_span(
    *,
    function: str,
    trace_id: str,
    span_id: str,
    parent_span_id: str = "",
    trace_state: str = "",
    start_ns: int,
    end_ns: int,
    event_id: str,
    links: list[SpanLink] | None = None,
    error: str = "",
) -> SpanData:
    """The span of accepting an event for `function` into the queue; its consumer's span links to it."""
    return SpanData(
        trace_id=trace_id,
        span_id=span_id,
        parent_span_id=parent_span_id,
        name=f"publish {function}",
        kind="Producer",
        start_ns=start_ns,
        end_ns=max(end_ns, start_ns),
        status="Error" if error else "Unset",
        status_message=error[:_MESSAGE_CHARS],
        attributes={
            "messaging.system": "relive",
            "messaging.operation.type": "send",
            "messaging.operation.name": "publish",
            "messaging.destination.name": function,
            "messaging.message.id": event_id,
        },
        links=links or [],
        scope=SCOPE,
        trace_state=trace_state,
    )
