"""The worker's end of the wire, for writing: one frame after the other, from any thread, never raising.

With a ring (see ring.py) frames go there, and a bell on the socket tells the server to look; without one, and
if they are large, they go by the socket.
"""

from __future__ import annotations

import os
import socket
import struct
import threading
import time
from collections import deque
from typing import Final

import msgspec

from relive_base.wire.framing import FrameError
from relive_base.wire.messages import Frame, encode_frame
from relive_base.wire.ring import INLINE_BYTES, RingWriter

__all__ = ["BELL", "SEND_TIMEOUT_S", "FrameSink"]

BELL: Final = b"\0\0\0\0"
"""A frame of no length: look into the ring."""

SEND_TIMEOUT_S: Final = 2.0
"""How long one send waits for a server that does not read; a socket option, so it costs nothing per send."""

_FULL_WAIT_S: Final = 0.001
_LATER: Final = 1_000
"""Frames from inside a send that wait for its end."""


class FrameSink:
    """Writes frames to a connected stream socket. Thread-safe.

    A frame that only left in part is finished before the next one begins: the stream never loses its framing,
    even if a signal handler of the user's raises in the middle of a send.
    A send from inside a send of the same thread (a signal handler or a finalizer that prints) waits for it.
    A child that user code forked never writes: its sink is cut off right after the fork.
    """

    def __init__(self, connection: socket.socket, ring: RingWriter | None = None) -> None:
        self._socket = connection
        self._ring = ring
        self.watched = False
        """The server looks into the ring by itself, as an invocation runs: `record` need not ring."""
        self._lock = threading.Lock()
        self._rest = memoryview(b"")  # what has not left yet of a frame that has begun to
        self._sent: list[int] = []  # bytes of `_rest` that have left
        self._inside: set[int] = set()  # threads
        self._later: deque[tuple[bytes, int, bool]] = deque()  # sends from inside a send
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
        self._inside = set()
        self._later.clear()

    def send(self, *frames: Frame) -> bool:
        """Send within SEND_TIMEOUT_S, several frames in one write. False, and counted, if it could not be
        done."""
        data = None if self._cut else self._encode(frames)
        return data is not None and self._send(data, len(frames), True)

    def record(self, *frames: Frame) -> bool:
        """As `send`, for what the server need not see at once: it does within milliseconds, dead or alive."""
        data = None if self._cut else self._encode(frames)
        return data is not None and self._send(data, len(frames), not self.watched)

    def ring(self) -> None:
        """Have the server look at what `send_surely` left for later."""
        if not self._cut and self._ring is not None:
            self._send(b"", 0, True)

    def _encode(self, frames: tuple[Frame, ...]) -> bytes | None:
        try:
            return encode_frame(frames[0]) if len(frames) == 1 else b"".join(map(encode_frame, frames))
        except (FrameError, msgspec.EncodeError, TypeError, ValueError, OverflowError, RecursionError):
            self.failed += 1
            return None

    def _send(self, data: bytes, frames: int, bell: bool) -> bool:
        thread = threading.get_ident()
        if thread in self._inside:
            if len(self._later) >= _LATER:
                self.failed += 1
                return False
            self._later.append((data, frames, bell))
            return True
        sent = self._locked(thread, data, frames, bell)
        while self._later:
            try:
                self._locked(thread, *self._later.popleft())
            except IndexError:
                break  # another thread was faster
        return sent

    def _locked(self, thread: int, data: bytes, frames: int, bell: bool) -> bool:
        on_main = thread == self._main
        if on_main:
            self.busy = True
        try:
            self._inside.add(thread)
            with self._lock:
                ring = self._ring
                if ring is None:
                    return self._write(data)
                if data and not bell and not self._rest and len(data) <= INLINE_BYTES and ring.put(data):
                    return not self._cut  # as nearly always
                return self._write_ring(ring, data, frames, bell)
        finally:
            self._inside.discard(thread)
            if on_main:
                self.busy = False  # last: from here on a timeout may be raised

    def send_surely(self, *frames: Frame, timeout_s: float = 30.0, bell: bool = True) -> bool:
        """Send frames that must not be dropped: try again until `timeout_s` is over. They have left to the
        last byte if this gives True. Without a `bell` the server may see them a few milliseconds later."""
        data = None if self._cut else self._encode(frames)
        if data is None:
            return False
        sent = self._send(data, len(frames), bell)
        if sent and not self._rest:
            return True
        end = time.monotonic() + timeout_s
        while not sent:
            if self._cut or time.monotonic() > end:
                return False
            sent = self._send(data, len(frames), bell)
        while self._rest:
            if self._cut or time.monotonic() > end:
                return False
            self._locked(threading.get_ident(), b"", 0, False)
        return True

    @property
    def open(self) -> bool:
        """Whether there still is somebody to send to."""
        return not self._cut

    def _write(self, data: bytes) -> bool:
        self._push()
        if self._rest:
            self.failed += bool(data)
            return False
        if not data:
            return True
        self._rest = memoryview(data)
        try:
            self._push()
        finally:
            begun = bool(self._sent) or len(self._rest) < len(data)
            if not begun:
                self._rest = memoryview(b"")
                self.failed += 1
        return begun

    def _write_ring(self, ring: RingWriter, data: bytes, frames: int, bell: bool) -> bool:
        if self._rest:
            self._push()
        if data and not (len(data) <= INLINE_BYTES and ring.put(data)):
            # Too large, or the server is behind: by the socket, in its place among what is in the ring.
            if not self._announce(ring, frames):
                self.failed += 1
                return False
            self._rest = memoryview(data)
            self._push()
        elif bell and not self._rest:
            self._rest = memoryview(BELL)
            self._push()
        return not self._cut

    def _announce(self, ring: RingWriter, frames: int) -> bool:
        """Whether frames may go by the socket now: nothing is left of earlier ones, and the ring says so."""
        end = time.monotonic() + SEND_TIMEOUT_S
        while self._rest or not ring.put_elsewhere(frames):
            if self._cut or time.monotonic() > end:
                return False
            if not self._rest:
                self._rest = memoryview(BELL)  # the ring is full to the brim
            self._push()
            time.sleep(_FULL_WAIT_S)
        return True

    def _push(self) -> None:
        """Write as much of `_rest` as the socket takes in time."""
        sent = self._sent
        try:
            while True:
                if sent:
                    self._rest = self._rest[sum(sent) :]
                    sent.clear()
                if not self._rest:
                    return
                # In one step: a signal handler that raises right after the write cannot lose its count.
                sent.extend(map(self._socket.send, (self._rest,)))
        except BlockingIOError:
            pass  # SO_SNDTIMEO is over
        except OSError:
            self._cut = True  # the server is gone: nothing can be sent any more
