"""The wire between server, zygote and worker: 4-byte big-endian length + msgpack, one Struct per frame kind.

All times are nanoseconds: `_ns` since the epoch unless the docstring says monotonic.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from relive_base.attributes import Attribute
from relive_base.errors import ReliveError
from relive_base.escapes import encode_escaped

__all__ = [
    "MAX_FRAME_BYTES",
    "AnyFrame",
    "Call",
    "CallResult",
    "Crashed",
    "DebugComplete",
    "DebugEnded",
    "DebugLine",
    "DebugOffer",
    "DebugStart",
    "DebugStop",
    "DebugText",
    "Done",
    "ErrorInfo",
    "Exited",
    "Fork",
    "Forked",
    "FrameDecoder",
    "FrameError",
    "FunctionSpec",
    "HeapTaken",
    "HttpRequest",
    "InitFailed",
    "Invoke",
    "Late",
    "LogLine",
    "Logs",
    "OpenSpan",
    "PartState",
    "Playback",
    "Profile",
    "Ready",
    "Result",
    "Scene",
    "Skipped",
    "SpanData",
    "SpanEvent",
    "SpanLink",
    "SpanUpdate",
    "Spans",
    "StackFrames",
    "Stop",
    "StreamHead",
    "StreamPart",
    "TakeHeap",
    "ZygoteReady",
    "decode_frame",
    "encode_frame",
]

MAX_FRAME_BYTES: Final = 64 * 1024 * 1024
_HEADER_BYTES: Final = 4


class FrameError(ReliveError):
    """A frame on the wire is malformed or over the limit."""


class _Frame(msgspec.Struct, tag_field="t", array_like=True, kw_only=True):
    """Frames are msgpack arrays, the tag first: half the work of maps. A new field goes last and has a
    default: what the other end has too many is ignored, so that both may differ by a version."""


# ---------------------------------------------------------------- server -> zygote


class FunctionSpec(msgspec.Struct, omit_defaults=True, kw_only=True):
    """Everything a worker has to know of its function version; it never changes for a worker's life."""

    name: str
    version: int
    handler: str  # "module:attribute"
    kind: str = "event"  # "event" | "http"
    source: str = ""  # absolute folder of the version's code
    app: str = ""
    code_hash: str = ""
    environment: dict[str, str] = {}
    timeout_s: float = 3.0
    memory_mb: int = 256
    core_mb: int = 0  # the largest core file that a crash may leave
    output_limit_bytes: int = 1_048_576  # stdout + stderr + log records of one invocation
    result_limit_bytes: int = 6_291_456
    profile: str = "sampled"  # "sampled" | "precise" | "off"
    capture: str = "full"  # "full" | "frames" | "off"
    isolation_tier: int = 1  # the tier wanted; Ready says which was reached
    scratch: str = ""  # a writable folder of the worker's own; HOME, and TMPDIR if it has no /tmp
    redact_keys: list[str] = []  # more key names to redact, from relive.toml
    call_depth: int = 16  # how deep functions may call each other
    load_timeout_s: float = 30.0  # for the import of the user's module
    in_app: list[str] = []  # folders whose frames count as the user's own; `source` always does
    recording: bool = True  # keep the calls of a failed invocation
    recording_bytes: int = 2_097_152  # of all of them; 0: none
    dependencies: str = ""  # hash of the dependency lock; "" for none
    unix_sockets: bool = False  # whether those of others in the file system may be reached from tier 1 on
    stream_limit_bytes: int = 268_435_456  # of an answer that is sent part by part
    replay: bytes = b""  # msgpack of a relive_capture.recording_format.ReplayInput: this worker replays
    tmp_mb: int = 512  # room in the worker's own /tmp; 0: it has none
    instance: str = ""  # the worker's own id: the `service.instance.id` of its telemetry
    resource: str = ""  # OTEL_RESOURCE_ATTRIBUTES of the server
    relive_version: str = ""
    propagators: str = ""  # OTEL_PROPAGATORS of the server, if the function's environment has none
    uid: int = 0  # the user and the group that the worker becomes; 0: it has its zygote's


class Fork(_Frame, tag="fork"):
    """Fork a worker. `descriptors` come along (SCM_RIGHTS): frame socket, console, as a third one what its
    fault handler writes to, and as a fourth one its ring (see ring.py)."""

    worker_id: int
    spec: FunctionSpec
    descriptors: int = 2


