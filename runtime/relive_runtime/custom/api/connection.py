"""One connection of the Runtime API: requests in, answers out, in order."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable
from typing import Final, Protocol

from relive_runtime.custom.api.parsing import Head, HttpError, RequestParser

__all__ = ["Body", "Connection", "Refusal", "Reply", "Routes"]

_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_PHRASES: Final = {
    200: "OK", 202: "Accepted", 400: "Bad Request", 403: "Forbidden", 404: "Not Found",
    405: "Method Not Allowed", 413: "Payload Too Large", 431: "Request Header Fields Too Large",
    500: "Internal Server Error",
}  # fmt: skip
_JSON: Final = "application/json"


class Refusal(Exception):
    """A request that is answered with an error, in Lambda's form."""

    def __init__(self, status: int, error_type: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.error_type = error_type

    @property
    def body(self) -> bytes:
        """As Lambda has it."""
        return json.dumps({"errorMessage": str(self), "errorType": self.error_type}).encode()


class Reply:
    """Where the answer to one request goes. It may be given much later."""

    __slots__ = ("_connection", "answered")

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.answered = False

    @property
    def gone(self) -> bool:
        """Whether the client has closed its connection."""
        return self._connection.closed

    def send(self, status: int, body: bytes, headers: Iterable[tuple[str, str]] = ()) -> None:
        """Answer, once. Ignored if the client has gone."""
        if not self.answered:
            self.answered = True
            self._connection.answer(status, body, headers)

    def accept(self) -> None:
        """202, as Lambda says that it has taken something."""
        self.send(202, b'{"status":"OK"}\n')

    def pause(self) -> None:
        """Take no more of the request's body."""
        self._connection.pause()

    def resume(self) -> None:
        """Take it again."""
        self._connection.resume()


class Body(Protocol):
    """Who takes the body of a request. May raise Refusal: what else comes of it is thrown away."""

    def take(self, data: bytes) -> None: ...

    def end(self, trailers: dict[str, str]) -> None:
        """All of it is there. Gives the answer."""

    def broken(self) -> None:
        """The connection ended within it."""


class Routes(Protocol):
    """Who serves requests."""

    def open(self, head: Head, reply: Reply) -> Body:
        """A request begins. Raises Refusal."""


class Connection(asyncio.Protocol):
    """Hostile bytes cost their connection, and nothing else."""

    def __init__(
        self,
        routes: Routes,
        belongs: Callable[[tuple[str, int]], bool],
        open_connections: set[Connection],
        most: int,
    ) -> None:
        """`belongs`: whether the client with this address is one of the worker's own processes."""
        self._routes = routes
        self._belongs = belongs
        self._all = open_connections
        self._most = most
        self._parser = RequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._body: Body | None = None
        self._reply = Reply(self)
        self._keep_alive = True
        self._refusal: Refusal | None = None
        self.closed = False

    # ------------------------------------------------------------ of asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        if len(self._all) >= self._most or not self._belongs(transport.get_extra_info("peername")):
            self.closed = True
            transport.abort()  # type: ignore[attr-defined]
            return
        self._all.add(self)

    def data_received(self, data: bytes) -> None:
        if not self.closed:
            self._guarded(self._parser.feed, data)

    def eof_received(self) -> bool:
        """A client that has sent its request and closed its end still reads: the shell's tools do so."""
        if self._parser.between and not self._parser.held:
            return False
        if not self._parser.between:
            self._close()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        self._all.discard(self)
        body, self._body = self._body, None
        if body is not None:
            body.broken()

    def _guarded(self, step: Callable[..., None], *arguments: bytes) -> None:
        try:
            step(*arguments)
        except HttpError as error:
            self._keep_alive = False
            refusal = Refusal(error.status, "InvalidRequest", str(error))
            self.answer(error.status, refusal.body, ())

    # ------------------------------------------------------------ of the parser

    def on_head(self, head: Head) -> None:
        self._reply = Reply(self)
        self._refusal = None
        self._keep_alive = head.keep_alive
        self._parser.held = True
        try:
            self._body = self._routes.open(head, self._reply)
        except Refusal as refusal:
            self._body, self._refusal = None, refusal
        if head.wants_continue and self._transport is not None:
            self._transport.write(_CONTINUE)

    def on_body(self, data: bytes) -> None:
        if self._body is not None:
            try:
                self._body.take(data)
            except Refusal as refusal:
                self._body, self._refusal = None, refusal

    def on_end(self, trailers: dict[str, str]) -> None:
        body, self._body = self._body, None
        try:
            if body is not None:
                body.end(trailers)
        except Refusal as refusal:
            self._refusal = refusal
        if self._refusal is not None:
            self._reply.send(self._refusal.status, self._refusal.body)

    # ------------------------------------------------------------ out

    def answer(self, status: int, body: bytes, headers: Iterable[tuple[str, str]]) -> None:
        """Write an answer, and look at the next request."""
        transport = self._transport
        if transport is None or self.closed:
            return
        lines = [f"HTTP/1.1 {status} {_PHRASES.get(status, 'Error')}"]
        named = {name.lower() for name, _ in headers}
        lines += [f"{name}: {value}" for name, value in headers]
        lines += [] if "content-type" in named else [f"Content-Type: {_JSON}"]
        lines.append(f"Content-Length: {len(body)}")
        lines += [] if self._keep_alive else ["Connection: close"]
        head = "\r\n".join(lines).encode("latin-1", "replace")
        transport.write(b"%b\r\n\r\n%b" % (head, body))
        if not self._keep_alive:
            self._close()
            return
        self._parser.held = False
        asyncio.get_running_loop().call_soon(self._go_on)

    def _go_on(self) -> None:
        if not self.closed:
            self._guarded(self._parser.go_on)

    def _close(self) -> None:
        self.closed = True
        if self._transport is not None:
            self._transport.close()

    def pause(self) -> None:
        """Read no more."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read again."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()
