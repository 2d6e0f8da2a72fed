"""Invocation records as columns of the invocations table."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import Final

from relive_base.frames import ErrorInfo
from relive_base.records import InvocationRecord

from relive_tracer.explore.rows import ColumnLists

__all__ = ["invocation_columns"]

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
)
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


def invocation_columns(records: Sequence[InvocationRecord], record_version: int = 0) -> ColumnLists:
    """Columns of `invocations`. Of two rows for one attempt the higher `record_version` stays.

    By default the version is the latest time on the record: a later, fuller record replaces an earlier one.
    """
    columns: ColumnLists = {column: list(map(attrgetter(name), records)) for column, name in _PLAIN}
    for column, name in _FLAGS:
        columns[column] = [1 if getattr(r, name) else 0 for r in records]
    _add_times(columns, records)
    errors = [r.error or _NO_ERROR for r in records]
    for column, name in _ERROR:
        columns[column] = list(map(attrgetter(name), errors))
    columns["RecordVersion"] = [
        record_version or max(r.responded_ns, r.ended_ns, r.dispatched_ns, r.accepted_ns) for r in records
    ]
    return columns


def _add_times(columns: ColumnLists, records: Sequence[InvocationRecord]) -> None:
    """As the record's own properties, which cost a call each."""
    columns["TotalNs"] = [
        r.responded_ns - r.accepted_ns if r.responded_ns > r.accepted_ns else 0 for r in records
    ]
    columns["DurationNs"] = [
        r.ended_ns - r.started_ns if r.ended_ns > r.started_ns > 0 else 0 for r in records
    ]
    columns["InitNs"] = [
        r.init_ended_ns - r.init_started_ns if r.init_ended_ns > r.init_started_ns else 0 for r in records
    ]
    waits = [(r.enqueued_ns or r.accepted_ns, r.init_started_ns or r.dispatched_ns) for r in records]
    columns["QueueNs"] = [end - begin if end > begin > 0 else 0 for begin, end in waits]
