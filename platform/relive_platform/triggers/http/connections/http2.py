"""Connections that begin with HTTP/2: clients of gRPC do, without asking before ("prior knowledge")."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

__all__ = ["PREFACE", "Http2", "Taken"]

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


class Taken(Protocol):
    """Who has such a connection now."""

    def leave(self) -> None:
        """The server stops: its client is to finish, and to go elsewhere."""


class Http2(Protocol):
    """Who takes them. `here`: in this process; else they are handed over."""

    @property
    def here(self) -> bool: ...

    def take(
        self, transport: asyncio.Transport, address: str, data: bytes, over: Callable[[], None], /
    ) -> Taken | None:
        """A connection of a client at `address`, which has sent `data`. `over` is to be called once it has
        gone. None: nobody serves HTTP/2 for it."""