class Stop(_Frame, tag="stop"):
    """To a worker: leave after the current invocation. To a zygote: leave now, its workers go on."""


# ---------------------------------------------------------------- zygote -> server


class ZygoteReady(_Frame, tag="zygote_ready"):
    """The zygote has imported its dependencies and can fork."""

    pid: int
    python: str
    import_ns: int = 0
    failed_imports: dict[str, str] = {}
    uid: int = 0  # the user that it runs as
    own_users: bool = False  # whether a worker can become the one that its FunctionSpec names


class Forked(_Frame, tag="forked"):
    """The worker's process exists. pid 0 means that the fork failed; `error` says why."""

    worker_id: int
    pid: int
    forked_ns: int = 0
    error: str = ""


class Exited(_Frame, tag="exited"):
    """A worker was reaped: `status` as os.waitpid gave it, the rest from its rusage."""

    worker_id: int
    pid: int
    status: int
    peak_rss_bytes: int = 0
    cpu_ns: int = 0


# ---------------------------------------------------------------- server -> worker


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


class Invoke(_Frame, tag="invoke"):
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


class TakeHeap(_Frame, tag="take_heap"):
    """To a worker that has failed and answered: write a snapshot of the heap into `folder`, then HeapTaken.

    The files are those of relive_capture.heap_format."""

    invocation_id: str
    folder: str  # inside the worker's scratch folder; the worker makes it
    max_objects: int = 2_000_000
    max_bytes: int = 268_435_456  # of the columns as they are written
    cpu_s: float = 10.0


class DebugStart(_Frame, tag="debug_start"):
    """To a worker that has failed and answered: begin a debugger on the frames that it kept.

    Every frame of a session carries its number; those of other sessions are ignored."""

    session: int


class DebugLine(_Frame, tag="debug_line"):
    """The line that a DebugText with `prompt` waits for; `end` is the end of the input (Ctrl-D)."""

    session: int
    text: str = ""
    end: bool = False


class DebugComplete(_Frame, tag="debug_complete"):
    """What could come next in a line that is being typed? `text` is the line up to the cursor."""

    session: int
    request: int
    text: str


class DebugStop(_Frame, tag="debug_stop"):
    """End the session: whoever debugged has left."""

    session: int


class CallResult(_Frame, tag="call_result"):
    """The answer to a Call."""

    call_id: int
    ok: bool
    body: bytes = b""  # JSON text of the result
    error: ErrorInfo | None = None
    invocation_id: str = ""


# ---------------------------------------------------------------- worker -> server


class ErrorInfo(msgspec.Struct, omit_defaults=True, kw_only=True):
    """One failure, short. Text is redacted and bounded: message 2,000, traceback 16,000 characters."""

    type: str
    message: str
    kind: str = "exception"  # see records.FAILURE_KINDS
    file: str = ""  # innermost frame of the user's own code
    line: int = 0
    function: str = ""
    fingerprint: str = ""
    traceback: str = ""
    module: str = ""  # the import name of the module that `function` is in


class Ready(_Frame, tag="ready"):
    """The handler is loaded."""

    pid: int
    started_ns: int  # first line that ran in the child
    loaded_ns: int
    isolation_tier: int = 0
    isolation_detail: list[str] = []
    cpu_ns: int = 0
    own_tmp: bool = False  # whether its /tmp is its own


class InitFailed(_Frame, tag="init_failed"):
    """Loading the user's module failed; a Scene frame came before this one. The worker waits to be ended."""

    pid: int
    started_ns: int
    failed_ns: int
    error: ErrorInfo
    isolation_tier: int = 0


class Result(_Frame, tag="result"):
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


class StreamHead(_Frame, tag="stream_head"):
    """The answer of an invocation begins; its body follows in StreamParts, its end with the Result.

    A CallResult for `left_id` tells the worker that the client has gone."""

    http_status: int
    content_type: str = ""
    headers: list[tuple[str, str]] = []
    length: int = -1  # of the body, if the function says it
    left_id: int = 0
    invocation_id: str = ""


class StreamPart(_Frame, tag="stream_part"):
    """A part of the body. If `call_id` is not 0, the worker waits for a CallResult: the client has taken
    it, or is gone (not ok)."""

    invocation_id: str
    body: bytes
    call_id: int = 0


