"""What of the telemetry of a worker is taken: only frames of invocations that it has or had, and only as many
as its function may tell. The worker's own recording keeps to both; code that writes into the channel itself
need not.
"""

from __future__ import annotations

from itertools import islice
from typing import Final

import msgspec
from relive_base.wire.messages import Logs, Spans

from relive_platform.evidence.takes import Take

__all__ = ["FLOOD_BYTES", "Intake", "frame_invocation", "frame_lines"]

FLOOD_BYTES: Final = 64 * 1_048_576
"""What a worker may send in one invocation beyond its limits, which nobody keeps; then it is ended."""
_ATTRIBUTE_BYTES: Final = 4_096  # of a line are free; what is more counts as its text does
_INVOCATIONS: Final = 256  # of a worker at least, whose stragglers may still come
_ARRAY_16: Final = 0xDC
_STR_8: Final = 0xD9
_frames: msgspec.msgpack.Decoder[Spans | Logs] = msgspec.msgpack.Decoder(Spans | Logs)


def frame_invocation(payload: bytes) -> bytes:
    """The invocation id of a frame, its second field, as it stands; b"" if there is none."""
    start = 3 if payload[0] == _ARRAY_16 else 1
    at = start + 1 + (payload[start] & 0x1F)  # behind the tag, a text of up to 31 bytes
    if at >= len(payload):
        return b""
    head = payload[at]
    if head == _STR_8 and at + 1 < len(payload):
        return payload[at + 2 : at + 2 + payload[at + 1]]
    return payload[at + 1 : at + 1 + (head & 0x1F)] if 0xA0 <= head <= 0xBF else b""


def frame_lines(payload: bytes) -> int:
    """How many lines a Logs frame says it has, without a look inside; 0 if it does not say."""
    start = 3 if payload[0] == _ARRAY_16 else 1
    at = start + 1 + (sum(payload[start : start + 1]) & 0x1F)
    text = payload[at : at + 2]
    at += 1 + (text[0] & 0x1F) if text and text[0] != _STR_8 else 2 + sum(text[1:])
    head = payload[at : at + 1]
    if head in (b"\xdc", b"\xdd"):
        return int.from_bytes(payload[at + 1 : at + (3 if head == b"\xdc" else 5)], "big")
    return head[0] & 0x0F if head and 0x90 <= head[0] <= 0x9F else 0


class _Meter:
    """What has come of one invocation."""

    __slots__ = ("bytes", "text")

    def __init__(self) -> None:
        self.bytes: dict[str, int] = {}  # as they came, by tag
        self.text = 0


class Intake:
    """Of one worker. `limit_bytes` is its function's `output_limit_bytes`.

    Lines are counted as they come, without a look inside, until they could be over the limit; from there on
    by their text. So a worker that keeps to its limit is never cut, and one that does not gets twice as much.
    """

    __slots__ = ("_limit", "_meters", "_nobodys", "over_bytes")

    def __init__(self, limit_bytes: int) -> None:
        self.over_bytes = 0  # refused since the invocation began
        self._limit = limit_bytes
        self._meters: dict[str, _Meter | None] = {}  # none yet: nothing has come
        self._nobodys: _Meter | None = None  # of frames that name no invocation

    def begin(self, invocation_id: str) -> None:
        """The worker gets an invocation."""
        meters = self._meters
        meters[invocation_id] = None
        self._nobodys = None
        self.over_bytes = 0
        if len(meters) > 2 * _INVOCATIONS:  # seldom, and many at once
            for name in list(islice(meters, _INVOCATIONS)):
                del meters[name]

    def takes(self, invocation_id: str, payload: bytes, take: Take) -> bool:
        """Whether a frame of this kind is taken, which names this invocation ("": none). Raises
        msgspec.DecodeError."""
        meter = self._meter(invocation_id)
        size = len(payload)
        if meter is not None:
            come = meter.bytes[take.tag] = meter.bytes.get(take.tag, 0) + size
            limit = take.limit_bytes
            if come <= (limit or self._limit) or (not limit and self._within(meter, payload)):
                return True
        self.over_bytes += size
        return False

    def _meter(self, invocation_id: str) -> _Meter | None:
        """Of a frame's invocation; None if it is somebody else's."""
        if not invocation_id:
            self._nobodys = self._nobodys or _Meter()
            return self._nobodys
        if invocation_id not in self._meters:
            return None
        meter = self._meters[invocation_id] = self._meters[invocation_id] or _Meter()
        return meter

    @property
    def flooded(self) -> bool:
        """Whether so much has come beyond the limits that no code of ours can have sent it."""
        return self.over_bytes > FLOOD_BYTES

    def _within(self, meter: _Meter, payload: bytes) -> bool:
        if meter.text > self._limit:
            return False
        frame = _frames.decode(payload)
        for line in frame.lines if isinstance(frame, Logs) else ():
            more = sum(len(name) + len(str(value)) for name, value in line.attributes.items())
            meter.text += len(line.body) + 1 + max(more - _ATTRIBUTE_BYTES, 0)
        return meter.text <= self._limit
