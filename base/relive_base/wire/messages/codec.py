"""Messages to frames and back: msgpack, with its length before it (`relive_base.wire.framing`)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

import msgspec

from relive_base.escapes import encode_escaped
from relive_base.wire.framing import HEADER_BYTES, MAX_FRAME_BYTES, FrameError, FrameReader, header
from relive_base.wire.messages.calling import Call, CallResult
from relive_base.wire.messages.debugging import (
    DebugComplete,
    DebugEnded,
    DebugLine,
    DebugOffer,
    DebugStart,
    DebugStop,
    DebugText,
)
from relive_base.wire.messages.forking import Exited, Fork, Forked, Stop, ZygoteReady
from relive_base.wire.messages.frame import Frame
from relive_base.wire.messages.heaps import HeapTaken, TakeHeap
from relive_base.wire.messages.invoking import (
    Crashed,
    Done,
    InitFailed,
    Invoke,
    Late,
    Ready,
    Result,
    Skipped,
    StreamHead,
    StreamPart,
)
from relive_base.wire.messages.metrics import Metrics
from relive_base.wire.messages.points import PointHit, Points
from relive_base.wire.messages.rpc import CallBegun, CallStreams, Wired
from relive_base.wire.messages.scenes import Playback, Scene
from relive_base.wire.messages.serving import Body, BodyTaken, Cancel, Gone, Left
from relive_base.wire.messages.sockets import SocketAccept, SocketClose, SocketData, SocketTaken
from relive_base.wire.messages.telemetry import Logs, Profile, Spans, SpanUpdate

__all__ = [
    "AnyFrame",
    "FrameDecoder",
    "decode_frame",
    "encode_frame",
    "encode_invoke",
    "encode_payload",
    "frame_kind",
]

AnyFrame = (
    Fork | Stop | ZygoteReady | Forked | Exited | Invoke | CallResult | Ready | InitFailed
    | Result | StreamHead | StreamPart | Done | Skipped | Late | Crashed
    | Spans | SpanUpdate | Logs | Metrics | Profile
    | Scene | Call
    | SocketAccept | SocketData | SocketClose | SocketTaken | CallBegun | CallStreams | Wired
    | TakeHeap | HeapTaken | Playback
    | Body | BodyTaken | Cancel | Gone | Left
    | Points | PointHit
    | DebugStart | DebugLine | DebugComplete | DebugStop | DebugText | DebugOffer | DebugEnded
)  # fmt: skip
"""What one side decodes without knowing what is to come. A signal's message need not be among them: the
collector decodes by its own table."""

_ARRAY_16: Final = b"\xdc"  # of up to 15 fields: 0x90 and their number
_INVOKE: Final = Invoke.__struct_config__.tag
_encoder = msgspec.msgpack.Encoder()


@lru_cache(maxsize=1)
def _decoder() -> msgspec.msgpack.Decoder[AnyFrame]:
    """Made at the first frame: that takes milliseconds, which a zygote spends before it forks."""
    return msgspec.msgpack.Decoder(AnyFrame)


def encode_frame(frame: Frame) -> bytes:
    """`frame` with its length before it. Raises FrameError over MAX_FRAME_BYTES. Lone surrogates in its texts
    become escapes: UTF-8 has none."""
    try:
        payload = _encoder.encode(frame)
    except UnicodeEncodeError:
        payload = encode_escaped(_encoder.encode, frame)
    length = len(payload)
    if length > MAX_FRAME_BYTES:
        raise FrameError(f"a {type(frame).__name__} frame of {length} bytes is over {MAX_FRAME_BYTES}")
    return header(length) + payload


def encode_invoke(*values: Any) -> bytes:
    """As `encode_frame(Invoke(...))` of all its fields in their order, in half the time: there is one for
    each invocation."""
    try:
        payload = _encoder.encode((_INVOKE, *values))
    except UnicodeEncodeError:
        payload = b""
    length = len(payload)
    if not 0 < length <= MAX_FRAME_BYTES:
        return encode_frame(Invoke(**dict(zip(Invoke.__struct_fields__, values, strict=True))))
    return header(length) + payload


def encode_payload(frame: Frame) -> bytes:
    """`frame` without its length, as who reads the stream gets it. Raises FrameError."""
    return encode_frame(frame)[HEADER_BYTES:]


def decode_frame(payload: bytes | memoryview) -> AnyFrame:
    """One frame from msgpack without its length. Raises FrameError."""
    try:
        return _decoder().decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise FrameError(f"a frame cannot be read: {error}") from error


def frame_kind(payload: bytes) -> str:
    """The tag of a frame's msgpack ("result", "spans", ...), its first field, by which those that the server
    only hands on are told apart undecoded. Raises FrameError."""
    start = 3 if payload[:1] == _ARRAY_16 else 1
    if len(payload) > start and (payload[0] & 0xF0 == 0x90 or start == 3):
        head = payload[start]
        if 0xA0 <= head <= 0xBF:  # a text of up to 31 bytes
            begin = start + 1
            return payload[begin : begin + (head & 0x1F)].decode("ascii", "replace")
    return str(type(decode_frame(payload)).__struct_config__.tag)


class FrameDecoder:
    """Cuts a byte stream into frames. Feed it what the socket gave; it keeps what is not complete."""

    __slots__ = ("_payloads", "_reader")

    def __init__(self) -> None:
        self._payloads: list[bytes] = []
        self._reader = FrameReader(self._payloads.append)

    @property
    def pending_bytes(self) -> int:
        """Bytes of a frame that is not complete yet."""
        return self._reader.pending_bytes

    def feed(self, data: bytes) -> Iterator[AnyFrame]:
        """The frames that `data` completes. Raises FrameError behind the last whole one; the stream is then
        unusable."""
        damage: FrameError | None = None
        try:
            self._reader.feed(data)
        except FrameError as error:
            damage = error
        payloads = self._payloads.copy()
        self._payloads.clear()
        for payload in payloads:
            yield decode_frame(payload)
        if damage is not None:
            raise damage