class Done(_Frame, tag="done"):
    """The last frame of an invocation."""

    invocation_id: str
    cpu_ns: int = 0
    peak_rss_bytes: int = 0
    rss_bytes: int = 0
    spans: int = 0
    logs: int = 0
    dropped: int = 0  # spans, lines and samples that a limit cut off
    reusable: bool = True


class Skipped(_Frame, tag="skipped"):
    """An event that was sent ahead was not begun: its `start_before_monotonic_ns` was over."""

    invocation_id: str


class Late(_Frame, tag="late"):
    """The handler has ended by its timeout, and its scene is being captured: the answer may take a moment."""

    invocation_id: str


class Crashed(_Frame, tag="crashed"):
    """The process has got a fatal `signal` in `thread` (as `threading.get_ident`), and has stopped itself: it
    waits to be read from outside, and ended."""

    signal: int
    thread: int = 0


class SpanEvent(msgspec.Struct, array_like=True):
    """An event on a span."""

    timestamp_ns: int
    name: str
    attributes: dict[str, Attribute] = {}


class SpanLink(msgspec.Struct, array_like=True):
    """A link from a span to another one."""

    trace_id: str
    span_id: str
    trace_state: str = ""
    attributes: dict[str, Attribute] = {}


class SpanData(msgspec.Struct, array_like=True):
    """A finished span. Attribute values keep their type (`relive_base.attributes`)."""

    trace_id: str
    span_id: str
    parent_span_id: str
    name: str
    kind: str  # "Internal" | "Server" | "Client" | "Producer" | "Consumer"
    start_ns: int
    end_ns: int
    status: str = "Unset"  # "Unset" | "Ok" | "Error"
    status_message: str = ""
    attributes: dict[str, Attribute] = {}
    events: list[SpanEvent] = []
    links: list[SpanLink] = []
    scope: str = ""
    scope_version: str = ""
    trace_state: str = ""


class OpenSpan(msgspec.Struct, array_like=True):
    """A span that has begun and not ended, told with the first of its children that has ended: what lies
    below it has a parent even if the process ends before it does."""

    trace_id: str
    span_id: str
    parent_span_id: str
    name: str
    kind: str
    start_ns: int
    scope: str = ""


class Spans(_Frame, tag="spans"):
    """Spans of the user's own, as soon as each is finished."""

    invocation_id: str
    spans: list[SpanData]
    open: list[OpenSpan] = []


class SpanUpdate(_Frame, tag="span_update"):
    """What the function's code has put on the invoke span just now. Its ids and times are the platform's.

    Attributes are set, events and links added; name, status and its message are as they are now.
    `whole`: all there is of it, in place of what was told before."""

    invocation_id: str
    span: SpanData
    whole: bool = False


class LogLine(msgspec.Struct, array_like=True):
    """One line. `source`: "stdout", "stderr", "logging" or "console" (written past Python)."""

    timestamp_ns: int
    severity: str  # "TRACE" | "DEBUG" | "INFO" | "WARN" | "ERROR" | "FATAL"
    body: str
    trace_id: str = ""
    span_id: str = ""
    source: str = "stdout"
    attributes: dict[str, Attribute] = {}
    event_name: str = ""  # what kind of thing it tells, such as "exception"; "" for an ordinary line


class Logs(_Frame, tag="logs"):
    """Log lines, as soon as each is written. `dropped` counts lines that the limit cut off."""

    invocation_id: str
    lines: list[LogLine]
    dropped: int = 0


class StackFrames(msgspec.Struct, array_like=True):
    """A stack, sent the first time a worker sees it: outermost frame first, parallel lists."""

    stack_hash: int  # unsigned, 64 bits
    functions: list[str]
    files: list[str]
    lines: list[int]


class Profile(_Frame, tag="profile"):
    """One invocation's profile of one phase: parallel lists, one entry a stack."""

    invocation_id: str
    phase: str = "invoke"  # "invoke" | "init"
    engine: str = "sampled"  # "sampled" | "precise"
    started_ns: int = 0
    duration_ns: int = 0
    stack_hashes: list[int] = []
    counts: list[int] = []
    wall_ns: list[int] = []
    cpu_ns: list[int] = []
    new_stacks: list[StackFrames] = []
    dropped: int = 0


NOT_APPLICABLE: Final = "not_applicable"


class PartState(msgspec.Struct, array_like=True):
    """What became of one part of a scene: "ok", "partial", "missing", or "not_applicable" if such a failure
    never has it; and why, for people."""

    state: str
    reason: str = ""


