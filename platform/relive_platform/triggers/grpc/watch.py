"""What a client sends on a connection of HTTP/2, as far as the heads of its frames tell: enough to see a
flood, without decoding a header."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from relive_platform.triggers.grpc.limits import WireLimits
from relive_platform.triggers.http.connections.http2 import PREFACE

__all__ = [
    "ENHANCE_YOUR_CALM",
    "NO_ERROR",
    "PREFACE",
    "PROTOCOL_ERROR",
    "Boundary",
    "Flood",
    "Watch",
    "goaway",
]

NO_ERROR: Final = 0
PROTOCOL_ERROR: Final = 1
ENHANCE_YOUR_CALM: Final = 11
_HEAD_BYTES: Final = 9
_DATA, _HEADERS, _PRIORITY, _RST_STREAM, _SETTINGS, _PUSH, _PING, _GOAWAY, _WINDOW, _CONTINUATION = range(10)
_END_STREAM: Final = 0x1
_END_HEADERS: Final = 0x4
_COSTLY: Final = frozenset((_PRIORITY, _RST_STREAM, _SETTINGS, _PING))


class Flood(Exception):
    """A client does what no client of gRPC does. `code`: of HTTP/2."""

    def __init__(self, reason: str, code: int = ENHANCE_YOUR_CALM) -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code


class Boundary:
    """Where frames end in what a server sends: there, and nowhere else, others can be put between them."""

    def __init__(self) -> None:
        self._head = b""
        self._skip = 0
        self._headers = False  # of a call, which go on in the next frame

    @property
    def here(self) -> bool:
        """Whether all that has been fed is whole frames."""
        return not self._head and not self._skip and not self._headers

    def feed(self, data: bytes) -> None:
        """What the server has sent."""
        if self._head:
            data = self._head + data
            self._head = b""
        at, size = self._skip, len(data)
        while at + _HEAD_BYTES <= size:
            kind = data[at + 3]
            if kind in (_HEADERS, _CONTINUATION):
                self._headers = not data[at + 4] & _END_HEADERS
            at += _HEAD_BYTES + (data[at] << 16 | data[at + 1] << 8 | data[at + 2])
        if at < size:
            self._head, self._skip = data[at:], 0
        else:
            self._skip = at - size


class Watch:
    """Of one connection. `feed` it all that the client sends."""

    def __init__(self, limits: WireLimits, now: Callable[[], float]) -> None:
        self._limits = limits
        self._now = now
        self._begun = b""  # of the preface
        self.greeted = False  # the preface was there
        self._head = b""  # the beginning of a frame's head
        self._skip = 0  # bytes of a frame's content that are still to come
        self._left = float(limits.burst)  # of the costly frames
        self._since = now()
        self._header_bytes = 0  # of a call's headers that are not complete
        self._header_frames = 0
        self.streams = 0  # calls that have begun
        self.resets = 0

    def feed(self, data: bytes) -> None:
        """Raises Flood; then nothing of `data` goes on."""
        if not self.greeted:
            data = self._greet(data)
            if not self.greeted:
                return
        skip, size = self._skip, len(data)
        if self._head:
            data, size = self._head + data, size + len(self._head)
            self._head = b""
        at = skip
        while at + _HEAD_BYTES <= size:
            length = data[at] << 16 | data[at + 1] << 8 | data[at + 2]
            self._frame(data[at + 3], data[at + 4], length)
            at += _HEAD_BYTES + length
        if at < size:
            self._head, self._skip = data[at:], 0
        else:
            self._skip = at - size

    def _greet(self, data: bytes) -> bytes:
        """What follows the preface. Raises Flood."""
        begun = self._begun + data[: len(PREFACE) - len(self._begun)]
        if not PREFACE.startswith(begun):
            raise Flood("it does not speak HTTP/2 with prior knowledge, as gRPC does", PROTOCOL_ERROR)
        rest = data[len(begun) - len(self._begun) :]
        self._begun = begun
        self.greeted = len(begun) == len(PREFACE)
        return rest

    def _frame(self, kind: int, flags: int, length: int) -> None:
        if kind == _DATA:
            if not length and not flags & _END_STREAM:
                self._cost("empty parts of bodies")
        elif kind == _HEADERS:
            self.streams += 1
            self._header_bytes = self._header_frames = 0
            self._headers(flags, length)
        elif kind == _CONTINUATION:
            self._headers(flags, length)
        elif kind in _COSTLY:
            self.resets += kind == _RST_STREAM
            self._cost("resets of calls" if kind == _RST_STREAM else "pings, settings or priorities")

    def _headers(self, flags: int, length: int) -> None:
        limits = self._limits
        self._header_bytes += length
        self._header_frames += 1
        if self._header_bytes > limits.header_bytes or self._header_frames > limits.header_frames:
            raise Flood(
                f"the headers of a call are over {limits.header_bytes} bytes or {limits.header_frames} frames"
            )
        if flags & _END_HEADERS:
            self._header_bytes = self._header_frames = 0

    def _cost(self, what: str) -> None:
        """Costly frames come out of a bucket that fills again with time."""
        self._left -= 1
        if self._left >= 0:
            return
        now = self._now()
        limits = self._limits
        self._left = min(self._left + (now - self._since) * limits.per_s, float(limits.burst))
        self._since = now
        if self._left < 0:
            raise Flood(f"more {what} than {limits.burst} at once or {limits.per_s:g} a second")


def goaway(code: int, reason: str, last_stream: int = 0) -> bytes:
    """The frame that says why a connection is closed. `last_stream`: up to which calls are served still."""
    debug = reason.encode("ascii", "replace")[:255]
    length = 8 + len(debug)
    head = length.to_bytes(3, "big") + bytes((_GOAWAY, 0, 0, 0, 0, 0))
    return head + last_stream.to_bytes(4, "big") + code.to_bytes(4, "big") + debug
