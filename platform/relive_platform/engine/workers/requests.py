"""Requests to a service, from whoever has the client to the worker: bodies that go on, clients that leave."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec
from relive_base.wire.messages import Body, BodyTaken, Cancel, Frame, Gone

from relive_platform.engine.attempt import RUNNING, Attempt
from relive_platform.engine.invocation import StreamReader
from relive_platform.engine.workers.life import WorkerLife

__all__ = ["WorkerRequest", "WorkerRequests"]

WINDOW_BYTES: Final = 262_144
"""Of a body that the application has not read yet."""
_taken = msgspec.msgpack.Decoder(BodyTaken)


class WorkerRequest:
    """A `RequestBody`: one attempt's, in its worker."""

    room = WINDOW_BYTES
    on_room: Callable[[], object] | None = None

    def __init__(self, attempt: Attempt, of: WorkerRequests) -> None:
        self._attempt = attempt
        self._of = of

    @property
    def _runs(self) -> bool:
        life, attempt = self._of.life, self._attempt
        return life.attempts.get(attempt.record.invocation_id) is attempt and not life.condemned

    def push(self, data: bytes, more: bool) -> None:
        """The body goes on."""
        if self._runs:
            self.room -= len(data)
            self._attempt.body_came(data)
            self._attempt.body_moves(self._of.mono())
            self._of.send(Body(invocation_id=self._attempt.record.invocation_id, data=data, more=more))

    def send(self, message: Frame) -> None:
        """Any other message about the attempt."""
        if self._runs:
            self._of.send(message)

    def took(self, size: int) -> None:
        """The application has read so much."""
        self.room = min(self.room + size, WINDOW_BYTES)
        if self.on_room is not None:
            self.on_room()

    def gone(self) -> None:
        """The client has left."""
        if self._runs:
            self._attempt.client_left()
            self._of.send(Gone(invocation_id=self._attempt.record.invocation_id))


class WorkerRequests:
    """Of one worker of a service."""

    def __init__(self, life: WorkerLife, send: Callable[[Frame], None], mono: Callable[[], float]) -> None:
        self.mono = mono
        self.life = life
        self.send = send
        self._open: dict[str, WorkerRequest] = {}  # whose body goes on
        self.takes = {"body_taken": self.on_taken}

    def begin(self, attempt: Attempt) -> None:
        """The worker runs it: its waiter is told where the rest of the request goes."""
        request = attempt.request
        if not request.stream:
            return
        opened = WorkerRequest(attempt, self)
        if request.more:
            self._open[attempt.record.invocation_id] = opened
        reader: StreamReader = attempt.waiter  # type: ignore[assignment]
        reader.begin_body(attempt.record, opened)

    def on_taken(self, payload: bytes) -> None:
        """A BodyTaken message."""
        taken = _taken.decode(payload)
        opened = self._open.get(taken.invocation_id)
        if opened is not None and taken.size > 0:
            opened.took(taken.size)

    def cancel(self, attempt: Attempt) -> None:
        """Have it ended, and the others go on."""
        if attempt.state == RUNNING:
            self.send(Cancel(invocation_id=attempt.record.invocation_id))

    def end(self, invocation_id: str) -> None:
        """An invocation is over."""
        self._open.pop(invocation_id, None)