class Scene(_Frame, tag="scene"):
    """What the failed process itself could save. Members are archive files, already redacted."""

    invocation_id: str
    captured_ns: int
    error: ErrorInfo
    members: dict[str, bytes] = {}
    parts: dict[str, PartState] = {}
    redactions: list[str] = []
    capture_ns: int = 0  # what the capture cost
    final: bool = True
    recording: bytes = b""  # msgpack of a relive_capture.recording_format.Recording, not redacted yet
    secrets: list[
        str
    ] = []  # what was hidden in the members: to be hidden elsewhere, too, never to be written


class HeapTaken(_Frame, tag="heap_taken"):
    """What became of a TakeHeap: `state` as in PartState; if it is "missing" there are no files."""

    invocation_id: str
    state: str
    reason: str = ""
    folder: str = ""
    objects: int = 0
    bytes: int = 0  # of the files


class DebugText(_Frame, tag="debug_text"):
    """What the debugger, or code that was run in it, has written. `prompt`: it waits for a line now."""

    session: int
    text: str = ""
    prompt: bool = False


class DebugOffer(_Frame, tag="debug_offer"):
    """The answer to a DebugComplete: what may replace the text from character `start` on."""

    session: int
    request: int
    start: int = 0
    items: list[str] = []


class DebugEnded(_Frame, tag="debug_ended"):
    """The session is over; `reason` is empty if the user ended it."""

    session: int
    reason: str = ""


class Playback(_Frame, tag="playback"):
    """Before the Result of a replay: msgpack of a relive_capture.recording_format.PlaybackReport."""

    report: bytes


class Call(_Frame, tag="call"):
    """A function calls another one through the platform."""

    call_id: int
    function: str
    payload: bytes  # JSON text
    trace_id: str
    parent_span_id: str
    asynchronous: bool = False
    timeout_s: float = 0.0  # 0: what is left of the caller's own time
    depth: int = 0
    idempotency_key: str = ""
    trace_state: str = ""
    sampled: bool = True
    baggage: str = ""


AnyFrame = (
    Fork | Stop | ZygoteReady | Forked | Exited | Invoke | CallResult | Ready | InitFailed
    | Result | StreamHead | StreamPart | Done | Skipped | Late | Crashed | Spans | SpanUpdate | Logs | Profile
    | Scene | Call
    | TakeHeap | HeapTaken | Playback
    | DebugStart | DebugLine | DebugComplete | DebugStop | DebugText | DebugOffer | DebugEnded
)  # fmt: skip

_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[AnyFrame] = msgspec.msgpack.Decoder(AnyFrame)


def encode_frame(frame: AnyFrame) -> bytes:
    """`frame` with its length before it. Raises FrameError over MAX_FRAME_BYTES. Lone surrogates in its texts
    become escapes: UTF-8 has none."""
    try:
        payload = _encoder.encode(frame)
    except UnicodeEncodeError:
        payload = encode_escaped(_encoder.encode, frame)
    length = len(payload)
    if length > MAX_FRAME_BYTES:
        raise FrameError(f"a {type(frame).__name__} frame of {length} bytes is over {MAX_FRAME_BYTES}")
    return length.to_bytes(_HEADER_BYTES, "big") + payload


def decode_frame(payload: bytes | memoryview) -> AnyFrame:
    """One frame from msgpack without its length. Raises FrameError."""
    try:
        return _decoder.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise FrameError(f"a frame cannot be read: {error}") from error


class FrameDecoder:
    """Cuts a byte stream into frames. Feed it what the socket gave; it keeps what is not complete."""

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = bytearray()

    @property
    def pending_bytes(self) -> int:
        """Bytes of a frame that is not complete yet."""
        return len(self._buffer)

    def feed(self, data: bytes) -> Iterator[AnyFrame]:
        """The frames that `data` completes. Raises FrameError; the stream is then unusable."""
        buffer = self._buffer
        buffer += data
        start = 0
        try:
            while len(buffer) - start >= _HEADER_BYTES:
                length = int.from_bytes(buffer[start : start + _HEADER_BYTES], "big")
                if length > MAX_FRAME_BYTES:
                    raise FrameError(f"a frame announces {length} bytes, over {MAX_FRAME_BYTES}")
                end = start + _HEADER_BYTES + length
                if len(buffer) < end:
                    break
                payload = bytes(buffer[start + _HEADER_BYTES : end])
                start = end
                yield decode_frame(payload)
        finally:
            if start:
                del buffer[:start]
