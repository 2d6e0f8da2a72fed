"""What is asked of the platform, who waits for it, and what came of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import msgspec
from relive_base.records import InvocationRecord
from relive_base.wire.messages import ErrorInfo, Frame, HttpRequest, Result, SpanLink, StreamHead, StreamPart

__all__ = [
    "AnswerStream",
    "InvokeRequest",
    "Outcome",
    "RequestBody",
    "SocketReader",
    "StreamReader",
    "Waiter",
]


class InvokeRequest(msgspec.Struct, kw_only=True, eq=False):
    """One event for one function. Give `event` (JSON text) or `http`, not both."""

    function: str
    version: int = 0  # 0: the latest
    qualifier: str = ""  # instead: a version's number, or an alias
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
    more: bool = False  # the body of `http` goes on: the waiter is told where to (`begin_body`)
    wire: str = ""  # what the client speaks beside plain HTTP: "websocket"
    context: dict[str, str] = {}  # what the handler's context says of the caller: see Invoke.context
    links: list[SpanLink] = []  # of a batch: the span that each record was sent in


class Outcome(msgspec.Struct, eq=False):
    """What came of an invocation. `result` is None if no worker answered (rejected, crash, timeout)."""

    record: InvocationRecord
    result: Result | None = None
    retry_after_s: int = 0  # of one that was turned away: when there may be room

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


class RequestBody(Protocol):
    """The worker's end of a request to a service. What is pushed after the attempt's end is ignored."""

    on_room: Callable[[], object] | None
    """Told when the application has read of what was pushed."""

    @property
    def room(self) -> int:
        """How many bytes more may be pushed; below 1 the client is to wait."""

    def send(self, message: Frame, /) -> None:
        """Any other message about the attempt."""

    def push(self, data: bytes, more: bool, /) -> None:
        """The body goes on, or what the client of an upgraded connection sends."""

    def gone(self) -> None:
        """The client has left."""


class StreamReader(Waiter, Protocol):
    """A waiter that takes an answer part by part; `set_result` comes at its end, or if it breaks off.

    `prepare` comes just before it: the waiter makes its answer, and tells the record what it says.
    """

    def prepare(self, result: Outcome, /) -> None: ...
    def begin_stream(self, record: InvocationRecord, head: StreamHead, stream: AnswerStream, /) -> None: ...
    def take_part(self, part: StreamPart, /) -> None: ...
    def begin_body(self, record: InvocationRecord, body: RequestBody, /) -> None:
        """A worker of a service has begun it."""


class SocketReader(StreamReader, Protocol):
    """A waiter with a websocket, which its application may accept."""

    def take_socket(self, record: InvocationRecord, message: Frame, /) -> None: ...
