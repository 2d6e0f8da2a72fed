"""The zygote's control socket: frames both ways, and descriptors that come with Fork frames."""

from __future__ import annotations

import socket
from collections import deque
from typing import Final

from relive_base.wire.messages import AnyFrame, Fork, FrameDecoder, encode_frame

__all__ = ["ControlSocket", "ServerGone"]

_READ_BYTES: Final = 65_536
_FDS_PER_READ: Final = 64


class ServerGone(Exception):
    """The server closed its end or died."""


class ControlSocket:
    """Blocking, used by one thread. Descriptors are matched to Fork frames in the order both came."""

    def __init__(self, fd: int) -> None:
        self._socket = socket.socket(fileno=fd)
        self._socket.setblocking(True)
        self._decoder = FrameDecoder()
        self._fds: deque[int] = deque()

    def fileno(self) -> int:
        """For polling."""
        return self._socket.fileno()

    def receive(self) -> list[tuple[AnyFrame, tuple[int, ...]]]:
        """The frames of one read; a Fork frame has its descriptors, none if they did not come.

        Raises ServerGone, FrameError.
        """
        try:
            data, fds, _flags, _address = socket.recv_fds(self._socket, _READ_BYTES, _FDS_PER_READ)
        except (ConnectionError, OSError) as error:
            raise ServerGone from error
        self._fds.extend(fds)
        if not data:
            raise ServerGone
        return [(frame, self._descriptors(frame)) for frame in self._decoder.feed(data)]

    def _descriptors(self, frame: AnyFrame) -> tuple[int, ...]:
        if not isinstance(frame, Fork) or len(self._fds) < frame.descriptors:
            return ()
        return tuple(self._fds.popleft() for _ in range(frame.descriptors))

    def send(self, frame: AnyFrame) -> None:
        """Raises ServerGone."""
        try:
            self._socket.sendall(encode_frame(frame))
        except OSError as error:
            raise ServerGone from error
