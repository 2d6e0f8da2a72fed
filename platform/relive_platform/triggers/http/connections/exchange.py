"""One request of a connection, and who waits for its outcome."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Protocol, cast

from relive_base.records import InvocationRecord
from relive_base.wire.messages import StreamHead, StreamPart
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from relive_platform.engine.invocation import AnswerStream, Outcome, RequestBody
from relive_platform.triggers.http.bodies import BodyBudget, BodyTooLarge
from relive_platform.triggers.http.connections.head import Head
from relive_platform.triggers.http.responses import Response, from_stream, problem

__all__ = ["Exchange"]

_log = logging.getLogger(__name__)


class _Unwaited:
    """Stands for the event of a request whose body nobody waits for."""

    def set(self) -> None:
        pass


class Answering(Protocol):
    """Who makes a response of an outcome: the gateway."""

    def answer(self, outcome: Outcome, exchange: Exchange) -> Response: ...


class Owner(Protocol):
    """Whose connections they are: the listener."""

    @property
    def gateway(self) -> Answering: ...


class Sender(Protocol):
    """The connection, as its requests know it."""

    transport: Any
    flow: Any

    @property
    def owner(self) -> Owner: ...
    def respond(self, exchange: Exchange, response: Response) -> None: ...
    def begin_stream(self, exchange: Exchange, response: Response) -> None: ...
    def write_part(self, exchange: Exchange, body: bytes) -> bool: ...
    def end_stream(self, exchange: Exchange, whole: bool) -> None: ...


class Exchange(RequestResponseCycle):
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
    told = False
    response: Response  # once it is prepared
    budget: BodyBudget | None = None  # that its body counts in until it is answered
    old = False  # HTTP/1.0, which has no chunks
    stream: AnswerStream | None = None  # the worker's end, if the answer comes in parts
    record: InvocationRecord | None = None  # of the invocation whose answer that is
    status = 0  # that was sent with the head of such an answer
    length = -1  # of its body, if the function says it
    chunked = False
    bodiless = False  # the client wants, or the status has, no body
    waiting = 0  # call id of a part that the client has not taken yet
    upstream: RequestBody | None = None  # the worker's end of the request, if it is to a service
    passes_on = False  # its body goes on to a service as it comes
    room: asyncio.Event | None = None  # that it can
    is_held = False  # the application does not read: what comes waits

    def __init__(self, protocol: Sender, head: Head, keep_alive: bool) -> None:
        self.protocol = protocol
        self.head = head
        self.keep_alive = keep_alive

    def done(self) -> bool:
        """Whether the outcome has come."""
        return self.told

    def prepare(self, result: Outcome, /) -> None:
        """Make the response: the record is to have its status before it is written down."""
        if self.stream is not None:
            result.record.http_status = self.status
            return
        try:
            self.response = self.protocol.owner.gateway.answer(result, self)
        except Exception:
            _log.exception("an outcome could not be made a response")
            self.response = problem(500, "InternalError", "the gateway failed; its log says why")
            result.record.http_status = self.response.status

    def set_result(self, result: Outcome, /) -> None:
        """Respond. What goes wrong there is logged: it must not hurt the worker whose frame is being read."""
        self.told = True
        self.free()
        self.upstream = None  # which knows the attempt, which knows this: nobody is to search for cycles
        if self.room is not None:
            self.room.set()
        if self.stream is not None:
            answered = result.result is not None and result.result.answered
            self.protocol.end_stream(self, result.ok or answered)
            return
        try:
            self.protocol.respond(self, self.response)
        except Exception:
            _log.exception("an outcome could not be given to its client")

    def respond(self, response: Response) -> None:
        """Send the response."""
        self.protocol.respond(self, response)

    def free(self) -> None:
        """Its body counts no more."""
        if self.budget is not None:
            self.budget.give_back(self)
            self.budget = None

    # ------------------------------------------------------------ an answer in parts

    def begin_stream(self, record: InvocationRecord, head: StreamHead, stream: AnswerStream, /) -> None:
        """The answer begins: its head goes out at once."""
        if self.stream is not None or self.told:
            return
        response = from_stream(record, head, self.details)
        if response.body:  # its headers cannot be sent
            self.told = True
            self.respond(response)
            stream.left()
            return
        self.record = record
        self.stream = stream
        self.status, self.length = response.status, head.length
        self.protocol.begin_stream(self, response)

    def take_part(self, part: StreamPart, /) -> None:
        """A part of the body. The worker goes on when the client has taken it."""
        if self.stream is None:
            return
        if not self.protocol.write_part(self, part.body):
            self.stream.left()
        elif part.call_id:
            self.waiting = part.call_id
            if not self.protocol.flow.write_paused:
                self.taken()

    def taken(self) -> None:
        """The client has taken what was sent."""
        if self.stream is not None and self.waiting:
            waiting, self.waiting = self.waiting, 0
            self.stream.taken(waiting)

    def lost(self) -> None:
        """The client has gone in the middle of the answer."""
        self.disconnected = True
        if self.told:
            return
        if self.stream is not None:
            record = self.record
            if record is not None:
                record.attributes = {**record.attributes, "relive.client_disconnected": "true"}
            self.stream.left()
        elif self.upstream is not None:
            self.upstream.gone()

    # ------------------------------------------------------------ the body

    def begin_body(self, _record: InvocationRecord, body: RequestBody, /) -> None:
        """A worker of a service has begun it."""
        self.upstream = body
        if self.room is not None:
            body.on_room = self.room.set
        if self.disconnected:
            body.gone()
        if self.room is not None:
            self.room.set()

    async def pass_on(self, limit: int) -> None:
        """Push the body to the worker as it comes, as the application reads it. A body over the limit ends
        the request. Raises BodyTooLarge."""
        size = 0
        while not self.told and not self.disconnected:
            await self._has_room()
            if self.told:
                return
            message = await self.receive()
            if message["type"] != "http.request":
                return
            part, more = message.get("body", b""), message.get("more_body", False)
            size += len(part)
            if size > limit:
                if self.upstream is not None:
                    self.upstream.gone()
                raise BodyTooLarge(limit)
            if self.upstream is not None and (part or not more):
                self.upstream.push(part, more)
            if not more:
                return

    async def _has_room(self) -> None:
        room = self.room
        while room is not None and not self.told and (self.upstream is None or self.upstream.room <= 0):
            room.clear()
            self.is_held = True
            await room.wait()
        self.is_held = False

    def open(self) -> None:
        """Have the body read piece by piece, by `read`."""
        self.transport = self.protocol.transport
        self.flow = self.protocol.flow
        self.message_event = asyncio.Event()
        self.waiting_for_100_continue = self.head.special.get("expect", b"").lower() == b"100-continue"
        if self.body or not self.more_body:
            self.message_event.set()

    async def read(self, limit: int, budget: BodyBudget) -> bytes | None:
        """The whole body, which counts in `budget`. None: the client has gone. Raises BodyTooLarge,
        BodiesFull."""
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
            self.budget = budget
            budget.take(self, len(part))
            parts.append(part)
            if not message.get("more_body", False):
                return b"".join(parts)
