"""gRPC as a source of events: a listener for each port that a service has claimed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final, Protocol

from relive_base.errors import ReliveError

from relive_platform.triggers.base import Served, ServedConfig
from relive_platform.triggers.grpc.config import GrpcTrigger
from relive_platform.triggers.grpc.limits import WireLimits
from relive_platform.triggers.grpc.splicing import ClientSide

__all__ = ["GrpcSource", "Joining", "PortTaken", "Wiring"]

_log = logging.getLogger(__name__)
_RETRY_S: Final = 2.0
_LOOPBACK: Final = "127.0.0.1"
_ENHANCE_YOUR_CALM: Final = 11
_REFUSED_STREAM: Final = 7
_BACKLOG: Final = 256


class PortTaken(ReliveError):
    """Something else listens on the port of a gRPC service."""


class Joining(Protocol):
    """A worker's end for one connection."""

    @property
    def port(self) -> int: ...
    @property
    def leaving(self) -> bool: ...
    def announce(self, from_port: int, /) -> None: ...
    def release(self) -> None: ...


class Wiring(Protocol):
    """Gives workers to connections: the engine."""

    def connect(self, function: str, /) -> Awaitable[Joining]: ...


class GrpcConfig(ServedConfig, Protocol):
    """What a function says of its callers."""

    @property
    def public(self) -> bool: ...


class GrpcFunction(Served, Protocol):
    """A function with that."""

    @property
    def config(self) -> GrpcConfig: ...


class GrpcAddress(Protocol):
    """Where the gateway listens; `host` is "" for a unix socket."""

    @property
    def host(self) -> str: ...
    @property
    def loopback(self) -> bool: ...


class _Port:
    """One listener."""

    def __init__(self, function: str, host: str, port: int) -> None:
        self.function = function
        self.host = host
        self.port = port
        self.server: asyncio.Server | None = None
        self.problem = ""


class GrpcSource:
    """`address`: the gateway's; a service that is not public is reached on loopback only: its callers show no
    token. If the port of HTTP is not on loopback, it is not reached there at all: a proxy on this machine
    passes on what others send, and cannot be told from a client here."""

    def __init__(self, wiring: Wiring, address: GrpcAddress, limits: WireLimits | None = None) -> None:
        self.limits = limits or WireLimits()
        self.open: dict[ClientSide, str] = {}  # connections, and their functions
        self.ports: dict[int, _Port] = {}
        self._wiring = wiring
        self._host = address.host or _LOOPBACK
        self._loopback = address.loopback
        self._started = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._at_http = ""  # who is reached there
        self._shut_at_http: set[str] = set()  # of whom the log has said that it is not

    async def apply(self, functions: Sequence[GrpcFunction]) -> None:
        """These functions are in service from now on."""
        wanted: dict[int, _Port] = {}
        self._at_http = ""
        for function in functions:
            wide = self._loopback or function.config.public
            for trigger in function.config.triggers:
                if isinstance(trigger, GrpcTrigger) and not trigger.port:
                    self._at_http = function.name if wide else ""
                    if not wide:
                        self._tell_shut(function.name)
                elif isinstance(trigger, GrpcTrigger):
                    host = self._host if wide else _LOOPBACK
                    wanted[trigger.port] = _Port(function.name, host, trigger.port)
        for number, known in list(self.ports.items()):
            new = wanted.pop(number, None)
            if new is not None and new.host == known.host:
                known.function = new.function
            else:
                self._shut(self.ports.pop(number))
                if new is not None:
                    wanted[number] = new
        self.ports |= wanted
        if self._started:
            await self._listen()

    def _tell_shut(self, function: str) -> None:
        if function not in self._shut_at_http:
            self._shut_at_http.add(function)
            _log.warning(
                "gRPC of %s is not served at the port of HTTP: that is not on loopback, and clients of gRPC"
                " show no token; set `public = true`, or give it a port of its own, on 127.0.0.1 then",
                function,
            )

    async def start(self) -> None:
        """Listen. Raises PortTaken."""
        self._started = True
        await self._listen()
        taken = next((port for port in self.ports.values() if port.problem), None)
        if taken is not None:
            await self.close()
            raise PortTaken(
                f"gRPC of {taken.function} cannot listen: {taken.problem}",
                where=f"{taken.host}:{taken.port}",
                hint="stop what listens there, or deploy the function with another port",
            )
        self._sweep()

    async def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        for one in [port for port in self.ports.values() if port.server is None]:
            try:
                accept = partial(self._accept, one)
                one.server = await loop.create_server(accept, one.host, one.port, backlog=_BACKLOG)
            except OSError as error:
                why = os.strerror(error.errno).lower() if error.errno else str(error)
                if one.problem != why:
                    _log.error("gRPC of %s cannot listen on %s:%d: %s", one.function, one.host, one.port, why)
                one.problem = why
            else:
                one.problem = ""

    def _shut(self, port: _Port) -> None:
        if port.server is not None:
            port.server.close()
            port.server = None

    async def close(self) -> None:
        """Take no more connections; those that are open end with their workers."""
        self._started = False
        if self._timer is not None:
            self._timer.cancel()
        for port in self.ports.values():
            self._shut(port)
        for client in list(self.open):
            client.refuse(0, "the server stops")
        for task in list(self._tasks):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    # ------------------------------------------------------------ connections

    def _accept(self, port: _Port) -> ClientSide:
        return ClientSide(self.limits, lambda client: self._begin(client, port.function), self._over)

    here = True
    """The server alone has these connections (`Http2`)."""

    def take(
        self, transport: asyncio.Transport, _address: str, data: bytes, over: Callable[[], None], /
    ) -> ClientSide | None:
        """A client at the port of HTTP has begun with HTTP/2: as in `Http2`."""
        function = self._at_http
        if not function or not self._started:
            return None

        def gone(client: ClientSide) -> None:
            self._over(client)
            over()

        client = ClientSide(self.limits, lambda one: self._begin(one, function), gone)
        transport.set_protocol(client)
        client.connection_made(transport)
        client.data_received(data)
        return client

    def _begin(self, client: ClientSide, function: str) -> None:
        limit = self.limits.per_function
        if sum(name == function for name in self.open.values()) >= limit:
            client.refuse(_ENHANCE_YOUR_CALM, f"{limit} connections to this service are open already")
            return
        self.open[client] = function
        task = asyncio.get_running_loop().create_task(self._join(client, function))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _join(self, client: ClientSide, function: str) -> None:
        try:
            wire = await self._wiring.connect(function)
        except ReliveError as error:
            client.refuse(_REFUSED_STREAM, error.message)
            return
        try:
            await client.join(_LOOPBACK, wire)
        except OSError as error:
            client.refuse(_REFUSED_STREAM, f"the worker cannot be reached: {error.strerror or error}")

    def _over(self, client: ClientSide) -> None:
        self.open.pop(client, None)

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for client in list(self.open):
            client.sweep(now)
        if any(port.server is None for port in self.ports.values()):
            task = loop.create_task(self._listen())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self._timer = loop.call_later(self.limits.sweep_s, self._sweep)
