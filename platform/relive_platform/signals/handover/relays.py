"""Batches of the gateways beside the server, which has the one collector's process: passed on as they are.

A gateway's `Collector` believes that the other end of its socket is that process. Numbers, what is kept until
it is spooled and the journal are the gateway's own; batches and answers say whose run they are.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from typing import Final

import msgspec
from relive_base.wire.framing import FrameError, FrameReader, framed

from relive_platform.signals.handover.batches import Batch

__all__ = ["Relays"]

_log = logging.getLogger(__name__)
_encoder: Final = msgspec.msgpack.Encoder()


class _Relay(asyncio.Protocol):
    """The server's end of one gateway's socket."""

    def __init__(self, run: int, owner: Relays) -> None:
        self.run = run
        self._owner = owner
        self._reader = FrameReader(lambda payload: owner.pass_on(framed(payload)))
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        self._owner.opened(self)

    def data_received(self, data: bytes) -> None:
        try:
            self._reader.feed(data)
        except FrameError as error:
            _log.error("a gateway sent nonsense: %s", error)
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._owner.closed(self)

    def write(self, message: bytes) -> None:
        if self._transport is not None:
            self._transport.write(message)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()


class Relays:
    """Of one server. `write` sends to the collector's process. Everything runs on the event loop."""

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self._write = write
        self._open: dict[int, _Relay] = {}
        self._gone: set[int] = set()
        self._up = False

    async def add(self, run: int, sock: socket.socket) -> None:
        """A gateway's socket. While there is no process it is closed at once: the gateway tries again."""
        if not self._up:
            sock.close()
            return
        await asyncio.get_running_loop().create_unix_connection(lambda: _Relay(run, self), sock=sock)

    def opened(self, relay: _Relay) -> None:
        """It can be written to."""
        before = self._open.get(relay.run)
        self._open[relay.run] = relay
        if before is not None:
            before.close()
        if not self._up:
            relay.close()

    def closed(self, relay: _Relay) -> None:
        """Its gateway has closed it, or this has."""
        if self._open.get(relay.run) is relay:
            del self._open[relay.run]
            if relay.run in self._gone:
                self._tell_gone(relay.run)

    def pass_on(self, message: bytes) -> None:
        """A frame of a gateway."""
        if self._up:
            self._write(message)

    def answer(self, run: int, payload: bytes) -> None:
        """An answer for a gateway."""
        relay = self._open.get(run)
        if relay is not None:
            relay.write(framed(payload))

    def gone(self, run: int) -> None:
        """A gateway was killed: what it has not handed on is in its journal. A process that is started later
        finds that by itself."""
        self._gone.add(run)
        if run not in self._open:  # else what it has sent is read first
            self._tell_gone(run)

    def _tell_gone(self, run: int) -> None:
        self._gone.discard(run)
        if self._up:
            self._write(framed(_encoder.encode(Batch(0, run=run, gone=True))))

    def begin(self) -> None:
        """There is a process."""
        self._up = True

    def end(self) -> None:
        """The process has ended: gateways hand on anew what it has not spooled."""
        self._up = False
        for relay in list(self._open.values()):
            relay.close()
