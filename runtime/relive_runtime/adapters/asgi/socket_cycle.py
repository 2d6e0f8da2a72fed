"""One websocket of an ASGI application, as an attempt: from its handshake to its last word."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from relive_base.wire.messages import Frame, SocketAccept

from relive_runtime.adapters.asgi.cycle import Server
from relive_runtime.adapters.asgi.websocket import ClientDisconnected, Socket
from relive_runtime.adapters.base import Answer
from relive_runtime.worker.beside.attempt import BesideAttempt

__all__ = ["SocketCycle"]

_SWITCHING: Final = 101
_LEFT: Final = "WebSocketDisconnect"
"""What Starlette raises in code that reads on when the client has gone: an end, and no failure."""


class SocketCycle:
    """Its time limit is that of the handshake; then it may stay open for as long as its client does."""

    def __init__(self, server: Server, attempt: BesideAttempt, scope: dict[str, Any]) -> None:
        self.attempt = attempt
        self.scope = scope
        self.done = False
        self._server = server
        spec = server.desk.spec
        self.socket = Socket(
            attempt.invocation_id, self._put, asyncio.get_event_loop(), spec.result_limit_bytes
        )

    def _put(self, frame: Frame) -> None:
        attempt = self.attempt
        if attempt.answered:
            return  # it has been stopped meanwhile
        if type(frame) is SocketAccept:
            attempt.streaming, attempt.http_status, attempt.deadline_ns = True, _SWITCHING, 0
        self._server.desk.send(frame)

    async def run(self) -> None:
        """The websocket, from its beginning to its end. Raises nothing."""
        attempt, desk, socket = self.attempt, self._server.desk, self.socket
        try:
            await self._server.application(self.scope, socket.receive, socket.send)
            answer = socket.answer()
        except BaseException as error:
            self._end(error)
            if socket.left and (isinstance(error, ClientDisconnected) or type(error).__name__ == _LEFT):
                desk.returned(attempt, Answer(b"", _SWITCHING, ""))
            else:
                desk.failed(attempt, error, None)
        else:
            self._end()
            desk.returned(attempt, answer)
        self._server.over(self)

    def _end(self, error: BaseException | None = None) -> None:
        self.done = True
        if self._server.desk.forked.here:
            self._server.desk.forked.leave(error)

    def take(self, frame: Frame) -> None:
        """A message of its client."""
        self.socket.take(frame)

    def leave(self) -> None:
        """The client has gone."""
        self.attempt.gone = True
        self.socket.lose()

    def feed(self, data: bytes, more: bool) -> None:
        """A handshake has no body."""

    def taken(self) -> None:
        """It has credit of its own."""

    def flush(self) -> None:
        """Nothing waits."""
