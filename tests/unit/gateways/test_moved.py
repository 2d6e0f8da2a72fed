"""Connections that have come from another process of the server."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from relive_platform.triggers.http.connections.connection import Connection
from relive_platform.triggers.http.connections.http2 import PREFACE
from relive_platform.triggers.http.connections.listener import HttpListener


class _Taker:
    """Takes every connection that begins with HTTP/2."""

    here = True

    def __init__(self) -> None:
        self.data = b""

    def take(self, _transport: Any, _address: str, data: bytes, _over: Callable[[], None]) -> _Taker:
        self.data = data
        return self

    def leave(self) -> None:
        pass


async def test_a_connection_of_http2_that_was_given_back_is_not_cut_as_if_it_rested() -> None:
    """Given a connection that another process has given back with the begin of HTTP/2, when the time is over
    that a connection may rest, I expect it to be open: who has taken it has limits of its own."""
    listener = HttpListener(SimpleNamespace())  # type: ignore[arg-type]
    listener.moves = SimpleNamespace(keeps_all=True)  # type: ignore[assignment]
    taker = listener.http2 = _Taker()  # type: ignore[assignment]
    ours, client = socket.socketpair()

    await listener.take_in(ours.detach(), PREFACE + b"more")

    assert taker.data == PREFACE + b"more"
    [connection] = listener.state.connections
    assert isinstance(connection, Connection)
    connection.sweep(asyncio.get_running_loop().time() + 1e6, listener.limits)
    assert not connection.transport.is_closing()
    connection.transport.abort()
    client.close()
