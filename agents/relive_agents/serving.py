"""The server at the other end of stdin and stdout, or on a socket, until it is ended."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Awaitable, Callable
from typing import Any, Final

import anyio
import uvicorn
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp.server.transport_security import TransportSecuritySettings

from relive_agents.guard import Guard

__all__ = ["serve_http", "serve_stdio"]

PATH: Final = "/mcp"
_SESSIONS: Final = 8
_CLOSE_S: Final = 10.0
_IDLE_S: Final = 900.0
_BODY_BYTES: Final = 2 * 1_048_576
_LOOPBACK: Final = ("127.0.0.1", "localhost", "[::1]")


def serve_stdio(server: Server[Any], close: Callable[[], Awaitable[None]]) -> None:
    """Blocks until stdin ends; SIGTERM, SIGHUP and SIGINT end the process after `close`."""

    async def run() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(_leave_on_signal, close)
            async with stdio_server() as (reading, writing):
                await server.run(reading, writing, server.create_initialization_options())
            group.cancel_scope.cancel()

    anyio.run(run)


async def _leave_on_signal(close: Callable[[], Awaitable[None]]) -> None:
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGHUP, signal.SIGINT) as signals:
        async for number in signals:
            with anyio.move_on_after(_CLOSE_S):
                await close()
            os._exit(128 + number)  # a thread may wait for stdin for ever


def serve_http(
    server: Server[Any], listener: socket.socket, token: str, started: Callable[[], None] = lambda: None
) -> None:
    """Blocks until SIGINT or SIGTERM. At most eight sessions; one ends after 15 minutes without a request."""
    port = listener.getsockname()[1]
    app = server.streamable_http_app(
        streamable_http_path=PATH,
        max_request_body_size=_BODY_BYTES,
        session_idle_timeout=_IDLE_S,
        max_sessions=_SESSIONS,
        # Names and origins are the guard's, which knows the port, too.
        transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
    )
    guarded = Guard(app, token, frozenset(f"{name}:{port}" for name in _LOOPBACK))
    config = uvicorn.Config(
        guarded, log_level="warning", access_log=False, server_header=False, lifespan="on", ws="none",
        http="h11",  # httptools loses the body of a request that asks for another protocol
        limit_concurrency=64, timeout_keep_alive=15, timeout_graceful_shutdown=3,
    )  # fmt: skip
    started()
    uvicorn.Server(config).run(sockets=[listener])
