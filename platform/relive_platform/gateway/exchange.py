"""One request of a connection, and who waits for its outcome."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, cast

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from relive_platform.gateway.bodies import BodyBudget, BodyTooLarge
from relive_platform.gateway.head import Head
from relive_platform.gateway.responses import Response
from relive_platform.pool.invocation import Outcome

if TYPE_CHECKING:
    from relive_platform.gateway.connection import Connection

__all__ = ["Exchange"]

_log = logging.getLogger(__name__)


class _Unwaited:
    """Stands for the event of a request whose body nobody waits for."""

    def set(self) -> None:
        pass


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

    def __init__(self, protocol: Connection, head: Head, keep_alive: bool) -> None:
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
            budget.take(self, len(part))
            parts.append(part)
            if not message.get("more_body", False):
                return b"".join(parts)
