"""uvicorn's HTTP/1.1 protocol and the limits it lacks: slow clients, size of the head, connections."""

from __future__ import annotations

import asyncio
import errno
import socket
import time
from dataclasses import dataclass
from email.utils import formatdate
from typing import Final, cast

from relive_base.errors import ReliveError
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from relive_platform.gateway.app import Gateway, Message, Receive
from relive_platform.gateway.responses import Response, problem

__all__ = ["AddressTaken", "HttpListener", "ListenerLimits"]

SMALL_BODY_BYTES: Final = 65_536  # up to here uvicorn takes a body in without pausing


class AddressTaken(ReliveError):
    """Something else listens on the gateway's address."""


@dataclass(frozen=True, slots=True)
class ListenerLimits:
    """Times in seconds, sizes in bytes."""

    connections: int = 1_000
    backlog: int = 512
    head_s: float = 10.0
    body_s: float = 30.0
    keep_alive_s: float = 60.0
    head_bytes: int = 65_536
    sweep_s: float = 0.25


class _Protocol(HttpToolsProtocol):
    """One connection."""

    def __init__(self, owner: HttpListener) -> None:
        super().__init__(config=owner.config, server_state=owner.state, app_state={}, _loop=owner.loop)
        self.owner = owner
        self.head_since = owner.loop.time()  # 0 while no request head is on its way
        self.body_since = 0.0
        self.head_bytes = 0
        self.small: RequestResponseCycle | None = None
        self.held = False  # the client does not read what it was answered: nothing more is begun for it
        self.unread = 0
        self.unread_since = 0.0
        self.access_log = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)  # type: ignore[arg-type]
        if len(self.connections) > self.owner.limits.connections:
            self.owner.refused += 1
            self.refuse(
                problem(503, "TooManyConnections", "the gateway's connections are all in use", close=True)
            )

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        if self.head_since:
            self.head_bytes += len(data)
        super().data_received(data)
        if (
            self.head_since
            and self.head_bytes > self.owner.limits.head_bytes
            and not self.transport.is_closing()
        ):
            self.refuse(problem(431, "HeadTooLarge", "the request head is too large", close=True))
        elif self.timeout_keep_alive_task is None and self._is_idle():
            # uvicorn takes the timer away for what is no request: empty lines, a body that nobody wanted.
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def _is_idle(self) -> bool:
        answered = self.cycle is not None and self.cycle.response_complete
        receiving = self.head_since or self.body_since
        return answered and not receiving and not self.held and not self.transport.is_closing()

    def eof_received(self) -> bool | None:  # type: ignore[override]
        """A client may close its end after its request: it still gets the answer."""
        if self.cycle is None or self.cycle.response_complete or self.head_since or self.body_since:
            return None
        self.cycle.keep_alive = False  # it is the last one, also where others wait before it
        return True

    def on_response_complete(self) -> None:
        """Begin the next request, but not for a client that does not read: its answers would pile up."""
        if self.flow.write_paused and not self.transport.is_closing():
            self.held = True
            self.flow.pause_reading()
        else:
            super().on_response_complete()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self.held:
            self.held = False
            super().on_response_complete()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.head_since = self.loop.time()

    def on_headers_complete(self) -> None:
        self.head_since = 0.0
        self.head_bytes = 0
        self.body_since = self.loop.time()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self.body_since = 0.0
        super().on_message_complete()
        if self.small is not None:
            cycle, self.small = self.small, None
            self._begin(cycle)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: object) -> None:
        """A complete request needs no task; a large or chunked body is read by one."""
        if not cycle.more_body:
            self._begin(cycle)
        elif _is_small(cycle):
            self.small = cycle  # begins in on_message_complete, in this same turn as a rule
        else:
            self._spawn(cycle)

    def _begin(self, cycle: RequestResponseCycle) -> None:
        scope = cast("Message", cycle.scope)
        if not self.owner.gateway.begin(scope, bytes(cycle.body), lambda answer: self.respond(cycle, answer)):
            self._spawn(cycle)

    def _spawn(self, cycle: RequestResponseCycle) -> None:
        task = self.loop.create_task(self._handle(cycle))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _handle(self, cycle: RequestResponseCycle) -> None:
        receive = cast("Receive", cycle.receive)
        response = await self.owner.gateway.handle(cast("Message", cycle.scope), receive)
        if response is not None:
            self.respond(cycle, response)

    def respond(self, cycle: RequestResponseCycle, response: Response) -> None:
        """Head and body in one write: two would be two system calls, and wake the client twice."""
        if cycle.disconnected or self.transport.is_closing():
            return
        status, headers, body = response
        parts = [STATUS_LINE[status], self.owner.date]
        for name, value in headers:
            if name == b"connection":
                cycle.keep_alive = False
            else:
                parts += (name, b": ", value, b"\r\n")
        if not cycle.keep_alive:
            parts.append(b"connection: close\r\n")
        parts.append(b"\r\n")
        if cycle.scope["method"] != "HEAD":
            parts.append(body)
        self.transport.write(b"".join(parts))
        cycle.response_started = cycle.response_complete = True
        cycle.message_event.set()
        if not cycle.keep_alive:
            self.transport.close()
        self.on_response_complete()

    def refuse(self, response: Response) -> None:
        """Answer and close, whatever the client still sends."""
        status, headers, body = response
        lines = b"".join(b"%s: %s\r\n" % pair for pair in headers)
        self.transport.write(b"HTTP/1.1 %d \r\n%s\r\n%s" % (status, lines, body))
        self.transport.close()

    def sweep(self, now: float, limits: ListenerLimits) -> None:
        """Turn the client away if it is too slow."""
        if self.transport is None or self._stalled(now, limits.body_s) or self.transport.is_closing():
            return
        if self.pipeline or (self.cycle is not None and not self.cycle.response_complete and self.head_since):
            # It waits for an answer itself: what it has sent of its next request may take its time.
            self.head_since = self.head_since and now
            self.body_since = self.body_since and now
        elif self.head_since and now - self.head_since > limits.head_s:
            self.refuse(problem(408, "SlowRequest", "the request head did not arrive in time", close=True))
        elif self.body_since and now - self.body_since > limits.body_s:
            self.refuse(problem(408, "SlowRequest", "the request body did not arrive in time", close=True))

    def _stalled(self, now: float, limit_s: float) -> bool:
        """Whether it has read nothing of what waits for it for too long; then it is cut off."""
        unread = self.transport.get_write_buffer_size()
        if unread != self.unread or not unread:
            self.unread, self.unread_since = unread, now
        elif now - self.unread_since > limit_s:
            self.transport.abort()
            return True
        return False


