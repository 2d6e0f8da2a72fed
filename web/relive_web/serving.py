"""The pages on a socket, until they are ended."""

from __future__ import annotations

import socket
from collections.abc import Callable

import uvicorn

from relive_web.app import create_app
from relive_web.guard import Doorkeeper
from relive_web.reader import Reader

__all__ = ["serve_pages"]

_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


def serve_pages(
    listener: socket.socket,
    host: str,
    reader: Reader,
    doorkeeper: Doorkeeper,
    started: Callable[[], None] = lambda: None,
) -> None:
    """Blocks until SIGINT or SIGTERM. `host`: the name under which it was asked to listen."""
    port = listener.getsockname()[1]
    names = {*_LOOPBACK, f"[{host}]" if ":" in host else host.lower()}
    app = create_app(reader, doorkeeper, frozenset(f"{name}:{port}" for name in names))
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, server_header=False, lifespan="off", ws="none",
        http="h11",  # httptools loses the body of a request that asks for another protocol
        limit_concurrency=64, timeout_keep_alive=15, timeout_graceful_shutdown=3,
    )  # fmt: skip
    server = uvicorn.Server(config)
    started()
    server.run(sockets=[listener])
