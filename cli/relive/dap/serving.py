"""Clients: the one at the standard streams, or those that come to a port, one after the other."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from relive.dap.channel import Channel
from relive.dap.session import Opener, Session

__all__ = ["listen", "serve_port", "serve_streams"]

_PIECE: Final = 65_536
_TOKEN_S: Final = 30.0
"""A client that has sent nothing for so long before it has shown its token has to leave."""


def serve_streams(opener: Opener, root: Path) -> str:
    """The standard streams are the client's; what others print goes to standard error. Gives what was wrong
    with the client's messages."""
    source, out = os.dup(0), os.dup(1)
    sys.stdout.flush()
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)

    def write(data: bytes) -> None:
        left = memoryview(data)
        while left:
            left = left[os.write(out, left) :]

    return _serve(lambda size: os.read(source, size), write, opener, root, "")


def listen(port: int) -> socket.socket:
    """On loopback. Raises OSError."""
    return socket.create_server(("127.0.0.1", port), backlog=4)


def serve_port(
    listener: socket.socket,
    opener: Opener,
    root: Path,
    token: str,
    tell: Callable[[str], None],
    *,
    once: bool = False,
) -> None:
    """Until Ctrl-C, or `once`: until the first client has left. `tell`: what was wrong with one."""
    while True:
        client, _ = listener.accept()
        with client:
            client.settimeout(_TOKEN_S)
            problem = _serve(client.recv, client.sendall, opener, root, token, client.settimeout)
            if problem:
                tell(problem)
        if once:
            return


def _serve(
    read: Callable[[int], bytes],
    write: Callable[[bytes], None],
    opener: Opener,
    root: Path,
    token: str,
    patience: Callable[[float | None], None] = lambda _: None,
) -> str:
    channel = Channel(read, write)
    session = Session(channel, opener, token=token, root=root, trusted=lambda: patience(None))
    channel.start(session.urgent)
    session.run()
    return channel.problem
