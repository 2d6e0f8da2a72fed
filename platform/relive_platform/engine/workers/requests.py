"""Requests to a service, from whoever has the client to the worker: bodies that go on, clients that leave."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, cast

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

    __slots__ = ("_attempt", "_life", "_mono", "_send", "on_room", "room")

    def __init__(
        self,
        attempt: Attempt,
        life: WorkerLife,
        send: Callable[[Frame], None],
        mono: Callable[[], float],
    ) -> None:
        self._mono = mono
        self._attempt = attempt
        self._life = life
        self._send = send
        self.room = WINDOW_BYTES
        self.on_room: Callable[[], object] | None = None

    @property
    def _runs(self) -> bool:
        ident = self._attempt.record.invocation_id
        return self._life.attempts.get(ident) is self._attempt and not self._life.condemned

    def push(self, data: bytes, more: bool) -> None:
        """The body goes on."""
        if self._runs:
            self.room -= len(data)
            self._attempt.body_came(data)
            self._attempt.body_moves(self._mono())
            self._send(Body(invocation_id=self._attempt.record.invocation_id, data=data, more=more))

    def send(self, message: Frame) -> None:
        """Any other message about the attempt."""
        if self._runs:
            self._send(message)

    def took(self, size: int) -> None:
        """The application has read so much."""
        self.room = min(self.room + size, WINDOW_BYTES)
        if self.on_room is not None:
            self.on_room()

    def gone(self) -> None:
        """The client has left."""
        if self._runs:
            self._attempt.client_left()
            self._send(Gone(invocation_id=self._attempt.record.invocation_id))


class WorkerRequests:
    """Of one worker of a service."""

    def __init__(self, life: WorkerLife, send: Callable[[Frame], None], mono: Callable[[], float]) -> None:
        self._mono = mono
        self._life = life
        self._send = send
        self._open: dict[str, WorkerRequest] = {}  # whose body goes on
        self.takes = {"body_taken": self.on_taken}

    def begin(self, attempt: Attempt) -> None:
        """The worker runs it: its waiter is told where the rest of the request goes."""
        request = attempt.request
        if not request.stream:
            return
        opened = WorkerRequest(attempt, self._life, self._send, self._mono)
        if request.more:
            self._open[attempt.record.invocation_id] = opened
        cast("StreamReader", attempt.waiter).begin_body(attempt.record, opened)

    def on_taken(self, payload: bytes) -> None:
        """A BodyTaken message."""
        taken = _taken.decode(payload)
        opened = self._open.get(taken.invocation_id)
        if opened is not None and taken.size > 0:
            opened.took(taken.size)

    def cancel(self, attempt: Attempt) -> None:
        """Have it ended, and the others go on."""
        if attempt.state == RUNNING:
            self._send(Cancel(invocation_id=attempt.record.invocation_id))

    def end(self, invocation_id: str) -> None:
        """An invocation is over."""
        self._open.pop(invocation_id, None)