def _is_small(cycle: RequestResponseCycle) -> bool:
    length = 0
    for name, value in cycle.scope["headers"]:
        if name == b"transfer-encoding":
            return False
        if name == b"content-length":
            length = int(value)
    return length <= SMALL_BODY_BYTES and not cycle.waiting_for_100_continue


class HttpListener:
    """The listening socket and its connections."""

    def __init__(self, gateway: Gateway, limits: ListenerLimits | None = None) -> None:
        self.gateway = gateway
        self.date = b""
        self.limits = limits or ListenerLimits()
        self.loop = asyncio.get_running_loop()
        self.state = ServerState()
        self.refused = 0
        self.config = Config(
            gateway,
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
        self._server: asyncio.Server | None = None
        self._sweeper: asyncio.TimerHandle | None = None

    async def start(self, host: str, port: int) -> None:
        """Listen. Raises AddressTaken."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((host, port))
        except OSError as error:
            sock.close()
            taken = error.errno == errno.EADDRINUSE
            raise AddressTaken(
                "another program listens there" if taken else f"cannot listen: {error.strerror}",
                where=f"{host}:{port}",
                remedy="stop it, or choose another address with --http (port 0 picks a free one)",
            ) from error
        self._server = await self.loop.create_server(
            lambda: _Protocol(self), sock=sock, backlog=self.limits.backlog
        )
        bound = sock.getsockname()
        shown = f"[{bound[0]}]" if family == socket.AF_INET6 else bound[0]
        self.address = f"http://{shown}:{bound[1]}"
        self._sweep()

    def _sweep(self) -> None:
        self.date = b"date: %s\r\n" % formatdate(time.time(), usegmt=True).encode()
        now = self.loop.time()
        for connection in list(self.state.connections):
            if isinstance(connection, _Protocol):
                connection.sweep(now, self.limits)
        self._sweeper = self.loop.call_later(self.limits.sweep_s, self._sweep)

    @property
    def connections(self) -> int:
        """Open ones."""
        return len(self.state.connections)

    def stop_accepting(self) -> None:
        """Close the listening socket; open connections close after their response."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for connection in list(self.state.connections):
            connection.shutdown()

    async def close(self) -> None:
        """Close everything."""
        self.stop_accepting()
        if self._sweeper is not None:
            self._sweeper.cancel()
        for connection in list(self.state.connections):
            if connection.transport is not None:
                connection.transport.abort()
        await asyncio.sleep(0)
