"""The framing of every stream and file of ours: 4 bytes of length, the highest first, and as many bytes.

It knows bytes and nothing of what is in them. Three ways to read, for three kinds of reader: `FrameReader`
for a stream that comes in pieces, `whole_frames` for bytes that are all there, `read_frame` for one that
waits for a single frame.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import Final

from relive_base.errors import ReliveError

__all__ = [
    "HEADER_BYTES",
    "MAX_FRAME_BYTES",
    "FrameError",
    "FrameReader",
    "framed",
    "header",
    "put_header",
    "read_frame",
    "whole_frames",
]

MAX_FRAME_BYTES: Final = 64 * 1024 * 1024
HEADER_BYTES: Final = 4
_LENGTH: Final = struct.Struct(">I")
_length_at = _LENGTH.unpack_from

header: Final = _LENGTH.pack
"""What stands before so many bytes."""


class FrameError(ReliveError):
    """A frame on the wire is malformed or over the limit."""


def framed(body: bytes) -> bytes:
    """`body` with its length before it."""
    return header(len(body)) + body


def put_header(buffer: bytearray) -> None:
    """Write the length of what follows into the first HEADER_BYTES of `buffer`, which are free for it."""
    _LENGTH.pack_into(buffer, 0, len(buffer) - HEADER_BYTES)


class FrameReader:
    """Cuts a byte stream into payloads and hands each to `on_payload`.

    A frame that is not complete is kept; large ones are collected without copying what already came.
    """

    __slots__ = ("_buffer", "_need", "_on_payload")

    def __init__(self, on_payload: Callable[[bytes], object]) -> None:
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
        start = 0
        size = len(data)
        while size - start >= HEADER_BYTES:
            (length,) = _length_at(data, start)
            if length > MAX_FRAME_BYTES:
                raise FrameError(f"a frame announces {length} bytes, over {MAX_FRAME_BYTES}")
            end = start + HEADER_BYTES + length
            if end > size:
                self._need = end - start
                break
            payload = data[start + HEADER_BYTES : end]
            start = end
            self._on_payload(payload)
        else:
            self._need = HEADER_BYTES
        if start < size:
            self._buffer += data[start:]


def whole_frames(data: bytes | memoryview) -> Iterator[bytes | memoryview]:
    """The payload of each frame in `data`, which nothing is to follow. Raises FrameError if one is cut off.
    Of a memoryview nothing is copied; of bytes small frames are read faster."""
    start, size = 0, len(data)
    last = size - HEADER_BYTES
    while start <= last:
        begin = start + HEADER_BYTES
        end = begin + _length_at(data, start)[0]
        if end > size:
            break
        yield data[begin:end]
        start = end
    if start < size:
        raise FrameError(f"a frame is cut off at byte {start} of {size}")


def read_frame(receive_into: Callable[[memoryview], int], limit: int = MAX_FRAME_BYTES) -> bytearray | None:
    """The payload of the next frame, by a blocking call such as `socket.recv_into`; None if the other side
    has gone, which may be in the middle of one. Raises FrameError over `limit` bytes, before it takes any."""
    head = _exactly(receive_into, HEADER_BYTES)
    if head is None:
        return None
    (length,) = _length_at(head)
    if length > limit:
        raise FrameError(f"a frame announces {length} bytes, over {limit}")
    return _exactly(receive_into, length)


def _exactly(receive_into: Callable[[memoryview], int], size: int) -> bytearray | None:
    buffer = bytearray(size)
    view = memoryview(buffer)
    got = 0
    while got < size:
        count = receive_into(view[got:])
        if not count:
            return None
        got += count
    return buffer
