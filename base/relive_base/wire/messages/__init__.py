"""The messages between server, zygote and worker: one Struct each, in a module for each noun.

All times are nanoseconds: `_ns` since the epoch unless the docstring says monotonic.
"""

from __future__ import annotations

from relive_base.wire.framing import MAX_FRAME_BYTES, FrameError
from relive_base.wire.messages.calling import Call, CallResult
from relive_base.wire.messages.codec import (
    AnyFrame,
    FrameDecoder,
    decode_frame,
    encode_frame,
    encode_invoke,
    encode_payload,
    frame_kind,
)
from relive_base.wire.messages.debugging import (
    DebugComplete,
    DebugEnded,
    DebugLine,
    DebugOffer,
    DebugStart,
    DebugStop,
    DebugText,
)
from relive_base.wire.messages.errors import ErrorInfo
from relive_base.wire.messages.forking import Exited, Fork, Forked, FunctionSpec, Stop, ZygoteReady
from relive_base.wire.messages.frame import Frame
from relive_base.wire.messages.heaps import HeapTaken, TakeHeap
from relive_base.wire.messages.invoking import (
    Crashed,
    Done,
    HttpRequest,
    InitFailed,
    Invoke,
    Late,
    Ready,
    Result,
    Skipped,
    StreamHead,
    StreamPart,
)
from relive_base.wire.messages.metrics import METRIC_KINDS, MetricData, MetricPoint, Metrics
from relive_base.wire.messages.points import BREAKPOINT, Point, PointHit, Points, Region, Statement
from relive_base.wire.messages.rpc import CallBegun, CallStreams, Wired, own_id
from relive_base.wire.messages.scenes import Playback, Scene
from relive_base.wire.messages.serving import Body, BodyTaken, Cancel, Gone, Left
from relive_base.wire.messages.sockets import (
    MESSAGE_COST_BYTES,
    WEBSOCKET,
    WINDOW_BYTES,
    SocketAccept,
    SocketClose,
    SocketData,
    SocketTaken,
)
from relive_base.wire.messages.telemetry import (
    CallCount,
    Costs,
    LogLine,
    Logs,
    OpenSpan,
    Profile,
    SpanData,
    SpanEvent,
    SpanLink,
    Spans,
    SpanUpdate,
    StackFrames,
)

__all__ = [
    "BREAKPOINT",
    "MAX_FRAME_BYTES",
    "MESSAGE_COST_BYTES",
    "METRIC_KINDS",
    "WEBSOCKET",
    "WINDOW_BYTES",
    "AnyFrame",
    "Body",
    "BodyTaken",
    "Call",
    "CallBegun",
    "CallCount",
    "CallResult",
    "CallStreams",
    "Cancel",
    "Costs",
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
    "Frame",
    "FrameDecoder",
    "FrameError",
    "FunctionSpec",
    "Gone",
    "HeapTaken",
    "HttpRequest",
    "InitFailed",
    "Invoke",
    "Late",
    "Left",
    "LogLine",
    "Logs",
    "MetricData",
    "MetricPoint",
    "Metrics",
    "OpenSpan",
    "Playback",
    "Point",
    "PointHit",
    "Points",
    "Profile",
    "Ready",
    "Region",
    "Result",
    "Scene",
    "Skipped",
    "SocketAccept",
    "SocketClose",
    "SocketData",
    "SocketTaken",
    "SpanData",
    "SpanEvent",
    "SpanLink",
    "SpanUpdate",
    "Spans",
    "StackFrames",
    "Statement",
    "Stop",
    "StreamHead",
    "StreamPart",
    "TakeHeap",
    "Wired",
    "ZygoteReady",
    "decode_frame",
    "encode_frame",
    "encode_invoke",
    "encode_payload",
    "frame_kind",
    "own_id",
]
