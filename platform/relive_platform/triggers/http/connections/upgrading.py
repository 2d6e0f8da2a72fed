"""A request that asks for another protocol on its connection."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol, cast

from relive_platform.triggers.http.connections.exchange import Exchange, Sender

__all__ = ["UpgradeExchange", "Upgraded"]


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

    def upgrade(self, upgraded: Upgraded) -> None:
        """Give the connection away, once this request is read."""
        self.keep_alive = False  # whatever answer it still gets
        self.protocol.upgraded = upgraded

    def connection_lost(self, error: Exception | None) -> None:
        """The connection has gone, and has told who has it now."""
        self.protocol.connection_lost(error)
