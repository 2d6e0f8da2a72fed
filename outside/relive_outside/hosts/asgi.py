"""Records the requests and websockets of an ASGI application, outermost: it sees what every middleware lets
through."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from relive_base.unseen import UNSEEN, without_this_frame

from relive_outside.hosts.requests import request_of_scope
from relive_outside.hosts.standing import StandsFor
from relive_outside.record.attempts import Attempt
from relive_outside.record.recipes import Recipe
from relive_outside.record.recorder import Recorder

__all__ = ["RecordedAsgi"]

_MARK: Final = "relive.recorded"
_SOCKET: Final = "websocket"
_SWITCHING: Final = 101
_LEFT: Final = ("WebSocketDisconnect", "ClientDisconnected")
"""What Starlette and uvicorn raise in code that goes on when the client of a websocket has gone: its end, and
no failure."""
_Message = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[_Message]]
_Send = Callable[[_Message], Awaitable[None]]


class RecordedAsgi(StandsFor):
    """The application. The lifespan goes through as it is."""

    async def __call__(self, scope: Any, receive: Any, send: Any, *more: Any, **named: Any) -> Any:
        # uvicorn calls what it has imported without arguments, to see whether it makes the application
        application, recipe, recorder = self.__dict__["_relive"]
        attempt, client = None, _Client()
        try:
            if named or more or not _is_request(scope):
                return await application(scope, receive, send, *more, **named)
            attempt = _begun(scope, recipe, recorder)
            if attempt is None:
                return await application(scope, receive, send)
            scope[_MARK] = True
            if scope["type"] == _SOCKET:
                sending = client.sending(attempt, recorder, send)
                value = await application(scope, client.receiving(receive), sending)
            else:
                body = _Body(attempt, recorder.settings.body_bytes)
                value = await application(scope, body.receiving(receive), _sending(attempt, send))
        except BaseException as error:
            without_this_frame(error)
            if client.left and type(error).__name__ in _LEFT:
                recorder.ended(attempt)
            else:
                recorder.failed(attempt, error)
            raise
        recorder.ended(attempt)
        return value


def _is_request(scope: Any) -> bool:
    return isinstance(scope, MutableMapping) and scope.get("type") in ("http", _SOCKET) and _MARK not in scope


def _begun(scope: Any, recipe: Recipe, recorder: Recorder) -> Attempt | None:
    try:
        request = request_of_scope(scope)
        parent = next((value for name, value in request.headers if name == "traceparent"), "")
    except Exception as error:  # a server that gives another scope
        recorder.say(f"a request is not recorded: {type(error).__name__}: {error}")
        return None
    return recorder.begin(recipe, http=request, traceparent=parent)


class _Body:
    """What the application reads of the request's body, within a limit."""

    def __init__(self, attempt: Attempt, most: int) -> None:
        self._attempt = attempt
        self._left = most

    def receiving(self, receive: _Receive) -> _Receive:
        """`receive`, looked at."""

        async def received() -> _Message:
            with UNSEEN:
                message = await receive()
            if type(message) is dict and message.get("type") == "http.request":
                self._take(message.get("body"))
            return message

        return received

    def _take(self, data: object) -> None:
        if isinstance(data, (bytes, bytearray, memoryview)):
            whole = bytes(data)
            kept = whole[: self._left]
            self._left -= len(kept)
            self._attempt.event_cut += len(whole) - len(kept)
            self._attempt.body += kept


def _sending(attempt: Attempt, send: _Send) -> _Send:
    async def sent(message: _Message) -> None:
        kind = message.get("type") if type(message) is dict else None
        if kind == "http.response.start":
            status = message.get("status")
            attempt.status = status if type(status) is int else 0
        elif kind == "http.response.body":
            attempt.answers(message.get("body"))
        with UNSEEN:
            await send(message)

    return sent


class _Client:
    """Of a websocket. What it says is not kept."""

    def __init__(self) -> None:
        self.left = False

    def receiving(self, receive: _Receive) -> _Receive:
        """`receive`, looked at."""

        async def received() -> _Message:
            with UNSEEN:
                message = await receive()
            if type(message) is dict and message.get("type") == "websocket.disconnect":
                self.left = True
            return message

        return received

    def sending(self, attempt: Attempt, recorder: Recorder, send: _Send) -> _Send:
        """`send`, looked at. A websocket stays open for as long as it likes once it is accepted."""

        async def sent(message: _Message) -> None:
            kind = message.get("type") if type(message) is dict else None
            if kind == "websocket.accept":
                attempt.status = _SWITCHING
                recorder.stays(attempt)
            elif kind == "websocket.http.response.start":
                status = message.get("status")
                attempt.status = status if type(status) is int else 0
            elif kind == "websocket.http.response.body":
                attempt.answers(message.get("body"))
            try:
                await send(message)
            except BaseException as error:
                self.left = True  # it raises if the client has gone
                without_this_frame(error)
                raise

        return sent
