"""Answers that come in parts, from a worker to whoever reads them."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import msgspec
from relive_base.wire.messages import CallResult, StreamHead, StreamPart

from relive_platform.engine.invocation import Running, StreamReader

__all__ = ["WorkerStream", "begin_stream", "take_part"]

_head = msgspec.msgpack.Decoder(StreamHead)
_part = msgspec.msgpack.Decoder(StreamPart)


class WorkerStream:
    """Tells the worker what becomes of the parts that it sends."""

    def __init__(self, answer: Callable[[CallResult], None], left_id: int) -> None:
        self._answer = answer
        self._left_id = left_id
        self._waits_id = 0  # of the part that the worker waits for

    def waits(self, call_id: int) -> None:
        """The worker waits until this part is taken."""
        self._waits_id = call_id

    def taken(self, call_id: int) -> None:
        """The client has taken the part with this id: the function may go on."""
        self._waits_id = 0
        self._answer(CallResult(call_id=call_id, ok=True))

    def left(self) -> None:
        """The client has gone: the function is to stop."""
        for call_id in (self._left_id, self._waits_id):
            if call_id:
                self._answer(CallResult(call_id=call_id, ok=False))
        self._left_id = self._waits_id = 0


def begin_stream(
    running: Running, payload: bytes, answer: Callable[[CallResult], None]
) -> WorkerStream | None:
    """The stream that a StreamHead begins; None if nobody asked for one."""
    head = _head.decode(payload)
    if head.invocation_id != running.record.invocation_id or not running.request.stream:
        return None
    stream = WorkerStream(answer, head.left_id)
    cast("StreamReader", running.future).begin_stream(running, head, stream)
    return stream


def take_part(running: Running, payload: bytes, stream: WorkerStream) -> None:
    """Hand a part on."""
    part = _part.decode(payload)
    if part.invocation_id == running.record.invocation_id:
        stream.waits(part.call_id)
        cast("StreamReader", running.future).take_part(part)
