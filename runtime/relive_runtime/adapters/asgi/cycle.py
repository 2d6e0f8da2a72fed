"""One HTTP request of an ASGI application: what it receives, and what it sends."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, MutableMapping
from typing import Any, Final, Protocol

from relive_base.wire.messages import BodyTaken, HttpRequest, StreamHead

from relive_runtime.adapters.base import Answer
from relive_runtime.adapters.results import BadResult, check_head
from relive_runtime.worker.beside.attempt import BesideAttempt
from relive_runtime.worker.beside.desk import Desk

__all__ = ["CLIENT_GONE", "INTERNAL_ERROR", "HttpCycle", "Server"]

WINDOW_BYTES: Final = 262_144
"""So much is on its way to the client at most; then the application waits for it."""
_WHOLE_BYTES: Final = 262_144
"""A larger body leaves in parts, whatever the application does."""
_BODILESS: Final = (204, 304)
INTERNAL_ERROR: Final = 500
_OK: Final = 200
CLIENT_GONE: Final = 499
"""What web servers record of a request whose client has closed the connection; nobody is sent it."""
_NOTHING, _HEAD, _STREAM, _COMPLETE = range(4)


class Server(Protocol):
    """What a cycle needs of who serves."""

    desk: Desk
    application: Callable[..., Any]

    def content_type(self, value: bytes) -> str: ...
    def flush_soon(self, cycle: HttpCycle) -> None: ...
    def acknowledged(self, cycle: HttpCycle) -> int: ...
    def over(self, cycle: Any) -> None: ...
    def left(self, cycle: HttpCycle) -> None: ...


class HttpCycle:
    """Its answer leaves with its last word if the application is done with it at once."""

    __slots__ = (
        "_answer",
        "_bodiless",
        "_body",
        "_headers",
        "_in_flight",
        "_length",
        "_more",
        "_phase",
        "_read",
        "_room",
        "_sent",
        "_server",
        "_status",
        "_type",
        "_waiter",
        "attempt",
        "done",
        "leaving",
        "scope",
    )

    def __init__(
        self, server: Server, attempt: BesideAttempt, request: HttpRequest, scope: dict[str, Any]
    ) -> None:
        self.attempt = attempt
        self.scope = scope
        self.done = False
        self.leaving: asyncio.TimerHandle | None = None  # its client has gone: when it is cancelled
        self._server = server
        self._body = request.body
        self._more = attempt.invoke.more
        self._read = False  # the body's end has been given to the application
        self._bodiless = request.method == "HEAD"
        self._phase = _NOTHING
        self._status = 0
        self._headers: list[tuple[str, str]] = []
        self._type = ""
        self._length = -1  # of the body, as the application says
        self._sent = 0
        self._answer: Answer | None = None  # that has not left yet
        self._in_flight = 0
        self._room: asyncio.Future[None] | None = None  # who waits for the client to take what was sent
        self._waiter: asyncio.Future[None] | None = None  # who waits in receive()

    async def run(self) -> None:
        """The request, from its beginning to its end. Raises nothing."""
        attempt, desk = self.attempt, self._server.desk
        relive_invocation = attempt.invocation_id  # for who reads the frames of this process from outside
        try:
            given = await self._server.application(self.scope, self._receive, self._send)
            if self._phase != _COMPLETE and not attempt.answered and not attempt.gone:
                raise _incomplete(self._phase, given)
        except BaseException as error:
            self._end(error)
            if attempt.abandoned and isinstance(error, asyncio.CancelledError):
                desk.returned(attempt, self._take_answer())
            else:
                desk.failed(attempt, error, self._take_answer())
        else:
            self._end()
            desk.returned(attempt, self._take_answer())
        self._server.over(self)
        del relive_invocation

    def _end(self, error: BaseException | None = None) -> None:
        self.done = True
        if self._server.desk.forked.here:
            self._server.desk.forked.leave(error)

    def _take_answer(self) -> Answer | None:
        answer, self._answer = self._answer, None
        return answer

    # ------------------------------------------------------------ what comes

    def feed(self, data: bytes, more: bool) -> None:
        """The body goes on."""
        self._server.desk.body_came(self.attempt)
        self._body = self._body + data if self._body else data
        self._more = more
        self._wake()

    def leave(self) -> None:
        """The client has gone."""
        self.attempt.gone = True
        self._wake()
        self.taken()
        if self.unfinished:
            self._server.left(self)

    @property
    def status(self) -> int:
        """Of its answer; 0: there is none yet."""
        return self._status

    @property
    def unfinished(self) -> bool:
        """Whether more of its answer is to come."""
        return not self.done and self._phase != _COMPLETE

    def taken(self) -> None:
        """The client has taken what was sent."""
        self._in_flight = 0
        room, self._room = self._room, None
        if room is not None and not room.done():
            room.set_result(None)

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    async def _wait(self) -> None:
        if self._waiter is None:
            self._waiter = asyncio.get_running_loop().create_future()
        await asyncio.shield(self._waiter)

    async def _receive(self) -> dict[str, Any]:
        attempt = self.attempt
        while not self._read and not attempt.gone:
            if self._body or not self._more:
                data, self._body = self._body, b""
                self._read = not self._more
                if attempt.invoke.more and data:
                    self._server.desk.send(BodyTaken(invocation_id=attempt.invocation_id, size=len(data)))
                return {"type": "http.request", "body": data, "more_body": self._more}
            await self._wait()
        while not attempt.gone and self._phase != _COMPLETE:
            await self._wait()
        return {"type": "http.disconnect"}

    # ------------------------------------------------------------ what goes

    async def _send(self, message: MutableMapping[str, Any]) -> None:
        kind = message["type"]
        if self._phase == _NOTHING:
            if kind != "http.response.start":
                raise RuntimeError(f"Expected ASGI message 'http.response.start', but got '{kind}'.")
            self._begin(message)
            return
        if self._phase == _COMPLETE:
            raise RuntimeError(f"Unexpected ASGI message '{kind}' sent, after response already completed.")
        if kind != "http.response.body":
            raise RuntimeError(f"Expected ASGI message 'http.response.body', but got '{kind}'.")
        body = message.get("body", b"")
        if type(body) is not bytes:
            body = bytes(body)
        more = message.get("more_body", False)
        self._count(body, more)
        if self._phase == _HEAD and not more and len(body) <= _WHOLE_BYTES and not self._bodiless:
            self._phase = _COMPLETE
            self._answer = Answer(body, self._status, self._type, self._headers)
            self._server.flush_soon(self)
        else:
            await self._stream(body, more)
        if self._phase == _COMPLETE and self._waiter is not None:
            self._wake()

    def _begin(self, message: MutableMapping[str, Any]) -> None:
        headers: list[tuple[str, str]] = []
        kind, length = "", -1
        for name, value in message.get("headers", ()):
            lower = bytes(name).lower()
            if lower == b"content-type" and not kind:
                kind = self._server.content_type(bytes(value))
            elif lower == b"content-length":
                text = bytes(value)
                length = int(text) if text.isdigit() else -1
            else:
                headers.append((lower.decode("latin-1"), bytes(value).decode("latin-1")))
        self._status = int(message["status"])
        if headers or self._status != _OK:
            check_head(self._status, headers)
        if self._status >= INTERNAL_ERROR:
            self._server.desk.gives_up(self.attempt, sys.exc_info()[1])
        self._headers, self._type, self._length = headers, kind, length
        self._bodiless = self._bodiless or self._status in _BODILESS
        self._phase = _HEAD

    def _count(self, body: bytes, more: bool) -> None:
        """Raises RuntimeError if the body is not as long as the application has said."""
        self._sent += len(body)
        length = self._length
        if length < 0 or self._bodiless:
            return
        if self._sent > length:
            raise RuntimeError("Response content longer than Content-Length")
        if not more and self._sent < length:
            raise RuntimeError("Response content shorter than Content-Length")

    def begin_stream(self) -> None:
        """The head leaves by itself."""
        head = StreamHead(
            http_status=self._status, content_type=self._type, headers=self._headers, length=self._length
        )
        if self._phase == _COMPLETE and self._length < 0 and self._answer is not None:
            head.length = len(self._answer.body)
        self._server.desk.begin_stream(self.attempt, head)

    async def _stream(self, body: bytes, more: bool) -> None:
        desk, attempt = self._server.desk, self.attempt
        if attempt.answered:
            return  # it has been stopped meanwhile
        if self._phase == _HEAD:
            self._phase = _STREAM
            if self._length < 0 and not more:
                self._length = len(body) if not self._bodiless else -1
            self.begin_stream()
        if body and not attempt.gone and not self._bodiless:
            limit = desk.spec.stream_limit_bytes
            if attempt.streamed_bytes + len(body) > limit:
                raise BadResult(
                    f"the streamed answer is over the limit of {limit:,} bytes",
                    hint="send less, or raise RELIVE_STREAM_LIMIT_BYTES",
                )
            await self._pass_on(body, more)
        if not more:
            self._phase = _COMPLETE
            self._answer = Answer(b"", self._status, self._type)
            self._server.flush_soon(self)

    async def _pass_on(self, body: bytes, more: bool) -> None:
        self._in_flight += len(body)
        full = self._in_flight >= WINDOW_BYTES
        call_id = self._server.acknowledged(self) if full else 0
        self._server.desk.part(self.attempt, body, call_id)
        if full and more and not self.attempt.gone:
            deadline_ns, self.attempt.deadline_ns = self.attempt.deadline_ns, 0  # the client's time
            self._room = asyncio.get_running_loop().create_future()
            await self._room
            if not self.attempt.answered:
                self.attempt.deadline_ns = deadline_ns
                self._server.desk.extend(self.attempt)

    def flush(self) -> None:
        """The application is not done yet: its answer leaves before."""
        answer = self._answer
        if answer is None or self.done or self.attempt.answered:
            return
        if self._status < INTERNAL_ERROR:
            self._answer = None
            self._server.desk.answer(self.attempt, answer)
        elif not self.attempt.streaming:
            # What has failed will show when it ends: the client need not wait for that.
            self.begin_stream()
            if answer.body:
                self._server.desk.part(self.attempt, answer.body)
            self._answer = Answer(b"", self._status, self._type)


def _incomplete(phase: int, given: object) -> BadResult:
    what = "without answering" if phase == _NOTHING else "without completing its answer"
    hint = "await send(...) the messages http.response.start and http.response.body"
    if given is not None:
        hint = f'it gave {type(given).__name__}: is it an ASGI application? interface = "wsgi" says it is not'
    return BadResult(f"the application returned {what}", hint=hint)
