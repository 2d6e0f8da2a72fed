"""Invocation records as columns of the invocations table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Any, Final

from msgspec.structs import astuple
from relive_base.records import InvocationRecord
from relive_base.wire.messages import ErrorInfo

from relive_tracer.explore.http_attributes import FACTS, client_json
from relive_tracer.explore.rows import resource_json

__all__ = ["invocation_columns"]

_Columns = dict[str, Sequence[Any]]

_PLAIN: Final = (
    ("InvocationId", "invocation_id"),
    ("Attempt", "attempt"),
    ("Function", "function"),
    ("Version", "version"),
    ("App", "app"),
    ("CodeHash", "code_hash"),
    ("Trigger", "trigger"),
    ("Status", "status"),
    ("StartedAt", "accepted_ns"),
    ("EnqueuedAt", "enqueued_ns"),
    ("DispatchedAt", "dispatched_ns"),
    ("HandlerStartedAt", "started_ns"),
    ("HandlerEndedAt", "ended_ns"),
    ("RespondedAt", "responded_ns"),
    ("CpuNs", "cpu_ns"),
    ("PeakRssBytes", "peak_rss_bytes"),
    ("MemoryLimitBytes", "memory_limit_bytes"),
    ("TimeoutNs", "timeout_ns"),
    ("TraceId", "trace_id"),
    ("SpanId", "span_id"),
    ("ParentSpanId", "parent_span_id"),
    ("TriggerSpanId", "trigger_span_id"),
    ("EventId", "event_id"),
    ("CallerInvocationId", "caller_invocation_id"),
    ("HttpMethod", "http_method"),
    ("HttpRoute", "http_route"),
    ("HttpPath", "http_path"),
    ("HttpStatus", "http_status"),
    ("WorkerPid", "worker_pid"),
    ("WorkerId", "worker_id"),
    ("IsolationTier", "isolation_tier"),
    ("Spans", "spans"),
    ("Logs", "logs"),
    ("Dropped", "dropped"),
    ("EventBytes", "event_bytes"),
    ("ResultBytes", "result_bytes"),
    ("Attributes", "attributes"),
    ("HttpQuery", "http_query"),
    ("PeerPort", "peer_port"),
)
_FIELDS: Final = InvocationRecord.__struct_fields__
_FLAGS: Final = (("Cold", "cold"), ("Pooled", "pooled"), ("HasScene", "has_scene"))
_NO_ERROR: Final = ErrorInfo(type="", message="", kind="")
_ERROR: Final = (
    ("ErrorType", "type"),
    ("ErrorMessage", "message"),
    ("ErrorKind", "kind"),
    ("ErrorFile", "file"),
    ("ErrorLine", "line"),
    ("ErrorFunction", "function"),
    ("Fingerprint", "fingerprint"),
)


def invocation_columns(
    records: Sequence[InvocationRecord],
    record_version: int = 0,
    derived: Sequence[bool] = (),
    given: str = "",
) -> _Columns:
    """Columns of `invocations`. Of two rows for one attempt the higher `record_version` stays.

    By default the version is the latest time on the record: a later, fuller record replaces an earlier one.
    `derived` says for each whether the store makes its spans (`platform_rows.derives_spans`); none: of none.
    `given`: OTEL_RESOURCE_ATTRIBUTES of the server.
    """
    count = len(records)
    rows = zip(*map(astuple, records), strict=True) if records else [()] * len(_FIELDS)
    cells: _Columns = dict(zip(_FIELDS, rows, strict=True))
    columns: _Columns = {column: cells[name] for column, name in _PLAIN}
    for column, name in _FLAGS:
        columns[column] = list(map(int, cells[name]))
    # Texts that many rows share: the store keeps each once, and makes spans' attributes of them.
    columns["Resource"] = _resources(records, given)
    columns["HttpClient"] = _clients(cells)
    columns["DerivesSpans"] = list(map(int, derived)) if derived else [0] * count
    _add_times(columns, cells)
    _add_errors(columns, cells["error"])
    times = (cells[name] for name in ("responded_ns", "ended_ns", "dispatched_ns", "accepted_ns"))
    columns["RecordVersion"] = [record_version] * count if record_version else list(map(max, *times))
    return columns


def _resources(records: Sequence[InvocationRecord], given: str) -> list[object]:
    """As JSON; of one worker all are the same, and asking for it by its id alone is a third of the time."""
    of: dict[str, str] = {}
    found: list[object] = []
    for r in records:
        text = of.get(r.instance)
        if text is None:
            text = resource_json(r.function, r.version, r.app, r.code_hash, r.instance, given, r.resource)
            if r.instance:
                of[r.instance] = text
        found.append(text)
    return found


def _clients(cells: Mapping[str, Sequence[Any]]) -> list[str]:
    """Of each request; most come with few different facts."""
    found = list(zip(*(cells[name] for name in FACTS), strict=True))
    texts = {facts: client_json(*facts) for facts in set(found)}
    return [texts[facts] if method else "" for facts, method in zip(found, cells["http_method"], strict=True)]


def _add_errors(columns: _Columns, errors: Sequence[ErrorInfo | None]) -> None:
    if any(errors):
        found = [error or _NO_ERROR for error in errors]
        columns |= {column: list(map(attrgetter(name), found)) for column, name in _ERROR}
    else:
        columns |= {column: [getattr(_NO_ERROR, name)] * len(errors) for column, name in _ERROR}


def _add_times(columns: _Columns, cells: Mapping[str, Sequence[int]]) -> None:
    """As the record's own properties, which cost a call each."""
    accepted = cells["accepted_ns"]
    queued = [
        ready or enqueued or begin
        for ready, enqueued, begin in zip(cells["ready_ns"], cells["enqueued_ns"], accepted, strict=True)
    ]
    taken = [init or end for init, end in zip(cells["init_started_ns"], cells["dispatched_ns"], strict=True)]
    columns["TotalNs"] = _between(accepted, cells["responded_ns"])
    columns["DurationNs"] = _between(cells["started_ns"], cells["ended_ns"])
    columns["InitNs"] = _between(cells["init_started_ns"], cells["init_ended_ns"])
    columns["QueueNs"] = _between(queued, taken)


def _between(begins: Sequence[int], ends: Sequence[int]) -> list[object]:
    return [end - begin if end > begin > 0 else 0 for begin, end in zip(begins, ends, strict=True)]
