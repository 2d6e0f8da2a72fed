"""The gateway's listening socket and its connections."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import os
import socket
import stat
import time
from email.utils import formatdate

from relive_base.errors import ReliveError
from uvicorn.config import Config
from uvicorn.server import ServerState

from relive_platform.triggers.http.connections.connection import Connection
from relive_platform.triggers.http.connections.head import HeadTexts
from relive_platform.triggers.http.connections.http2 import Http2
from relive_platform.triggers.http.connections.limits import ListenerLimits
from relive_platform.triggers.http.connections.listening import Gatekeeper
from relive_platform.triggers.http.connections.marks import GONE, Mark
from relive_platform.triggers.http.connections.moving import Moves, MovingConnection

__all__ = ["AddressTaken", "HttpListener", "ListenerLimits"]


class AddressTaken(ReliveError):
    """Something else listens on the gateway's address."""


def _remove_stale(path: str) -> None:
    """Take away a socket that nobody listens on; anything else stays, and binding fails."""
    try:
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.connect(path)
    except FileNotFoundError:
        pass
    except ConnectionRefusedError:
        os.unlink(path)


async def _never_called(scope: object, receive: object, send: object) -> None:
    """uvicorn's configuration wants an ASGI application; requests go to the gateway without one."""


class HttpListener:
    """The listening socket and its connections."""

    def __init__(
        self, gateway: Gatekeeper, limits: ListenerLimits | None = None, flag: str = "--http"
    ) -> None:
        """`flag`: of `relive serve`, which chooses the address."""
        self.gateway = gateway
        self._flag = flag
        self.texts = HeadTexts()
        self.date = b""
        self.limits = limits or ListenerLimits()
        self.loop = asyncio.get_running_loop()
        self.state = ServerState()
        self.refused = 0
        self.closed_idle = 0  # to make room for others
        self.config = Config(
            _never_called,
            http="httptools",
            ws="none",
            lifespan="off",
            interface="asgi3",
            proxy_headers=False,
            server_header=False,
            access_log=False,
            log_config=None,
            timeout_keep_alive=int(self.limits.keep_alive_s),
        )
        self.config.load()
        self.address = ""
        self._path = ""
        self._bound: socket.socket | None = None
        self._server: asyncio.Server | None = None
        self._sweeper: asyncio.TimerHandle | None = None
        self.moves: Moves | None = None  # if there are several gateways
        self.http2: Http2 | None = None  # who takes connections that begin with it

    async def start(self, host: str, port: int, *, loopback: bool = False) -> None:
        """Listen. Raises AddressTaken; even if `loopback` is wanted and `host` is no such address."""
        self.bind(host, port, loopback=loopback)
        await self.serve_bound()

    def bind(self, host: str, port: int, *, loopback: bool = False) -> None:
        """Take the address: `address` says it from now on. As `start`, whose second half is `serve_bound`."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((host, port))
            sock.listen(self.limits.backlog)  # two may bind one port; only one can listen there
        except OSError as error:
            sock.close()
            taken = error.errno == errno.EADDRINUSE
            raise AddressTaken(
                "address already in use" if taken else f"cannot listen: {error.strerror}",
                where=f"{host}:{port}",
                hint=f"stop it, or choose another address with {self._flag} (port 0 picks a free one)",
            ) from error
        bound = sock.getsockname()
        if loopback and not ipaddress.ip_address(bound[0]).is_loopback:
            sock.close()
            raise AddressTaken(
                f"{host} is {bound[0]} here, which other machines can reach",
                where=f"{host}:{port}",
                hint="listen on 127.0.0.1, or on an address and set RELIVE_TOKEN",
            )
        shown = f"[{bound[0]}]" if family == socket.AF_INET6 else bound[0]
        self._bound = sock
        self.address = f"http://{shown}:{bound[1]}"

    async def serve_bound(self) -> None:
        """Take connections at the address that `bind` took."""
        sock, self._bound = self._bound, None
        if sock is not None:
            await self._serve(sock, self.address)

    async def start_unix(self, path: str) -> None:
        """Listen on a unix socket that only this user can connect to. Raises AddressTaken."""
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            _remove_stale(path)
            os.fchmod(sock.fileno(), 0o600)  # the mode that bind gives the file
            sock.bind(path)
        except OSError as error:
            sock.close()
            taken = error.errno == errno.EADDRINUSE
            raise AddressTaken(
                "address already in use" if taken else f"cannot listen: {error.strerror or error}",
                where=path,
                hint=f"stop it, or choose another path with {self._flag} unix:///PATH",
            ) from error
        self._path = path
        await self._serve(sock, f"unix://{path}")

    async def _serve(self, sock: socket.socket, address: str) -> None:
        listen = self.loop.create_unix_server if self._path else self.loop.create_server
        self._server = await listen(self._connection, sock=sock, backlog=self.limits.backlog)
        self.address = address
        self._sweep()

    def _connection(self) -> Connection:
        return Connection(self) if self.moves is None else MovingConnection(self, self.moves)

    def serve_given(self) -> None:
        """Listen nowhere: serve the connections that others give."""
        self._sweep()

    async def take_in(self, descriptor: int, data: bytes, mark: Mark | None = None) -> None:
        """Go on with a connection of another process, of which `data` was read. Takes the descriptor over.
        `mark`: where that process sees how it stands."""
        sock = socket.socket(fileno=descriptor)
        moves = self.moves
        if moves is None:
            sock.close()
            return
        sock.setblocking(False)
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(OSError):  # its client has gone
            await self.loop.connect_accepted_socket(lambda: MovingConnection(self, moves, data, mark), sock)
            return
        if mark is not None:
            mark.tell(GONE)

    def _sweep(self) -> None:
        self.date = b"date: %s\r\n" % formatdate(time.time(), usegmt=True).encode()
        now = self.loop.time()
        for connection in list(self.state.connections):
            if isinstance(connection, Connection):
                connection.sweep(now, self.limits)
        self._sweeper = self.loop.call_later(self.limits.sweep_s, self._sweep)

    def make_room(self, newest: Connection) -> bool:
        """Close the connection that has waited longest without a request; False if each has one."""
        oldest: Connection | None = None
        since = float("inf")
        for connection in self.state.connections:
            if not isinstance(connection, Connection) or connection is newest:
                continue
            if 0.0 < connection.waits_since < since:
                oldest, since = connection, connection.waits_since
        if oldest is None:
            return False
        self.closed_idle += 1
        oldest.transport.abort()  # it has read its answers, or is told no more
        self.state.connections.discard(oldest)
        return True

    @property
    def connections(self) -> int:
        """Open ones."""
        return len(self.state.connections)

    def stop_accepting(self) -> None:
        """Close the listening socket; open connections close after their response."""
        if self._server is not None:
            self._server.close()
            self._server = None
            if self._path:
                with contextlib.suppress(OSError):
                    os.unlink(self._path)
        for connection in list(self.state.connections):
            connection.shutdown()

    async def close(self) -> None:
        """Close everything."""
        self.stop_accepting()
        if self._bound is not None:
            self._bound.close()
        if self._sweeper is not None:
            self._sweeper.cancel()
        for connection in list(self.state.connections):
            if connection.transport is not None:
                connection.transport.abort()
        await asyncio.sleep(0)
