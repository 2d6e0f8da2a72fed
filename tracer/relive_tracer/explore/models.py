"""What the queries give: one frozen row per span, log line, invocation and function. Times are ns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["FunctionStats", "InvocationRow", "LogRow", "SpanEventRow", "SpanLinkRow", "SpanRow", "attempt_in"]


def attempt_in(attributes: Mapping[str, str], unknown: int = 1) -> int:
    """Which attempt wrote a span or a log line, of its attributes; `unknown` if they do not say."""
    text = attributes.get("relive.attempt", "")
    return int(text) if text.isdecimal() and text.isascii() and len(text) < 6 else unknown


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

    trace_id: str = ""
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

    @property
    def title(self) -> str:
        """Its name; of a call of gRPC that did not end well with its status, which may be no failure."""
        code = self.attributes.get("rpc.response.status_code", "OK")
        return self.name if code == "OK" else f"{self.name} {code}"


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

    @property
    def attempt(self) -> int:
        """Which attempt wrote it; 1 if it does not say."""
        return attempt_in(self.attributes)

    @property
    def traceback(self) -> str:
        """That of the exception that was logged with it."""
        return self.attributes.get("exception.stacktrace", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class InvocationRow:
    """One attempt at one event, as listings show it. A time of 0 means that it did not happen."""

    invocation_id: str
    attempt: int = 1
    function: str
    version: int = 0
    app: str = ""
    code_hash: str = ""
    trigger: str = ""
    status: str = "ok"
    cold: bool = False
    pooled: bool = False
    started_at: int = 0
    enqueued_at: int = 0
    dispatched_at: int = 0
    handler_started_at: int = 0
    handler_ended_at: int = 0
    responded_at: int = 0
    queue_ns: int = 0
    init_ns: int = 0
    duration_ns: int = 0
    total_ns: int = 0
    cpu_ns: int = 0
    peak_rss_bytes: int = 0
    memory_limit_bytes: int = 0
    timeout_ns: int = 0
    trace_id: str = ""
    span_id: str = ""
    parent_span_id: str = ""
    trigger_span_id: str = ""
    event_id: str = ""
    caller_invocation_id: str = ""
    error_type: str = ""
    error_message: str = ""
    error_kind: str = ""
    error_file: str = ""
    error_line: int = 0
    error_function: str = ""
    fingerprint: str = ""
    http_method: str = ""
    http_route: str = ""
    http_path: str = ""
    http_status: int = 0
    worker_pid: int = 0
    worker_id: int = 0
    isolation_tier: int = 0
    spans: int = 0
    logs: int = 0
    dropped: int = 0
    has_scene: bool = False
    event_bytes: int = 0
    result_bytes: int = 0

    @property
    def failed(self) -> bool:
        """Whether there is something to explain."""
        return self.status not in ("ok", "rejected")


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionStats:
    """One function over a range of time. `spark`: failures and successes together, in 20 equal buckets."""

    name: str
    invocations: int = 0
    errors: int = 0
    p50_ms: float = 0.0
    p95_ms: float = 0.0
    p99_ms: float = 0.0
    cold_starts: int = 0
    last_failure_ns: int = 0
    rps: float = 0.0
    max_rss_bytes: int = 0
    memory_limit_bytes: int = 0
    spark: list[int] = field(default_factory=list)
    errors_spark: list[int] = field(default_factory=list)
