"""The hot path's way to cut frames: kinds are told apart by their first bytes, only some are decoded.

Of an invocation's frames the server itself needs `Result` and `Done`. Spans, logs and profiles go on to the
collector as the bytes they came in, so the event loop never pays for decoding them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from relive_base.wire.messages import MAX_FRAME_BYTES, FrameError, decode_frame

__all__ = ["FrameReader", "frame_kind"]

_HEADER: Final = 4
_ARRAY_16: Final = b"\xdc"  # of up to 15 fields: 0x90 and their number


def frame_kind(payload: bytes) -> str:
    """The tag of a frame's msgpack ("result", "spans", ...), its first field. Raises FrameError."""
    start = 3 if payload[:1] == _ARRAY_16 else 1
    if len(payload) > start and (payload[0] & 0xF0 == 0x90 or start == 3):
        head = payload[start]
        if 0xA0 <= head <= 0xBF:  # a text of up to 31 bytes
            begin = start + 1
            return payload[begin : begin + (head & 0x1F)].decode("ascii", "replace")
    return str(type(decode_frame(payload)).__struct_config__.tag)


class FrameReader:
    """Cuts a byte stream into payloads and hands each to `on_payload`.

    A frame that is not complete is kept; large ones are collected without copying what already came.
    """

    __slots__ = ("_buffer", "_need", "_on_payload")

    def __init__(self, on_payload: Callable[[bytes], None]) -> None:
        self._on_payload = on_payload
        self._buffer = bytearray()
        self._need = 0

    @property
    def pending_bytes(self) -> int:
        """Bytes of a frame that is not complete yet."""
        return len(self._buffer)

    def feed(self, data: bytes) -> None:
        """Hand on every frame that `data` completes. Raises FrameError; the stream is then unusable."""
        if self._buffer:
            self._buffer += data
            if len(self._buffer) < self._need:
                return
            data = bytes(self._buffer)
            self._buffer.clear()
        position = 0
        size = len(data)
        while size - position >= _HEADER:
            length = int.from_bytes(data[position : position + _HEADER], "big")
            if length > MAX_FRAME_BYTES:
                raise FrameError(f"a frame announces {length} bytes, over {MAX_FRAME_BYTES}")
            end = position + _HEADER + length
            if end > size:
                break
            payload = data[position + _HEADER : end]
            position = end
            self._on_payload(payload)
        if position < size:
            self._buffer += data[position:]
            self._need = self._expected()

    def _expected(self) -> int:
        if len(self._buffer) < _HEADER:
            return _HEADER
        return _HEADER + int.from_bytes(self._buffer[:_HEADER], "big")
