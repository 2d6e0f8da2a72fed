"""One attempt in the hands of the program: what it was given, and what it has answered so far."""

from __future__ import annotations

import time
from typing import Final, Protocol

from relive_base.wire.messages import Invoke

from relive_runtime.custom.api.connection import Refusal, Reply
from relive_runtime.custom.api.parsing import Head
from relive_runtime.custom.streaming import AnswerStream

__all__ = ["Attempt", "ResponseBody", "ResponseTaker"]

_STREAMING: Final = "streaming"


class Attempt:
    """It waits for the program, then runs, then is answered; once the program asks again, it is over."""

    __slots__ = (
        "answered",
        "cpu_ns",
        "ended_ns",
        "event",
        "invocation_id",
        "invoke",
        "reply",
        "started_ns",
        "stream",
    )  # fmt: skip

    def __init__(self, invoke: Invoke, event: bytes, cpu_ns: int) -> None:
        self.invoke = invoke
        self.invocation_id = invoke.invocation_id
        self.event = event
        self.cpu_ns = cpu_ns  # what the program had used when it began
        self.started_ns = time.time_ns()
        self.reply: Reply | None = None  # by which the program got it
        self.answered = False
        self.ended_ns = 0  # when it was stopped, if it was
        self.stream: AnswerStream | None = None

    def is_handed(self) -> bool:
        """Whether the program has it, as far as anybody can know."""
        return self.reply is not None and not self.reply.gone


class ResponseTaker(Protocol):
    """Who is told of a response."""

    def too_large(self, attempt: Attempt, size: int) -> Refusal:
        """It is over the limit."""

    def responded(self, attempt: Attempt, body: bytes, content_type: str) -> None:
        """It is whole."""

    def streamed(self, attempt: Attempt, trailers: dict[str, str]) -> None:
        """Its last part has come; `trailers` may tell an error."""

    def misfit(self, attempt: Attempt, why: str) -> Refusal:
        """It is none."""

    def broken(self, attempt: Attempt) -> None:
        """The connection ended within it, and some of it has left already."""


class ResponseBody:
    """A response as it comes: kept until it is whole, or handed on part by part if both ends want that."""

    def __init__(
        self,
        attempt: Attempt,
        head: Head,
        reply: Reply,
        taker: ResponseTaker,
        limit: int,
        stream: AnswerStream,
    ) -> None:
        """`stream` begins with the first part, if the answer is sent in parts."""
        self._attempt = attempt
        self._reply = reply
        self._taker = taker
        self._limit = limit
        self._type = head.headers.get("content-type", "")
        self._body = bytearray()
        streaming = head.headers.get("lambda-runtime-function-response-mode", "").lower() == _STREAMING
        self._stream = stream if streaming and attempt.invoke.stream else None
        if self._stream is not None:
            attempt.stream = self._stream
            self._stream.open(reply, self._type)
        elif head.length > limit:
            raise taker.too_large(attempt, head.length)

    def take(self, data: bytes) -> None:
        """More of it. Raises Refusal."""
        if self._stream is not None:
            try:
                self._stream.send(data)
            except ValueError as error:
                raise self._taker.misfit(self._attempt, str(error)) from None
            return
        self._body += data
        if len(self._body) > self._limit:
            size = len(self._body)
            self._body.clear()
            raise self._taker.too_large(self._attempt, size)

    def end(self, trailers: dict[str, str]) -> None:
        """All of it is there. Raises Refusal."""
        if self._attempt.answered:
            raise Refusal(403, "InvalidStateTransition", "the invocation is answered already")
        if self._stream is not None or trailers:
            self._ended(trailers)
        else:
            self._taker.responded(self._attempt, bytes(self._body), self._type)
        self._reply.accept()

    def _ended(self, trailers: dict[str, str]) -> None:
        if self._stream is not None and not trailers:
            try:
                self._stream.finish()
            except ValueError as error:
                raise self._taker.misfit(self._attempt, str(error)) from None
        if self._stream is None and "lambda-runtime-function-error-type" not in trailers:
            self._taker.responded(self._attempt, bytes(self._body), self._type)
        else:
            self._taker.streamed(self._attempt, trailers)

    def broken(self) -> None:
        """The connection ended within it."""
        if not self._attempt.answered:
            self._taker.broken(self._attempt)
