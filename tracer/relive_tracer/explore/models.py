"""What the queries give: one frozen row per span, log line, invocation and function. Times are ns."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["FunctionStats", "InvocationRow", "LogRow", "SpanEventRow", "SpanLinkRow", "SpanRow"]


@dataclass(frozen=True, slots=True)
class SpanEventRow:
    """An event on a span."""

    timestamp_ns: int
    name: str
    attributes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SpanLinkRow:
    """A link to another span."""

    trace_id: str
    span_id: str
    trace_state: str = ""
    attributes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanRow:
    """A span as it is stored."""

    trace_id: str
    span_id: str
    parent_span_id: str = ""
    name: str = ""
    kind: str = "Internal"
    service: str = ""
    start_ns: int = 0
    duration_ns: int = 0
    status: str = "Unset"
    status_message: str = ""
    trace_state: str = ""
    attributes: dict[str, str] = field(default_factory=dict)
    resource: dict[str, str] = field(default_factory=dict)
    events: tuple[SpanEventRow, ...] = ()
    links: tuple[SpanLinkRow, ...] = ()
    scope: str = ""
    scope_version: str = ""
    types: dict[str, str] = field(default_factory=dict)  # of the attributes that are not text
    flags: int = 1  # W3C: 1 if its trace was sampled; everything is recorded

    @property
    def end_ns(self) -> int:
        """When the span ended."""
        return self.start_ns + self.duration_ns

    @property
    def failed(self) -> bool:
        """Whether its status is Error."""
        return self.status == "Error"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRow:
    """A log line as it is stored."""

    timestamp_ns: int
    severity: str
    body: str
    function: str = ""
    invocation_id: str = ""
    trace_id: str = ""
    span_id: str = ""
    source: str = ""
    attributes: dict[str, str] = field(default_factory=dict)
    resource: dict[str, str] = field(default_factory=dict)
    severity_number: int = 0
    event_name: str = ""
    types: dict[str, str] = field(default_factory=dict)  # of the attributes that are not text
    flags: int = 1  # W3C: 1 if its trace was sampled


@dataclass(frozen=True, slots=True, kw_only=True)
class InvocationRow:
    """One attempt at one event, as listings show it. A time of 0 means that it did not happen."""

    invocation_id: str
    attempt: int
    function: str
    version: int
    app: str
    code_hash: str
    trigger: str
    status: str
    failed: bool
    cold: bool
    pooled: bool
    started_at: int
    enqueued_at: int
    dispatched_at: int
    handler_started_at: int
    handler_ended_at: int
    responded_at: int
    queue_ns: int
    init_ns: int
    duration_ns: int
    total_ns: int
    cpu_ns: int
    peak_rss_bytes: int
    memory_limit_bytes: int
    timeout_ns: int
    trace_id: str
    span_id: str
    parent_span_id: str
    trigger_span_id: str
    event_id: str
    caller_invocation_id: str
    error_type: str
    error_message: str
    error_kind: str
    error_file: str
    error_line: int
    error_function: str
    fingerprint: str
    http_method: str
    http_route: str
    http_path: str
    http_status: int
    worker_pid: int
    worker_id: int
    isolation_tier: int
    spans: int
    logs: int
    dropped: int
    has_scene: bool
    event_bytes: int
    result_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionStats:
    """One function over a range of time. `spark`: failures and successes together, in 20 equal buckets."""

    name: str
    invocations: int
    errors: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    cold_starts: int
    last_failure_ns: int
    rps: float
    max_rss_bytes: int
    memory_limit_bytes: int
    spark: list[int]
    errors_spark: list[int]
