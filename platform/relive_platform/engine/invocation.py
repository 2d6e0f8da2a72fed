"""What is asked of the platform, one running attempt at it, and what came of it."""

from __future__ import annotations

from typing import Protocol

import msgspec
from relive_base.records import InvocationRecord
from relive_base.wire.messages import ErrorInfo, HttpRequest, Result, StreamHead, StreamPart

from relive_platform.engine.intake import frame_lines
from relive_platform.evidence import HeapFound

__all__ = ["AnswerStream", "InvokeRequest", "Outcome", "Running", "StreamReader", "Waiter"]


class InvokeRequest(msgspec.Struct, kw_only=True, eq=False):
    """One event for one function. Give `event` (JSON text) or `http`, not both."""

    function: str
    version: int = 0  # 0: the latest
    event: bytes = b""
    http: HttpRequest | None = None
    trigger: str = "api"
    trace_id: str = ""  # empty: a new trace
    parent_span_id: str = ""
    trace_state: str = ""
    sampled: bool = True
    timeout_s: float = 0.0  # 0: the function's own; never more than it
    profile: str = ""
    attempt: int = 1
    invocation_id: str = ""  # empty: a new one; retries of an event keep theirs
    event_id: str = ""
    enqueued_ns: int = 0
    link_trace_id: str = ""
    link_span_id: str = ""
    caller_invocation_id: str = ""
    depth: int = 0
    accepted_ns: int = 0  # 0: now
    stream: bool = False  # the waiter is a StreamReader, and takes the answer part by part
    baggage: str = ""  # the W3C header's value
    ready_ns: int = 0  # of a queued event: when this attempt became due
    attributes: dict[str, str] = {}  # what the trigger has to say of itself: faas.cron, faas.time
    scheme: str = ""  # of an HTTP request, by the proxies' word: scheme, host, client
    host: str = ""
    client: str = ""
    peer: str = ""  # the address of its connection's other end
    peer_port: int = 0
    user_agent: str = ""


class Outcome(msgspec.Struct, eq=False):
    """What came of an invocation. `result` is None if no worker answered (rejected, crash, timeout)."""

    record: InvocationRecord
    result: Result | None = None

    @property
    def ok(self) -> bool:
        """Whether the handler returned."""
        return self.record.status == "ok"

    @property
    def error(self) -> ErrorInfo | None:
        """Why it failed."""
        return self.record.error

    @property
    def body(self) -> bytes:
        """The handler's answer; empty if it failed."""
        return self.result.body if self.result is not None else b""


class Waiter(Protocol):
    """Who waits for an outcome: an asyncio future, or a request of the gateway. `set_result` never raises."""

    def done(self) -> bool: ...
    def set_result(self, result: Outcome, /) -> None: ...


class AnswerStream(Protocol):
    """The worker's end of an answer that comes in parts."""

    def taken(self, call_id: int) -> None:
        """The client has taken the part with this id: the function may go on."""

    def left(self) -> None:
        """The client has gone: the function is to stop."""


class StreamReader(Waiter, Protocol):
    """A waiter that takes an answer part by part; `set_result` comes at its end, or if it breaks off.

    `prepare` comes just before it: the waiter makes its answer, and tells the record what it says.
    """

    def prepare(self, result: Outcome, /) -> None: ...
    def begin_stream(self, running: Running, head: StreamHead, stream: AnswerStream, /) -> None: ...
    def take_part(self, part: StreamPart, /) -> None: ...


class Running(msgspec.Struct, kw_only=True, eq=False):
    """One attempt from its acceptance to its last frame."""

    request: InvokeRequest
    record: InvocationRecord
    future: Waiter
    timeout_s: float
    accepted_mono: float
    profile: str = ""  # the engine that was asked for; it stays if the event is sent to another worker
    sent_mono: float = 0.0
    start_before_mono: float = 0.0  # sent ahead, behind a running one; 0: it was sent to an idle worker
    deadline_mono: float = 0.0
    capture_until_mono: float = 0.0  # a timeout is being captured; until then it may take
    result: Result | None = None
    scene: bytes = b""  # msgpack of a Scene frame
    telemetry: list[bytes] = []  # payloads of Spans frames, and those of the module's loading
    telemetry_bytes: int = 0  # of what is no log line, as it came
    logs: list[bytes] = []  # payloads of Logs frames, the last ones
    log_bytes: int = 0
    logs_left_out: int = 0  # earlier lines, which `logs` has no more
    span_updates: list[bytes] = []  # payloads of SpanUpdate frames
    profiles: list[bytes] = []  # payloads of Profile frames
    external: dict[str, bytes] = {}  # members a dump from outside gave
    external_parts: dict[str, tuple[str, str]] = {}
    external_redactions: list[str] = []
    rss_peak: int = 0
    finished: bool = False  # its record has been handed on
    heap: HeapFound | None = None  # what came before that
    console_bytes: int = 0

    def keep_log(self, payload: bytes, limit_bytes: int) -> None:
        """Keep a Logs frame for the scene. Over the limit the oldest go, a quarter of it at once."""
        self.logs.append(payload)
        self.log_bytes += len(payload)
        if self.log_bytes <= limit_bytes:
            return
        gone = 0
        for old in self.logs:
            if self.log_bytes <= limit_bytes * 3 // 4:
                break
            self.log_bytes -= len(old)
            self.logs_left_out += frame_lines(old)
            gone += 1
        del self.logs[:gone]
