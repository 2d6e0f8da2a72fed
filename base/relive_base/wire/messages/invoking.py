"""An event to a worker and its answer back."""

from __future__ import annotations

import msgspec

from relive_base.wire.messages.errors import ErrorInfo
from relive_base.wire.messages.frame import Frame

__all__ = [
    "Crashed",
    "Done",
    "HttpRequest",
    "InitFailed",
    "Invoke",
    "Late",
    "Ready",
    "Result",
    "Skipped",
    "StreamHead",
    "StreamPart",
]


class HttpRequest(msgspec.Struct, array_like=True):
    """An HTTP request as it came. `mount` is the prefix that was taken off `path` ("/fn/NAME")."""

    method: str
    path: str
    query: str = ""
    headers: list[tuple[str, str]] = []  # names in lower case, in the order they came
    body: bytes = b""
    scheme: str = "http"
    host: str = ""
    client: str = ""
    mount: str = ""
    route: str = ""
    payload: str = ""  # "1.0" if the trigger wants Lambda's older format of the event
    names: list[str] = []  # of `headers` as the client wrote them, if `payload` is "1.0"
    target: str = ""  # the path of the request's target as the client wrote it, with its %2F; `mount` in it
    version: str = "1.1"  # of HTTP
    client_port: int = 0


class Invoke(Frame, tag="invoke"):
    """One event for a worker. `event` is JSON text for event functions; empty if `http` is given."""

    invocation_id: str
    trace_id: str
    span_id: str  # of the invoke span: the parent of every span the user's code makes
    deadline_monotonic_ns: int
    event: bytes = b""
    http: HttpRequest | None = None
    attempt: int = 1
    trigger: str = "api"  # "http" | "timer" | "queue" | "api" | "call"
    trace_state: str = ""
    sampled: bool = True  # the trace flag that is handed on
    profile: str = ""  # overrides the spec's, if not empty
    depth: int = 0  # how many function-to-function calls lie above this one
    start_before_monotonic_ns: int = 0  # sent ahead: later than this it is skipped; 0: whenever it comes
    baggage: str = ""  # the W3C header's value
    stream: bool = False  # the caller takes an answer part by part: StreamHead, StreamPart
    context: dict[str, str] = {}  # what AWS's API says of the caller: "arn", "client_context" (JSON)
    more: bool = False  # the request's body goes on, in Body messages
    wire: str = ""  # what the client speaks beside plain HTTP: "websocket"
    sent_monotonic_ns: int = 0  # to a worker that runs others beside it; 0: not told


class Ready(Frame, tag="ready"):
    """The handler is loaded."""

    pid: int
    started_ns: int  # first line that ran in the child
    loaded_ns: int
    isolation_tier: int = 0
    isolation_detail: list[str] = []
    cpu_ns: int = 0  # that it has used so far, with what it has started
    own_tmp: bool = False  # whether its /tmp is its own
    capacity: int = 1  # attempts that it runs at once
    wire: str = ""  # the unix socket that it listens on for connections to be spliced to; "": none
    websockets: bool = False  # whether it takes them, beside its `capacity` requests


class InitFailed(Frame, tag="init_failed"):
    """Loading the user's module failed; a Scene frame came before this one. The worker waits to be ended."""

    pid: int
    started_ns: int
    failed_ns: int
    error: ErrorInfo
    isolation_tier: int = 0


class Done(Frame, tag="done"):
    """The last frame of an invocation."""

    invocation_id: str
    cpu_ns: int = 0
    peak_rss_bytes: int = 0
    rss_bytes: int = 0
    spans: int = 0
    logs: int = 0
    dropped: int = 0  # spans, lines and samples that a limit cut off
    reusable: bool = True
    process_cpu_ns: int = 0  # that the worker has used so far, with what it has started; 0: not told


class Result(Frame, tag="result"):
    """The answer of one invocation, sent before anything else that is still to be told of it."""

    invocation_id: str
    status: str  # see records.STATUSES
    started_ns: int
    ended_ns: int
    body: bytes = b""
    content_type: str = "application/json"
    http_status: int = 200
    headers: list[tuple[str, str]] = []
    error: ErrorInfo | None = None
    reusable: bool = True  # False: the worker must get no further event
    done: Done | None = None  # if nothing else is left to tell, the last frame comes within this one
    streamed_bytes: int = 0  # of the body, sent before in parts
    answered: bool = False  # it has failed, and answered all the same, with a 5xx


class StreamHead(Frame, tag="stream_head"):
    """The answer of an invocation begins; its body follows in StreamParts, its end with the Result.

    A CallResult for `left_id` tells the worker that the client has gone."""

    http_status: int
    content_type: str = ""
    headers: list[tuple[str, str]] = []
    length: int = -1  # of the body, if the function says it
    left_id: int = 0
    invocation_id: str = ""


class StreamPart(Frame, tag="stream_part"):
    """A part of the body. If `call_id` is not 0, the worker waits for a CallResult: the client has taken
    it, or is gone (not ok)."""

    invocation_id: str
    body: bytes
    call_id: int = 0


class Skipped(Frame, tag="skipped"):
    """An event that was sent ahead was not begun: its `start_before_monotonic_ns` was over."""

    invocation_id: str


class Late(Frame, tag="late"):
    """The handler has ended by its timeout, and its scene is being captured: the answer may take a moment."""

    invocation_id: str


class Crashed(Frame, tag="crashed"):
    """The process has got a fatal `signal` in `thread` (as `threading.get_ident`), and has stopped itself: it
    waits to be read from outside, and ended."""

    signal: int
    thread: int = 0
