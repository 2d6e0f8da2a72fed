"""The platform's own spans, derived from the timestamps of an invocation's record.

    trigger            Server, Consumer or Internal, by what started the invocation
     +- queue          the wait for a worker, where it was 1 ms or more; for a queued event, since its commit
     +- init           the cold start, where this invocation had one
     +- invoke         the handler; the user's own spans are below it

The ids of the queue and init spans follow from the invoke span's id: deriving them twice gives the same rows.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from relive_base.frames import SpanData, SpanLink
from relive_base.records import InvocationRecord

from relive_tracer.explore.rows import SPAN_COLUMNS, ColumnLists, SpanColumns, resource_of

__all__ = [
    "add_platform_spans",
    "add_spans_of",
    "derives_spans",
    "platform_columns",
    "platform_spans",
    "producer_span",
]

_QUEUE_BITS: Final = 0x5155455545000001
_INIT_BITS: Final = 0x494E495400000002
_FAAS_TRIGGERS: Final = {"http": "http", "queue": "pubsub", "timer": "timer"}
_KINDS: Final = {"http": "Server", "api": "Server", "call": "Server", "queue": "Consumer"}
_MESSAGE_CHARS: Final = 2_000
_SHORT_WAIT_NS: Final = 1_000_000
"""A worker was free: such a wait is told by the record, and is not worth a span of its own."""

Links = tuple[list[object], list[object], list[object], list[object]]


def platform_spans(record: InvocationRecord) -> ColumnLists:
    """Columns of otel_traces with the platform's spans of one invocation."""
    return platform_columns((record,))


def platform_columns(records: Iterable[InvocationRecord]) -> ColumnLists:
    """Columns of otel_traces with the platform's spans of `records`."""
    result = SpanColumns()
    add_spans_of(result, records)
    return result.columns


def add_spans_of(out: SpanColumns, records: Iterable[InvocationRecord]) -> None:
    """The spans of many records. Most are plain: theirs are made column by column, in a third of the time."""
    plain: list[InvocationRecord] = []
    for record in records:
        if _is_plain(record):
            plain.append(record)
        else:
            add_platform_spans(out, record)
    if plain:
        out.extend(_plain_columns(plain))


def derives_spans(record: InvocationRecord) -> bool:
    """Whether the store makes this record's spans by itself, of its row in `invocations`.

    The view `invocation_spans_mv` does (migration 0004), for less than half of what rows from here cost.
    """
    return bool(_is_plain(record) and not record.trace_state and record.http_method and record.http_path)


def _is_plain(r: InvocationRecord) -> bool:
    """Whether it has a trigger and an invoke span, and nothing that others have not."""
    return (
        r.status == "ok"
        and r.trigger == "http"
        and r.attempt == 1
        and not r.enqueued_ns
        and not r.link_span_id
        and not r.attributes
        and not r.init_ended_ns
        and r.started_ns > 0
        and r.dispatched_ns - r.accepted_ns < _SHORT_WAIT_NS
    )


def _plain_columns(records: list[InvocationRecord]) -> ColumnLists:
    """The trigger spans of all, then the invoke spans of all."""
    count = len(records)
    begins = [r.accepted_ns for r in records], [r.started_ns for r in records]
    ends = [r.responded_ns or r.ended_ns for r in records], [r.ended_ns or r.responded_ns for r in records]
    resources = [resource_of(r.function, r.version, r.app, r.code_hash) for r in records]
    starts = begins[0] + begins[1]
    constants: dict[str, object] = {"ScopeName": "relive", "ScopeVersion": "", "StatusMessage": ""}
    constants.update((name, []) for name in SPAN_COLUMNS if name.startswith(("Events.", "Links.")))
    columns: dict[str, Any] = {name: [value] * (2 * count) for name, value in constants.items()}
    columns |= {
        "Timestamp": starts,
        "TraceId": [r.trace_id for r in records] * 2,
        "SpanId": [r.trigger_span_id for r in records] + [r.span_id for r in records],
        "ParentSpanId": [r.parent_span_id for r in records] + [r.trigger_span_id for r in records],
        "TraceState": [r.trace_state for r in records] * 2,
        "SpanName": [_http_name(r) for r in records] + [r.function for r in records],
        "SpanKind": ["Server"] * count + ["Internal"] * count,
        "ServiceName": [r.function for r in records] * 2,
        "ResourceAttributes": resources * 2,
        "SpanAttributes": [
            *(_http_attributes(r, {"faas.invocation_id": r.invocation_id}) for r in records),
            *(_invoke_attributes(r, {"faas.invocation_id": r.invocation_id}) for r in records),
        ],
        "Duration": [
            end - start if end > start else 0 for start, end in zip(starts, ends[0] + ends[1], strict=True)
        ],
        "StatusCode": ["Unset"] * count + ["Ok"] * count,
    }
    return columns


