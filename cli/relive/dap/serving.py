"""Clients: the one at the standard streams, or those that come to a port, one after the other."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from relive.dap.channel import Channel
from relive.dap.session import Opener, Session

__all__ = ["listen", "serve_port", "serve_streams"]

_TOKEN_S: Final = 30.0
"""A client that has not shown its token by then has to leave: it holds the only place."""
_LATE: Final = "timed out: it has not shown its token"


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

    channel = Channel(lambda size: os.read(source, size), write)
    session = Session(channel, opener, root=root)
    channel.start(session.urgent)
    session.run()
    return channel.problem


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
    token_s: float = _TOKEN_S,
) -> None:
    """Until Ctrl-C, or `once`: until the first client has left. `tell`: what was wrong with one. `token_s`:
    how long one may take until it has shown its token."""
    while True:
        connection, _ = listener.accept()
        with connection:
            client = _Client(connection, token_s)
            channel = Channel(client.read, client.write)
            session = Session(channel, opener, token=token, root=root, trusted=client.trust)
            channel.start(session.urgent)
            try:
                session.run()
            finally:
                problem = channel.problem
                client.leave()
                channel.join()
            if problem:
                tell(problem)
        if once:
            return


class _Client:
    """A connection that has one deadline, whatever it sends, until it is trusted."""

    def __init__(self, connection: socket.socket, token_s: float) -> None:
        self._connection = connection
        self._deadline = time.monotonic() + token_s
        self._trusted = False

    def trust(self) -> None:
        self._trusted = True
        self._connection.settimeout(None)

    def leave(self) -> None:
        """What is read or written now ends."""
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)

    def read(self, size: int) -> bytes:
        """Raises OSError."""
        while True:
            self._limit()
            try:
                return self._connection.recv(size)
            except TimeoutError:  # it may have been trusted meanwhile
                if not self._trusted:
                    raise TimeoutError(_LATE) from None

    def write(self, data: bytes) -> None:
        """Raises OSError."""
        self._limit()
        self._connection.sendall(data)

    def _limit(self) -> None:
        if self._trusted:
            return
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError(_LATE)
        self._connection.settimeout(left)
        if self._trusted:  # by the other thread, just now
            self._connection.settimeout(None)
