"""A request that asks for another protocol on its connection."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol, cast

from relive_platform.triggers.http.connections.exchange import Exchange, Sender

__all__ = ["UpgradeExchange", "Upgraded"]


class _Waiting:
    """What a connection is until it is known which version serves its websocket: it reads nothing."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self.early: bytes | None = None  # what came with the request, once all of that is read
        self.gone = False

    def attach(self, early: bytes, /) -> None:
        self.early = early
        self._transport.pause_reading()

    def lost_early(self) -> None:
        self.gone = True

    def leave(self) -> None:
        self._transport.close()


class Upgraded(Protocol):
    """What a connection becomes: a websocket."""

    def attach(self, early: bytes, /) -> None:
        """The connection is its own from now on; `early` came with the request."""

    def lost_early(self) -> None:
        """The connection has gone before."""

    def leave(self) -> None:
        """The server stops."""


class Switching(Sender, Protocol):
    """The connection, as such a request knows it."""

    upgraded: Upgraded | None

    def connection_lost(self, exc: Exception | None) -> None: ...


class UpgradeExchange(Exchange):
    """Answered like any other, until its connection is given away."""

    protocol: Switching
    _waiting: _Waiting | None = None

    @property
    def version(self) -> str:
        """Of HTTP."""
        return "HTTP/1.0" if self.old else "HTTP/1.1"

    @property
    def transport(self) -> asyncio.Transport:
        """Of the connection."""
        return cast("asyncio.Transport", self.protocol.transport)

    @transport.setter
    def transport(self, _same: Any) -> None:
        pass

    def wait_to_upgrade(self) -> None:
        """The connection will be given away, but it is not known yet to whom."""
        self._waiting = _Waiting(self.transport)
        self.upgrade(self._waiting)

    @property
    def gone(self) -> bool:
        """Whether it was lost while it waited."""
        return self._waiting is not None and self._waiting.gone

    def upgrade(self, upgraded: Upgraded) -> None:
        """Give the connection away, once this request is read."""
        self.keep_alive = False  # whatever answer it still gets
        self.protocol.upgraded = upgraded
        waiting = self._waiting
        if waiting is not None and waiting is not upgraded and waiting.early is not None:
            self.transport.resume_reading()
            upgraded.attach(waiting.early)

    def connection_lost(self, error: Exception | None) -> None:
        """The connection has gone, and has told who has it now."""
        self.protocol.connection_lost(error)
