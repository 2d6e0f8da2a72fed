"""A client's connection and a worker's, joined: bytes go through as they come, as fast as the slower end
reads them."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Final, Protocol

from relive_platform.triggers.grpc.limits import WireLimits
from relive_platform.triggers.grpc.watch import NO_ERROR, Boundary, Flood, Watch, goaway

__all__ = ["ClientSide"]

_LAST_STREAM: Final = 0x7FFF_FFFF
_EARLY_BYTES: Final = 262_144
"""What a client may send before it has a worker."""


class Releasing(Protocol):
    """A connection's hold on its worker."""

    @property
    def port(self) -> int: ...
    @property
    def leaving(self) -> bool: ...
    def announce(self, from_port: int) -> None: ...
    def release(self) -> None: ...


class _WorkerSide(asyncio.Protocol):
    """The connection to the worker."""

    def __init__(self, client: ClientSide) -> None:
        self._client = client
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        self._client.put(data)

    def eof_received(self) -> bool | None:
        return None

    def connection_lost(self, exc: Exception | None) -> None:
        self._client.worker_lost()

    def pause_writing(self) -> None:
        self._client.pause_reading()

    def resume_writing(self) -> None:
        self._client.resume_reading()


class ClientSide(asyncio.Protocol):
    """One connection of a client, until its end."""

    def __init__(
        self,
        limits: WireLimits,
        begin: Callable[[ClientSide], None],
        on_over: Callable[[ClientSide], None],
    ) -> None:
        """`begin` is told once it is open, `on_over` when it has gone."""
        self._loop = asyncio.get_running_loop()
        self._limits = limits
        self._begin = begin
        self._on_over = on_over
        self._watch = Watch(limits, self._loop.time)
        self._early = bytearray()
        self._worker: _WorkerSide | None = None
        self._joined: asyncio.Transport | None = None  # the worker's end
        self._wire: Releasing | None = None
        self._gone = False
        self._boundary = Boundary()
        self._to_leave = False  # as soon as a frame ends
        self._away = False  # it was told
        self.transport: asyncio.Transport | None = None
        self.opened = self.used = self._loop.time()
        self.unread_since = 0.0
        self.closed_for = ""  # why this end has closed it
        self.sent_bytes = self.received_bytes = 0

    # ------------------------------------------------------------ its worker

    async def join(self, host: str, wire: Releasing) -> None:
        """It has a worker until its end: connect it to where that listens. Raises OSError."""
        if self._gone:
            wire.release()
            return
        self._wire = wire
        worker = self._worker = _WorkerSide(self)
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        try:
            sock.bind((host, 0))
            wire.announce(sock.getsockname()[1])
            await self._loop.sock_connect(sock, (host, wire.port))
        except BaseException:
            sock.close()
            raise
        transport, _ = await self._loop.create_connection(lambda: worker, sock=sock)
        if self.transport is None or self.transport.is_closing():
            transport.abort()
            return
        self._joined = transport
        early, self._early = bytes(self._early), bytearray()
        if early:
            transport.write(early)
        self.transport.resume_reading()

    def put(self, data: bytes) -> None:
        """From the worker."""
        transport = self.transport
        if transport is not None and not transport.is_closing():
            self.used = self._loop.time()
            self.sent_bytes += len(data)
            transport.write(data)
            self._boundary.feed(data)
            if self._to_leave and self._boundary.here:
                self._send_away()

    def leave(self) -> None:
        """Its worker is to leave: the client finishes what it has begun, and opens another connection for
        what follows."""
        if self._away or self._to_leave:
            return
        self._to_leave = True
        if self._boundary.here and self.sent_bytes:  # the server's settings come first
            self._send_away()

    def _send_away(self) -> None:
        self._to_leave, self._away = False, True
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(goaway(NO_ERROR, "the worker leaves", _LAST_STREAM))

    def worker_lost(self) -> None:
        """The worker has closed, or died; the client reads what was sent, then the end."""
        self._joined = None
        if self.transport is not None:
            self.transport.close()

    def pause_reading(self) -> None:
        """The worker does not keep up."""
        if self.transport is not None and not self.transport.is_closing():
            self.transport.pause_reading()

    def resume_reading(self) -> None:
        """It does again."""
        if self.transport is not None and not self.transport.is_closing():
            self.transport.resume_reading()

    # ------------------------------------------------------------ the client

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        self._begin(self)

    def data_received(self, data: bytes) -> None:
        self.used = self._loop.time()
        self.received_bytes += len(data)
        try:
            self._watch.feed(data)
        except Flood as flood:
            self.refuse(flood.code, flood.reason)
            return
        joined = self._joined
        if joined is not None:
            if not joined.is_closing():
                joined.write(data)
            return
        self._early += data
        if len(self._early) > _EARLY_BYTES:
            self.pause_reading()

    def refuse(self, code: int, reason: str) -> None:
        """Close it from this end, and say why."""
        transport = self.transport
        if transport is None or transport.is_closing():
            return
        self.closed_for = reason
        if self._watch.greeted:
            transport.write(goaway(code, reason))
        transport.close()
        if self._joined is not None:
            self._joined.abort()

    def pause_writing(self) -> None:
        self.unread_since = self._loop.time()
        if self._joined is not None:
            self._joined.pause_reading()

    def resume_writing(self) -> None:
        self.unread_since = 0.0
        if self._joined is not None and not self._joined.is_closing():
            self._joined.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self._gone = True
        if self._joined is not None:
            self._joined.close()
        if self._wire is not None:
            self._wire.release()
        self._on_over(self)

    # ------------------------------------------------------------ now and then

    def sweep(self, now: float) -> None:
        """The limits on time."""
        limits = self._limits
        transport = self.transport
        if transport is None:
            return
        if self._wire is not None and self._wire.leaving:
            self.leave()
        if not self._watch.greeted and now - self.opened > limits.preface_s:
            self.closed_for = "it did not begin in time"
            transport.abort()
        elif self.unread_since and now - self.unread_since > limits.unread_s:
            self.closed_for = "it does not read"
            transport.abort()
        elif limits.idle_s and now - self.used > limits.idle_s:
            self.refuse(0, "idle")
