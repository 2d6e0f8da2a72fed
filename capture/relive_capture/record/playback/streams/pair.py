"""A socket whose other end answers from the recording. What it gets are real bytes, so that whatever waits
for them waits as for any socket."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import Any, Final, Protocol

__all__ = ["AnsweredSocket", "Answerer"]

_SEND: Final = socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL


class Answerer(Protocol):
    """Who has the answers."""

    def sent(self, data: bytes) -> bytes:
        """The function has sent this; what comes back at once."""

    def awaited(self) -> bytes:
        """It reads, and there is nothing: what comes now. Raises what reading ended in."""

    @property
    def ended(self) -> bool:
        """Whether the other end has closed the connection."""


class AnsweredSocket(socket.socket):
    """One end of a pair; the other end is held here, and given what `answerer` says."""

    __slots__ = ("_answerer", "_far", "_peer", "_todo")

    def __init__(self, answerer: Answerer, peer: tuple[str, int]) -> None:
        near, far = socket.socketpair()
        super().__init__(near.family, near.type, near.proto, fileno=near.detach())
        self._answerer = answerer
        self._far = far
        self._peer = peer
        self._todo = bytearray()

    def _give(self, data: bytes) -> None:
        self._todo += data
        while self._todo:
            try:
                count = self._far.send(self._todo, _SEND)
            except OSError:  # it is full: the rest goes once some of it is read
                return
            del self._todo[:count]
        if self._answerer.ended:
            with suppress(OSError):
                self._far.shutdown(socket.SHUT_WR)

    def sendall(self, data: Any, flags: int = 0) -> None:
        self._give(self._answerer.sent(bytes(data)))

    def send(self, data: Any, flags: int = 0) -> int:
        self._give(self._answerer.sent(bytes(data)))
        return len(memoryview(data).cast("B"))

    def sendmsg(self, buffers: Any, *_more: Any) -> int:
        """As asyncio sends many at once."""
        return self.send(b"".join(buffers))

    def _prepare(self) -> None:
        """Before it is read."""
        if self._todo:
            self._give(b"")
        with suppress(BlockingIOError):
            timeout = self.gettimeout()
            self.setblocking(False)
            try:
                super().recv(1, socket.MSG_PEEK)
                return
            finally:
                self.settimeout(timeout)
        self._give(self._answerer.awaited())

    def recv(self, bufsize: int, flags: int = 0) -> bytes:
        self._prepare()
        return super().recv(bufsize, flags)

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        self._prepare()
        return super().recv_into(buffer, nbytes, flags)

    def setsockopt(self, *arguments: Any) -> None:
        """What is for TCP is not for a pair."""

    def getpeername(self) -> Any:
        return self._peer

    def close(self) -> None:
        self._far.close()
        super().close()
