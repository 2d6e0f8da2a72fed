"""uvicorn's HTTP/1.1 protocol and the limits it lacks: slow clients, size of the head, connections."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import logging
import os
import socket
import stat
import time
from dataclasses import dataclass
from email.utils import formatdate
from typing import Final, cast

import httptools
from relive_base.errors import ReliveError
from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from relive_platform.gateway.app import BodyTooLarge, Gateway
from relive_platform.gateway.cors import with_lines
from relive_platform.gateway.head import BadHead, Head, HeadTexts, check_authority
from relive_platform.gateway.responses import Response, problem
from relive_platform.pool.invocation import Outcome

__all__ = ["AddressTaken", "HttpListener", "ListenerLimits"]

SMALL_BODY_BYTES: Final = 65_536  # up to here uvicorn takes a body in without pausing


_log = logging.getLogger(__name__)


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


class _Unwaited:
    """Stands for the event of a request whose body nobody waits for."""

    def set(self) -> None:
        pass


async def _never_called(scope: object, receive: object, send: object) -> None:
    """uvicorn's configuration wants an ASGI application; requests go to the gateway without one."""


class _Exchange(RequestResponseCycle):
    """One request of a connection, and who waits for its outcome.

    Defaults stand on the class: most requests are complete at once and need none of uvicorn's state.
    """

    more_body = True
    body: bytearray | bytes = b""  # type: ignore[assignment]
    disconnected = response_complete = waiting_for_100_continue = False
    message_event = cast("asyncio.Event", _Unwaited())
    cors = b""
    details = True
    hidden = ""

    def __init__(self, protocol: _Protocol, head: Head, keep_alive: bool) -> None:
        self.protocol = protocol
        self.head = head
        self.keep_alive = keep_alive
        self.told = False

    def done(self) -> bool:
        """Whether the outcome has come."""
        return self.told

    def set_result(self, result: Outcome, /) -> None:
        """Respond. What goes wrong there is logged: it must not hurt the worker whose frame is being read."""
        self.told = True
        try:
            self.protocol.respond(self, self.protocol.owner.gateway.answer(result, self))
        except Exception:
            _log.exception("an outcome could not be given to its client")

    def respond(self, response: Response) -> None:
        """Send the response."""
        self.protocol.respond(self, response)

    def open(self) -> None:
        """Have the body read piece by piece, by `read`."""
        self.transport = self.protocol.transport
        self.flow = self.protocol.flow
        self.message_event = asyncio.Event()
        self.waiting_for_100_continue = self.head.special.get("expect", b"").lower() == b"100-continue"
        if self.body or not self.more_body:
            self.message_event.set()

    async def read(self, limit: int) -> bytes | None:
        """The whole body. None: the client has gone. Raises BodyTooLarge."""
        parts: list[bytes] = []
        size = 0
        while True:
            message = await self.receive()
            if message["type"] != "http.request":
                return None
            part = message.get("body", b"")
            size += len(part)
            if size > limit:
                raise BodyTooLarge(limit)
            parts.append(part)
            if not message.get("more_body", False):
                return b"".join(parts)


