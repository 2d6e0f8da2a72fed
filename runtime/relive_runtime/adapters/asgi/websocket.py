"""A websocket as an ASGI application sees it: its events, of the messages that the gateway sends.

No library for websockets is needed here: the gateway reads and writes their frames.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from relive_base.wire.messages import (
    MESSAGE_COST_BYTES,
    WINDOW_BYTES,
    Frame,
    SocketAccept,
    SocketClose,
    SocketData,
    SocketTaken,
)

from relive_runtime.adapters.base import Answer
from relive_runtime.adapters.results import BadResult, limit_size

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Future

__all__ = ["ClientDisconnected", "Socket"]

CONNECTING: Final = "connecting"
OPEN: Final = "open"
DENYING: Final = "denying"  # with an HTTP answer of the application's own
CLOSED: Final = "closed"

_FORBIDDEN: Final = 403
_SWITCHING: Final = 101
_NORMAL: Final = 1000
_LOST: Final = 1006


class ClientDisconnected(OSError):
    """The client has gone: nothing can be sent to it."""


class Socket:
    """One websocket of an application, on the worker's event loop. `receive` and `send` are ASGI's."""

    def __init__(
        self,
        invocation_id: str,
        put: Callable[[Frame], None],
        loop: AbstractEventLoop,
        result_limit_bytes: int,
    ) -> None:
        """`put` sends a message to the gateway."""
        self._ident = invocation_id
        self._put = put
        self._loop = loop
        self._limit_bytes = result_limit_bytes
        self.state = CONNECTING
        self.accepted = False
        self.left = False
        """The client has gone, or was sent away."""
        self._events: deque[dict[str, Any]] = deque(({"type": "websocket.connect"},))
        self._end: dict[str, Any] | None = None  # behind all events
        self._reader: Future[None] | None = None
        self._writers: list[Future[None]] = []
        self._taken = 0  # by the application, and not told
        self._ahead = 0  # of what the client has taken
        self._denial: tuple[int, list[tuple[str, str]], bytearray] | None = None

    # ------------------------------------------------------------ from the gateway

    def take(self, message: Frame) -> None:
        """A message of this websocket."""
        if type(message) is SocketData:
            data: bytes | str = message.data.decode() if message.text else message.data
            self._events.append({"type": "websocket.receive", "text" if message.text else "bytes": data})
            self._wake()
        elif type(message) is SocketTaken:
            self._ahead = max(self._ahead - message.size, 0)
            if self._ahead <= WINDOW_BYTES:
                self._release()
        elif type(message) is SocketClose:
            self.lose(message.code, message.reason)

    def lose(self, code: int = _LOST, reason: str = "") -> None:
        """The client has gone."""
        self.left = True
        self._finish(code, reason)
        self._release()

    def _finish(self, code: int, reason: str) -> None:
        if self._end is None:
            self._end = {"type": "websocket.disconnect", "code": code, "reason": reason}
            self._wake()

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    def _release(self) -> None:
        writers, self._writers = self._writers, []
        for writer in writers:
            if not writer.done():
                writer.set_result(None)

    # ------------------------------------------------------------ in

    async def receive(self) -> dict[str, Any]:
        """The next event; after the last one, the disconnect again."""
        while not self._events:
            if self._end is not None:
                return dict(self._end)
            reader = self._reader = self._loop.create_future()
            await reader
        event = self._events.popleft()
        if event["type"] == "websocket.receive":
            self._count(event)
        return event

    def _count(self, event: Mapping[str, Any]) -> None:
        data = event.get("bytes")
        size = len(data) if data is not None else len(event["text"].encode())
        self._taken += size + MESSAGE_COST_BYTES
        if self._taken > WINDOW_BYTES // 4 and not self.left:
            taken, self._taken = self._taken, 0
            self._put(SocketTaken(invocation_id=self._ident, size=taken))

    # ------------------------------------------------------------ out

    async def send(self, event: Mapping[str, Any]) -> None:
        """What the application sends. Raises ClientDisconnected, and RuntimeError for what does not fit."""
        kind = event["type"]
        if self.state == OPEN:
            await self._send_open(kind, event)
        elif self.state == CONNECTING:
            self._send_connecting(kind, event)
        elif self.state == DENYING and kind == "websocket.http.response.body":
            self._deny_on(event)
        elif self.left:
            raise ClientDisconnected
        else:
            raise RuntimeError(f"Unexpected ASGI message {kind!r}, after sending 'websocket.close'.")

    async def _send_open(self, kind: str, event: Mapping[str, Any]) -> None:
        if self.left:
            raise ClientDisconnected
        if kind == "websocket.send":
            data = event.get("bytes")
            text = data is None
            if text:
                data = event["text"].encode()
            await self._send_data(bytes(data or b""), text)
        elif kind == "websocket.close":
            self._close(event)
        else:
            raise RuntimeError(
                f"Expected ASGI message 'websocket.send' or 'websocket.close', but got {kind!r}."
            )

    async def _send_data(self, data: bytes, text: bool) -> None:
        while self._ahead > WINDOW_BYTES:
            writer: Future[None] = self._loop.create_future()
            self._writers.append(writer)
            await writer
            if self.left:
                raise ClientDisconnected
        self._ahead += len(data) + MESSAGE_COST_BYTES
        self._put(SocketData(invocation_id=self._ident, data=data, text=text))

    def _close(self, event: Mapping[str, Any]) -> None:
        code = event.get("code")
        code = _NORMAL if code is None else int(code)
        reason = str(event.get("reason") or "")
        self.state = CLOSED
        self._put(SocketClose(invocation_id=self._ident, code=code, reason=reason))
        self._finish(code, reason)

    def _send_connecting(self, kind: str, event: Mapping[str, Any]) -> None:
        if kind == "websocket.accept":
            if self.left:
                raise ClientDisconnected
            self.state, self.accepted = OPEN, True
            accept = SocketAccept(
                invocation_id=self._ident,
                subprotocol=str(event.get("subprotocol") or ""),
                headers=_texts(event.get("headers", ())),
            )
            self._put(accept)
        elif kind == "websocket.close":
            self.state = CLOSED
            self._denial = (_FORBIDDEN, [], bytearray())
            self._finish(_LOST, "")
        elif kind == "websocket.http.response.start":
            status = int(event["status"])
            if not 200 <= status < 600:
                raise RuntimeError(f"Invalid HTTP status code '{status}' in response.")
            self.state = DENYING
            self._denial = (status, _texts(event.get("headers", ())), bytearray())
        else:
            raise RuntimeError(
                "Expected ASGI message 'websocket.accept', 'websocket.close' "
                f"or 'websocket.http.response.start' but got {kind!r}."
            )

    def _deny_on(self, event: Mapping[str, Any]) -> None:
        assert self._denial is not None
        body = self._denial[2]
        body += event.get("body", b"")
        limit_size(len(body), self._limit_bytes)
        if not event.get("more_body", False):
            self.state = CLOSED
            self._finish(_LOST, "")

    # ------------------------------------------------------------ its end

    def answer(self) -> Answer:
        """What the handshake was answered with, once the application has returned. Raises BadResult."""
        if self.accepted:
            return Answer(b"", _SWITCHING, "")
        if self._denial is not None and self.state == CLOSED:
            status, headers, body = self._denial
            return Answer(bytes(body), status, "", headers)
        if self.left:
            return Answer(b"", _FORBIDDEN, "")  # nobody gets it
        raise BadResult(
            "the application returned without accepting or closing the websocket",
            hint="send websocket.accept or websocket.close",
        )


def _texts(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    return [(bytes(name).decode("latin-1"), bytes(value).decode("latin-1")) for name, value in headers]
