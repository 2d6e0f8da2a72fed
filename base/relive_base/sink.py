"""The worker's end of the wire, for writing: one frame after the other, from any thread, never raising."""

from __future__ import annotations

import os
import socket
import struct
import threading
import time
from typing import Final

import msgspec

from relive_base.frames import AnyFrame, FrameError, encode_frame

__all__ = ["SEND_TIMEOUT_S", "FrameSink"]

SEND_TIMEOUT_S: Final = 2.0
"""How long one send waits for a server that does not read; a socket option, so it costs nothing per send."""


class FrameSink:
    """Writes frames to a connected stream socket. Thread-safe.

    A frame that only left in part is finished before the next one begins: the stream never loses its framing.
    A child that user code forked never writes: its sink is cut off right after the fork.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._lock = threading.Lock()
        self._rest = b""
        self._cut = False
        self._main = threading.get_ident()
        self.busy = False
        """Whether the main thread is inside a send. A timeout must not be raised there."""
        self.failed = 0
        """Frames that could not be sent."""
        seconds = int(SEND_TIMEOUT_S)
        micros = int((SEND_TIMEOUT_S - seconds) * 1_000_000)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("@ll", seconds, micros))
        os.register_at_fork(after_in_child=self._after_fork)

    def _after_fork(self) -> None:
        self._cut = True
        self._lock = threading.Lock()

    def send(self, *frames: AnyFrame) -> bool:
        """Send within SEND_TIMEOUT_S, several frames in one write. False, and counted, where it could not be
        done."""
        if self._cut:
            return False
        try:
            data = encode_frame(frames[0]) if len(frames) == 1 else b"".join(map(encode_frame, frames))
        except (FrameError, msgspec.EncodeError, TypeError, ValueError, OverflowError, RecursionError):
            self.failed += 1
            return False
        on_main = threading.get_ident() == self._main
        if on_main:
            self.busy = True
        try:
            with self._lock:
                return self._write(data)
        finally:
            if on_main:
                self.busy = False

    def send_surely(self, *frames: AnyFrame, timeout_s: float = 30.0) -> bool:
        """Send frames that must not be dropped: try again until `timeout_s` is over."""
        end = time.monotonic() + timeout_s
        while not self.send(*frames):
            if self._cut or time.monotonic() > end:
                return False
        return True

    def _write(self, data: bytes) -> bool:
        if self._rest:
            self._rest = self._push(self._rest)
            if self._rest:
                self.failed += 1
                return False
        rest = self._push(data)
        if len(rest) == len(data):
            self.failed += 1
            return False
        self._rest = rest
        return True

    def _push(self, data: bytes) -> bytes:
        """Write as much as the socket takes in time; what could not be written."""
        view = memoryview(data)
        try:
            while view:
                view = view[self._socket.send(view) :]
        except BlockingIOError:
            pass  # SO_SNDTIMEO is over
        except OSError:
            self._cut = True  # the server is gone: nothing can be sent any more
        return bytes(view)
