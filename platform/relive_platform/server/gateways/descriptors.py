"""Sockets that go from one process of the server to another, each with bytes that belong to it."""

from __future__ import annotations

import array
import asyncio
import logging
import os
import socket
from collections import deque
from collections.abc import Callable
from typing import Final

__all__ = ["Descriptors"]

_PACKET_BYTES: Final = 60_000  # a packet is one buffer of the kernel
_AT_ONCE: Final = 64
_WAITING: Final = 4_096  # sockets that wait for the other process; what comes then is closed
_INT: Final = array.array("i").itemsize
_log = logging.getLogger(__name__)


class Descriptors:
    """One end of a SOCK_SEQPACKET pair. The first byte of a packet is its kind, the second says whether more
    of it follows; the first packet has the descriptor. Everything runs on the event loop."""

    def __init__(
        self,
        sock: socket.socket,
        taken: Callable[[str, int, bytes], object],
        lost: Callable[[bytes], object] = lambda _data: None,
    ) -> None:
        """`taken` gets kind, descriptor, which is its own to close, and bytes; `lost` the first bytes of what
        has come without a descriptor, because this process has too many files open."""
        sock.setblocking(False)
        self._sock: socket.socket | None = sock
        self._taken = taken
        self._lost = lost
        self._skips = False  # what follows belongs to one that was lost
        self._loop = asyncio.get_running_loop()
        self._unsent: deque[tuple[bytes, int]] = deque()  # -1: no descriptor
        self._coming: tuple[str, int, bytes] | None = None
        self._writing = False
        self.dropped = 0
        self._loop.add_reader(sock.fileno(), self._readable)

    def send(self, kind: str, descriptor: int, data: bytes = b"") -> bool:
        """Give a descriptor away: it is closed here. False: too many wait, or the other process has gone."""
        if self._sock is None or len(self._unsent) >= _WAITING:
            self.dropped += 1
            os.close(descriptor)
            return False
        pieces = [data[at : at + _PACKET_BYTES] for at in range(0, len(data), _PACKET_BYTES)] or [b""]
        for number, piece in enumerate(pieces):
            more = b"1" if number < len(pieces) - 1 else b"0"
            self._unsent.append((kind.encode() + more + piece, -1 if number else descriptor))
        if not self._writing:
            self._flush()
        return True

    def close(self) -> None:
        """Close it, and what was to be sent."""
        sock, self._sock = self._sock, None
        if sock is not None:
            self._loop.remove_reader(sock.fileno())
            self._loop.remove_writer(sock.fileno())
            sock.close()
        for _, descriptor in self._unsent:
            if descriptor >= 0:
                os.close(descriptor)
        self._unsent.clear()
        if self._coming is not None:
            os.close(self._coming[1])
            self._coming = None

    def _flush(self) -> None:
        sock = self._sock
        while self._unsent and sock is not None:
            packet, descriptor = self._unsent[0]
            rights = array.array("i", [descriptor] if descriptor >= 0 else [])
            try:
                sock.sendmsg([packet], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)] if rights else [])
            except BlockingIOError:
                if not self._writing:
                    self._writing = True
                    self._loop.add_writer(sock.fileno(), self._flush)
                return
            except OSError:
                self.close()  # the other process has gone
                return
            self._unsent.popleft()
            if descriptor >= 0:
                os.close(descriptor)
        if self._writing and sock is not None:
            self._writing = False
            self._loop.remove_writer(sock.fileno())

    def finish(self) -> None:
        """The other process has ended: take what it has sent before, and close."""
        while self._read():
            pass
        self.close()

    def _readable(self) -> None:
        for _ in range(_AT_ONCE):
            if not self._read():
                return

    def _read(self) -> bool:
        """Take a packet; whether there was one."""
        if self._sock is None:
            return False
        try:
            packet, control, _, _ = self._sock.recvmsg(
                _PACKET_BYTES + 2, socket.CMSG_SPACE(_INT), socket.MSG_CMSG_CLOEXEC
            )
        except BlockingIOError:
            return False
        except OSError:
            packet = b""
        if not packet:
            self.close()
            return False
        self._take(packet, control)
        return True

    def _take(self, packet: bytes, control: list[tuple[int, int, bytes]]) -> None:
        kind, more, data = packet[:1].decode(), packet[1:2] == b"1", packet[2:]
        for level, what, rights in control:
            if level == socket.SOL_SOCKET and what == socket.SCM_RIGHTS and len(rights) >= _INT:
                self._coming = kind, array.array("i", rights[:_INT])[0], b""
        if self._coming is None:
            if not self._skips:
                _log.error("a connection was lost on its way: this process has too many files open")
                self._lost(data)
            self._skips = more
            return
        kind, descriptor, before = self._coming
        self._coming = None
        if more:
            self._coming = kind, descriptor, before + data
        else:
            self._taken(kind, descriptor, before + data)