class _Protocol(HttpToolsProtocol):
    """One connection. uvicorn's parser, flow control and pipelining; what it does for each request anew (an
    ASGI scope, a task, a timer) is done only where it is needed."""

    cycle: _Exchange

    def __init__(self, owner: HttpListener) -> None:
        super().__init__(config=owner.config, server_state=owner.state, app_state={}, _loop=owner.loop)
        self.owner = owner
        self.address = self.peer = ""
        self.receiving = ""  # "head" or "body", from a request's first byte to its last
        self.head_since = owner.loop.time()  # it did not come in one piece; 0 while none is on its way
        self.body_since = 0.0
        self.head_bytes = 0
        self.idle_since = 0.0
        self.small: _Exchange | None = None
        self.held = False  # the client does not read what it was answered: nothing more is begun for it
        self.unread = 0
        self.unread_since = 0.0
        self.deaf_since = 0.0  # it was answered before all of its body was here: the rest is thrown away
        self.access_log = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)  # type: ignore[arg-type]
        self.address = str(self.client[0]) if self.client else ""
        self.peer = f"{self.address}:{self.client[1]}" if self.client else ""
        if len(self.connections) > self.owner.limits.connections:
            self.owner.refused += 1
            self.refuse(
                problem(503, "TooManyConnections", "the gateway's connections are all in use", close=True)
            )

    # ------------------------------------------------------------ in

    def data_received(self, data: bytes) -> None:
        if self.deaf_since or self.transport.is_closing():
            return
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            pass  # it is answered as if it had not asked for another protocol
        except httptools.HttpParserError:
            self.send_400_response("")
            return
        if self.receiving:
            self._watch(len(data))

    def _watch(self, size: int) -> None:
        """A request has not come in one piece: from now on it is timed."""
        if self.transport.is_closing():
            return
        now = self.loop.time()
        if self.receiving == "body":
            self.body_since = self.body_since or now
            return
        self.head_since = self.head_since or now
        self.head_bytes += size
        if self.head_bytes > self.owner.limits.head_bytes:
            self.refuse(problem(431, "HeadTooLarge", "the request head is too large", close=True))

    def on_message_begin(self) -> None:
        self.receiving = "head"
        self.url = b""
        self.headers = []
        self.idle_since = 0.0

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        self.receiving = "body"
        self.head_since = 0.0
        self.head_bytes = 0
        texts = self.owner.texts
        parser = self.parser
        path, query = texts.target(self.url)
        pairs, special = texts.headers(self.headers)
        if "host" not in special and parser.get_http_version() == "1.1":
            raise BadHead("there is no host")
        if not self.url.startswith(b"/"):
            check_authority(self.url, special.get("host", b""))
        method = texts.method(parser.get_method())
        scheme = self.scheme or "http"
        head = Head(method, path, query, pairs, special, scheme, self.address, self.headers, self.peer)
        keep_alive = parser.should_keep_alive()
        if "connection" in special:  # without it only HTTP/1.1 keeps connections
            keep_alive = keep_alive and parser.get_http_version() != "1.0"
        previous = self.cycle
        exchange = self.cycle = _Exchange(self, head, keep_alive)
        if previous is None or previous.response_complete:
            self._start(exchange)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((exchange, self.app))

    def on_body(self, body: bytes) -> None:
        exchange = self.cycle
        if exchange.response_complete:
            return
        if exchange.body:
            exchange.body += body
        else:
            exchange.body = bytearray(body)
        if len(exchange.body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
        exchange.message_event.set()

    def on_message_complete(self) -> None:
        self.receiving = ""
        self.body_since = 0.0
        exchange = self.cycle
        if not exchange.response_complete:
            exchange.more_body = False
            exchange.message_event.set()
        if self.small is not None:
            exchange, self.small = self.small, None
            self._begin(exchange)

    def eof_received(self) -> bool | None:  # type: ignore[override]
        """A client may close its end after its request: it still gets the answer."""
        if self.cycle is None or self.cycle.response_complete or self.receiving:
            return None
        self.cycle.keep_alive = False  # it is the last one, also where others wait before it
        return True

    # ------------------------------------------------------------ on

    def _start(self, exchange: _Exchange) -> None:
        """A complete request needs no task; a large or chunked body is read by one."""
        head = exchange.head
        if not exchange.more_body:
            self._begin(exchange)
        elif 0 <= head.body_bytes <= SMALL_BODY_BYTES and "expect" not in head.special:
            self.small = exchange  # begins in on_message_complete, in this same turn as a rule
        else:
            self._spawn(exchange)

    def _begin(self, exchange: _Exchange) -> None:
        if not self.owner.gateway.begin(exchange.head, bytes(exchange.body), exchange):
            self._spawn(exchange)

    def _spawn(self, exchange: _Exchange) -> None:
        exchange.open()
        task = self.loop.create_task(self._handle(exchange))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _handle(self, exchange: _Exchange) -> None:
        response = await self.owner.gateway.handle(exchange.head, exchange.read, exchange)
        if response is not None:
            self.respond(exchange, response)

    # ------------------------------------------------------------ out

    def respond(self, exchange: _Exchange, response: Response) -> None:
        """Head and body in one write: two would be two system calls, and wake the client twice."""
        transport = self.transport
        if exchange.disconnected or transport.is_closing():
            return
        status, head, body, close = response
        if exchange.head.method == "HEAD":
            body = b""
        if close:
            exchange.keep_alive = False
        if exchange.cors:
            head = with_lines(head, exchange.cors)
        end = b"\r\n" if exchange.keep_alive else b"connection: close\r\n\r\n"
        transport.write(b"".join((STATUS_LINE[status], self.owner.date, head, end, body)))
        exchange.response_complete = True
        exchange.message_event.set()
        if not exchange.keep_alive:
            self._close(exchange)
        self.on_response_complete()

    def _close(self, exchange: _Exchange) -> None:
        """Close, but hear out a client that is still sending its body.

        To close now would reset the connection, and most clients would see that instead of their answer.
        """
        if exchange.more_body and exchange is self.cycle and self.transport.can_write_eof():
            self.deaf_since = self.loop.time()
            self.transport.write_eof()
        else:
            self.transport.close()

    def on_response_complete(self) -> None:
        """Begin the next request, but not for a client that does not read: its answers would pile up."""
        if self.flow.write_paused and not self.deaf_since and not self.transport.is_closing():
            self.held = True
            self.flow.pause_reading()
        else:
            self._go_on()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self.held:
            self.held = False
            self._go_on()

    def _go_on(self) -> None:
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.deaf_since:
            return
        if self.pipeline:
            self._start(cast("_Exchange", self.pipeline.pop()[0]))
        else:
            self.idle_since = self.loop.time()

    def refuse(self, response: Response) -> None:
        """Answer and close, whatever the client still sends."""
        status, head, body, _ = response
        end = b"connection: close\r\n\r\n"
        self.transport.write(b"".join((STATUS_LINE[status], self.owner.date, head, end, body)))
        self.transport.close()

    def send_400_response(self, msg: str) -> None:
        """What uvicorn does with a request that cannot be parsed."""
        self.refuse(
            problem(400, "BadRequest", "this is not an HTTP request that can be understood", close=True)
        )

    def sweep(self, now: float, limits: ListenerLimits) -> None:
        """Turn the client away if it is too slow."""
        if self.transport is None or self._stalled(now, limits.body_s) or self.transport.is_closing():
            return
        if self.deaf_since:
            if now - self.deaf_since > limits.body_s:
                self.transport.abort()
            return
        if self.pipeline or (self.cycle is not None and not self.cycle.response_complete and self.head_since):
            # It waits for an answer itself: what it has sent of its next request may take its time.
            self.head_since = self.head_since and now
            self.body_since = self.body_since and now
        elif self.head_since and now - self.head_since > limits.head_s:
            self.refuse(problem(408, "SlowRequest", "the request head did not arrive in time", close=True))
        elif self.body_since and now - self.body_since > limits.body_s:
            self.refuse(problem(408, "SlowRequest", "the request body did not arrive in time", close=True))
        elif self.idle_since and now - self.idle_since > limits.keep_alive_s:
            self.transport.close()

    def _stalled(self, now: float, limit_s: float) -> bool:
        """Whether it has read nothing of what waits for it for too long; then it is cut off."""
        unread = self.transport.get_write_buffer_size()
        if unread != self.unread or not unread:
            self.unread, self.unread_since = unread, now
        elif now - self.unread_since > limit_s:
            self.transport.abort()
            return True
        return False


class HttpListener:
    """The listening socket and its connections."""

    def __init__(self, gateway: Gateway, limits: ListenerLimits | None = None) -> None:
        self.gateway = gateway
        self.texts = HeadTexts()
        self.date = b""
        self.limits = limits or ListenerLimits()
        self.loop = asyncio.get_running_loop()
        self.state = ServerState()
        self.refused = 0
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
        self._server: asyncio.Server | None = None
        self._sweeper: asyncio.TimerHandle | None = None

    async def start(self, host: str, port: int, *, loopback: bool = False) -> None:
        """Listen. Raises AddressTaken; also where `loopback` is wanted and `host` is no such address."""
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
        bound = sock.getsockname()
        if loopback and not ipaddress.ip_address(bound[0]).is_loopback:
            sock.close()
            raise AddressTaken(
                f"{host} is {bound[0]} here, which other machines can reach",
                where=f"{host}:{port}",
                remedy="listen on 127.0.0.1, or on an address and set RELIVE_TOKEN",
            )
        shown = f"[{bound[0]}]" if family == socket.AF_INET6 else bound[0]
        await self._serve(sock, f"http://{shown}:{bound[1]}")

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
                "another program listens there" if taken else f"cannot listen: {error.strerror or error}",
                where=path,
                remedy="stop it, or choose another path with --http unix:///PATH",
            ) from error
        self._path = path
        await self._serve(sock, f"unix://{path}")

    async def _serve(self, sock: socket.socket, address: str) -> None:
        listen = self.loop.create_unix_server if self._path else self.loop.create_server
        self._server = await listen(lambda: _Protocol(self), sock=sock, backlog=self.limits.backlog)
        self.address = address
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
            if self._path:
                with contextlib.suppress(OSError):
                    os.unlink(self._path)
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
