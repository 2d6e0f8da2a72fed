"""The record of one invocation: what every listing, span and scene is derived from."""

from __future__ import annotations

from typing import Final

import msgspec

from relive_base.wire.messages import ErrorInfo, SpanData, SpanLink

__all__ = ["FAILURE_KINDS", "STATUSES", "TRIGGERS", "InvocationRecord"]

STATUSES: Final = ("ok", "error", "timeout", "memory", "crash", "init_error", "cancelled", "rejected", "lost")
"""What became of an invocation. "error": the handler raised, its result was unusable, or it
answered over HTTP with a 5xx status; "crash": the process ended (exit, signal); "cancelled": somebody
ended it; "rejected": a limit refused it before it ran; "lost": the server ended in the middle."""

TRIGGERS: Final = (
    "http", "grpc", "timer", "queue", "api", "call", "webhook", "cloudevents", "bus", "bucket", "postgres",
    "redis", "nats", "kafka", "logs", "failure", "alarm",
)  # fmt: skip
"""What set an invocation off: a kind of trigger, "api" (a program, the command line), "call" (a function)."""

FAILURE_KINDS: Final = (
    "exception",
    "init",
    "timeout",
    "memory",
    "recursion",
    "exit",  # sys.exit, os._exit
    "signal",  # killed by a signal, segfault, abort
    "bad_result",  # the result cannot be serialised or is too large
    "response",  # it answered with a 5xx status, and no exception of it is known
    "bad_event",  # the payload cannot be decoded
    "cancelled",  # somebody ended it: relive cancel
    "loop",  # functions set each other off in a circle: it did not run
    "lost",  # the server ended in the middle of it
    "breakpoint",  # it was held at a line: relive break
    "background",  # a thread or task of a successful invocation failed, which no caller saw
)


class InvocationRecord(msgspec.Struct, kw_only=True, eq=False, array_like=True):
    """One attempt at one event. Times are ns since the epoch; 0 means that it did not happen."""

    invocation_id: str
    function: str
    version: int
    trace_id: str
    span_id: str  # of the invoke span
    trigger_span_id: str
    app: str = ""
    code_hash: str = ""
    attempt: int = 1
    trigger: str = "api"  # "http" | "timer" | "queue" | "api" | "call", or a kind that pulls: "postgres"
    parent_span_id: str = ""  # the caller's span, above the trigger span
    trace_state: str = ""
    # the producer of a queued event: its span is linked from, and is the parent of, the consumer's
    link_trace_id: str = ""
    link_span_id: str = ""
    event_id: str = ""
    caller_invocation_id: str = ""
    accepted_ns: int = 0  # the trigger saw it (for a queued event: this delivery began)
    enqueued_ns: int = 0  # the event was committed to the queue
    dispatched_ns: int = 0  # a worker had been found and the frame was sent; later, if others held that up
    init_started_ns: int = 0  # cold start of this very invocation, else 0
    init_ended_ns: int = 0
    started_ns: int = 0  # the handler began
    ended_ns: int = 0  # the handler ended
    responded_ns: int = 0  # the answer was given to the caller
    status: str = "ok"
    error: ErrorInfo | None = None
    cold: bool = False
    pooled: bool = False  # a cold function version served by a worker that was already waiting
    cpu_ns: int = 0
    peak_rss_bytes: int = 0
    memory_limit_bytes: int = 0
    timeout_ns: int = 0
    worker_pid: int = 0
    worker_id: int = 0
    isolation_tier: int = 0
    http_method: str = ""
    http_route: str = ""
    http_path: str = ""
    http_status: int = 0
    spans: int = 0
    logs: int = 0
    dropped: int = 0
    has_scene: bool = False
    event_bytes: int = 0
    result_bytes: int = 0
    attributes: dict[str, str] = {}
    instance: str = ""  # the worker's id, as its telemetry's resource has it
    resource: str = ""  # OTEL_RESOURCE_ATTRIBUTES of the function
    sampled: bool = True  # the caller's flag, which is handed on
    ready_ns: int = 0  # of a queued event: when this attempt became due; 0: when it was enqueued
    http_scheme: str = ""
    http_host: str = ""  # as the client named it, with the port if it gave one
    http_query: str = ""
    client: str = ""  # whoever sent the request, by the proxies' word
    peer: str = ""  # the address of the connection's other end
    peer_port: int = 0
    user_agent: str = ""
    span: SpanData | None = None  # what the function's code has put on the invoke span
    links: list[SpanLink] = []  # a batch's records: the span that each was sent in

    @property
    def failed(self) -> bool:
        """Whether a scene is due."""
        return self.status not in ("ok", "rejected", "lost")

    @property
    def duration_ns(self) -> int:
        """Handler time; 0 if it never began."""
        return max(self.ended_ns - self.started_ns, 0) if self.started_ns else 0

    @property
    def queue_ns(self) -> int:
        """Waiting: from acceptance (or when a queued event became due) to dispatch, without cold start."""
        begin = self.ready_ns or self.enqueued_ns or self.accepted_ns
        end = self.init_started_ns or self.dispatched_ns
        return max(end - begin, 0) if begin and end else 0

    @property
    def init_ns(self) -> int:
        """Cold start of this invocation; 0 for a warm one."""
        return max(self.init_ended_ns - self.init_started_ns, 0)
