"""Answers that come in parts, from a worker to whoever reads them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import cast

import msgspec
from relive_base.wire.messages import CallResult, StreamHead, StreamPart

from relive_platform.engine.attempt import RUNNING, Attempt
from relive_platform.engine.invocation import StreamReader
from relive_platform.engine.workers.life import WorkerLife

__all__ = ["WorkerStream", "WorkerStreams"]

_head = msgspec.msgpack.Decoder(StreamHead)
_part = msgspec.msgpack.Decoder(StreamPart)


class WorkerStream:
    """Tells the worker what becomes of the parts that it sends."""

    def __init__(
        self,
        answer: Callable[[CallResult], None],
        left_id: int,
        leave: Callable[[], None] | None = None,
        goes_on: Callable[[], None] | None = None,
    ) -> None:
        self._goes_on = goes_on
        self._answer = answer
        self._left_id = left_id
        self._leave = leave
        self._waits_id = 0  # of the part that the worker waits for

    def waits(self, call_id: int) -> None:
        """The worker waits until this part is taken."""
        self._waits_id = call_id

    def taken(self, call_id: int) -> None:
        """The client has taken the part with this id: the function may go on."""
        self._waits_id = 0
        if self._goes_on is not None:
            self._goes_on()
        self._answer(CallResult(call_id=call_id, ok=True))

    def left(self) -> None:
        """The client has gone: the function is to stop."""
        for call_id in (self._left_id, self._waits_id):
            if call_id:
                self._answer(CallResult(call_id=call_id, ok=False))
        self._left_id = self._waits_id = 0
        leave, self._leave = self._leave, None
        if leave is not None:
            leave()


class WorkerStreams:
    """The answers of one worker that come in parts, by their invocations' ids."""

    def __init__(
        self,
        life: WorkerLife,
        answer: Callable[[CallResult], None],
        leave: Callable[[Attempt], None],
        moves: Callable[[Attempt, bool], None] | None = None,
    ) -> None:
        """`leave`: tells the worker that the client has gone, if its head names no call for that; `moves` is
        told of each part, and whether the worker waits for the client to take it."""
        self._life = life
        self._answer = answer
        self._leave = leave
        self._moves = moves
        self.open: dict[str, WorkerStream] = {}
        self.takes = {"stream_head": self.on_head, "stream_part": self.on_part}

    def _goes_on(self, attempt: Attempt) -> Callable[[], None] | None:
        return partial(self._moves, attempt, False) if self._moves is not None else None

    def _attempt(self, invocation_id: str) -> Attempt | None:
        """One that runs, and whose waiter has asked for an answer in parts."""
        attempt = self._life.find(invocation_id)
        if attempt is None or attempt.state != RUNNING or self._life.condemned:
            return None
        return attempt if attempt.request.stream else None

    def on_head(self, payload: bytes) -> None:
        """A StreamHead message."""
        head = _head.decode(payload)
        attempt = self._attempt(head.invocation_id)
        if attempt is not None:
            if self._moves is not None:
                self._moves(attempt, False)
            leave = partial(self._leave, attempt) if not head.left_id else None
            stream = self.open[head.invocation_id] = WorkerStream(
                self._answer, head.left_id, leave, self._goes_on(attempt)
            )
            cast("StreamReader", attempt.waiter).begin_stream(attempt.record, head, stream)

    def on_part(self, payload: bytes) -> None:
        """A StreamPart message."""
        part = _part.decode(payload)
        attempt, stream = self._attempt(part.invocation_id), self.open.get(part.invocation_id)
        if attempt is not None and stream is None and attempt.request.wire:
            stream = self.open[part.invocation_id] = WorkerStream(
                self._answer, 0, partial(self._leave, attempt), self._goes_on(attempt)
            )
        if attempt is not None and stream is not None:
            stream.waits(part.call_id)
            if self._moves is not None:
                self._moves(attempt, bool(part.call_id))
            cast("StreamReader", attempt.waiter).take_part(part)

    def end(self, invocation_id: str) -> None:
        """An invocation is over."""
        self.open.pop(invocation_id, None)
