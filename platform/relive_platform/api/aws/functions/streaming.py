"""An answer in parts for a client of Lambda's API: an event stream's messages, as the function sends them."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable
from typing import Final

from relive_base.records import InvocationRecord
from relive_base.wire.messages import StreamHead, StreamPart

from relive_platform.api.aws.event_stream import message
from relive_platform.api.aws.functions.failures import failure_payload
from relive_platform.engine.invocation import AnswerStream, Outcome, RequestBody

__all__ = ["AnswerParts", "EventStream"]

_CHUNK_BYTES: Final = 65_536


class AnswerParts:
    """What a worker sends of one answer. The function waits while as much is here as it may send ahead, so
    this holds no more than that; it goes on when the parts are taken."""

    def __init__(self) -> None:
        self.outcome: Outcome | None = None
        self.record: InvocationRecord | None = None
        self._begun = self._left = False
        self._parts: deque[StreamPart] = deque()
        self._stream: AnswerStream | None = None
        self._news = asyncio.Event()

    # ------------------------------------------------------------ from the worker

    def done(self) -> bool:
        """Whether the outcome has come."""
        return self.outcome is not None

    def prepare(self, result: Outcome, /) -> None:
        """Nothing that the record has to say."""

    def set_result(self, result: Outcome, /) -> None:
        """Nothing follows."""
        self.outcome, self.record = result, result.record
        self._stream = None
        self._news.set()

    def begin_stream(self, record: InvocationRecord, head: StreamHead, stream: AnswerStream, /) -> None:
        """The answer begins."""
        self._begun, self.record, self._stream = True, record, stream
        self._news.set()
        if self._left:
            self.leave()

    def take_part(self, part: StreamPart, /) -> None:
        """A part of it."""
        if not self._left:
            self._parts.append(part)
            self._news.set()

    def begin_body(self, record: InvocationRecord, body: RequestBody, /) -> None:
        """The event is whole."""

    # ------------------------------------------------------------ for the client

    async def begun(self) -> Outcome | None:
        """Waits until the answer begins: None, or the outcome if it has come in one piece."""
        while not self._begun and self.outcome is None:
            self._news.clear()
            await self._news.wait()
        return None if self._begun else self.outcome

    async def next(self) -> bytes | None:
        """The next part; None after the last."""
        while not self._parts:
            if self.outcome is not None:
                return None
            self._news.clear()
            await self._news.wait()
        part = self._parts.popleft()
        if part.call_id and self._stream is not None:
            self._stream.taken(part.call_id)
        return part.body

    def leave(self) -> None:
        """The client has gone: the function is to stop."""
        self._left = True
        self._parts.clear()
        stream, self._stream = self._stream, None
        if stream is not None and self.record is not None:
            self.record.attributes = {**self.record.attributes, "relive.client_disconnected": "true"}
            stream.left()


class EventStream:
    """The messages of one answer. `log`: what LogType=Tail wants to know, once all is over; `close` is called
    at the end, whoever ends it."""

    def __init__(
        self,
        parts: AnswerParts,
        handler: str,
        log: Callable[[InvocationRecord], str],
        close: Callable[[], None],
    ) -> None:
        self._parts = parts
        self._handler = handler
        self._log = log
        self._close = close
        self._whole = b""  # of an answer in one piece, what is still to be sent
        self._over = False
        outcome = parts.outcome
        if outcome is not None and outcome.ok:
            self._whole = outcome.body

    def __aiter__(self) -> EventStream:
        return self

    async def __anext__(self) -> bytes:
        if self._over:
            raise StopAsyncIteration
        part: bytes | None
        if self._whole:
            part, self._whole = self._whole[:_CHUNK_BYTES], self._whole[_CHUNK_BYTES:]
        else:
            part = await self._parts.next()
        if part is not None:
            return message("PayloadChunk", part)
        self._over = True
        return message("InvokeComplete", json.dumps(self._end()).encode(), "application/json")

    def _end(self) -> dict[str, str]:
        outcome = self._parts.outcome
        if outcome is None:
            return {}
        log = self._log(outcome.record)
        told = {"LogResult": log} if log else {}
        if outcome.ok:
            return told
        failure = failure_payload(outcome.record, self._handler)
        error = {"ErrorCode": str(failure.get("errorType", "Unhandled")), "ErrorDetails": json.dumps(failure)}
        return told | error

    async def aclose(self) -> None:
        """Nobody reads on."""
        self._over = True
        self._parts.leave()
        self._close()