def add_platform_spans(out: SpanColumns, record: InvocationRecord) -> None:
    """Two to four spans: trigger, queue, init, invoke; those that did not happen are left out."""
    name = record.function
    resource = resource_of(name, record.version, record.app, record.code_hash)
    trace_id = record.trace_id
    shared = {"faas.invocation_id": record.invocation_id}
    if record.attempt != 1:
        shared["relive.attempt"] = str(record.attempt)
    _add_trigger(out, record, resource, shared)
    queue_ns = record.queue_ns
    if queue_ns >= _SHORT_WAIT_NS or record.enqueued_ns:
        start = record.enqueued_ns or record.accepted_ns
        # A queued event waited before its consumer's span began: that wait belongs to the producer.
        queued_here = record.enqueued_ns and record.link_trace_id == trace_id and record.link_span_id
        parent = record.link_span_id if queued_here else record.trigger_span_id
        ids = (trace_id, _derived(record.span_id, _QUEUE_BITS), parent, record.trace_state)
        out.add(start, start + queue_ns, ids, "queue", "Internal", name, resource, shared)
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
        )
    if record.started_ns or (record.dispatched_ns and record.status not in ("init_error", "rejected")):
        _add_invoke(out, record, resource, shared)


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
    failed = record.failed or (record.status == "rejected" and record.http_status >= 500)
    links: Links | None = None
    parent = record.parent_span_id
    if trigger == "http":
        name, attributes = _http_name(record), _http_attributes(record, shared)
    elif trigger == "queue" or record.link_span_id:
        name, attributes = f"process {record.function}", _messaging(record, shared)
    else:
        name, attributes = _plain(record, shared)
    if record.link_span_id:
        links = ([record.link_trace_id], [record.link_span_id], [""], [{}])
        if not parent and record.link_trace_id == record.trace_id:
            parent = record.link_span_id
    if failed or record.status == "rejected":
        attributes = {**attributes, "error.type": _error_type(record)}
    out.add(
        record.accepted_ns,
        record.responded_ns or record.ended_ns or record.dispatched_ns or record.accepted_ns,
        (record.trace_id, record.trigger_span_id, parent, record.trace_state),
        name,
        _KINDS.get(trigger, "Internal"),
        record.function,
        resource,
        attributes,
        "Error" if failed else "Unset",
        _message(record) if failed else "",
        links=links,
    )


def _http_name(record: InvocationRecord) -> str:
    return f"{record.http_method} {record.http_route or record.function}"


def _http_attributes(record: InvocationRecord, shared: dict[str, str]) -> dict[str, str]:
    attributes = {**shared, "http.request.method": record.http_method, "url.path": record.http_path}
    if record.http_route:
        attributes["http.route"] = record.http_route
    if record.http_status:
        attributes["http.response.status_code"] = str(record.http_status)
    return attributes


def _messaging(record: InvocationRecord, shared: dict[str, str]) -> dict[str, str]:
    return {
        **shared,
        "messaging.system": "relive",
        "messaging.operation.type": "process",
        "messaging.operation.name": "process",
        "messaging.destination.name": record.function,
        "messaging.message.id": record.event_id,
    }


def _plain(record: InvocationRecord, shared: dict[str, str]) -> tuple[str, dict[str, str]]:
    verb = {"timer": "timer", "call": "call"}.get(record.trigger, "invoke")
    attributes = shared
    if record.caller_invocation_id:
        attributes = {**shared, "relive.caller_invocation_id": record.caller_invocation_id}
    if record.event_id:
        attributes = {**attributes, "relive.event_id": record.event_id}
    return f"{verb} {record.function}", attributes


def _error_type(record: InvocationRecord) -> str:
    return record.error.type if record.error is not None else record.status


def _add_invoke(
    out: SpanColumns, record: InvocationRecord, resource: dict[str, str], shared: dict[str, str]
) -> None:
    start = record.started_ns or record.init_ended_ns or record.dispatched_ns
    end = record.ended_ns or record.responded_ns or start
    attributes = _invoke_attributes(record, shared)
    if record.attributes:
        attributes = {**record.attributes, **attributes}
    events: tuple[list[object], list[object], list[object]] | None = None
    if record.failed:
        events = _failure(record, attributes, end)
    out.add(
        start,
        end,
        (record.trace_id, record.span_id, record.trigger_span_id, record.trace_state),
        record.function,
        "Internal",
        record.function,
        resource,
        attributes,
        "Error" if record.failed else "Ok",
        _message(record) if record.failed else "",
        events=events,
    )


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
        attributes["code.function.name"] = error.function
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
        scope="relive",
        trace_state=trace_state,
    )
