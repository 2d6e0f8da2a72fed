"""An answer that is sent part by part, as the function's iterator gives them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Final, Protocol

from relive_base.wire.messages import CallResult, StreamHead, StreamPart
from relive_base.wire.sink import FrameSink

from relive_runtime.adapters.base import Attempt
from relive_runtime.adapters.results import BadResult, encode_text, limit_size

__all__ = ["Part", "Streamer", "encoded", "joined"]

PART_BYTES: Final = 262_144
WINDOW_BYTES: Final = 262_144
"""So much is on its way to the client at most; then the function waits for it."""
_WAIT_S: Final = 86_400.0  # the invocation's own time limit comes first

Part = str | bytes | bytearray | memoryview


def encoded(part: object) -> bytes:
    """A part as it is sent. Raises BadResult."""
    if type(part) is bytes:
        return part
    if isinstance(part, str):
        return encode_text(part)
    if isinstance(part, bytes | bytearray | memoryview):
        return bytes(part)
    raise BadResult(f"the iterator gave a {type(part).__name__}", hint="yield str or bytes")


def joined(parts: Iterator[object], limit: int, first: bytes = b"") -> bytes:
    """All of it, up to a limit in bytes. Raises BadResult."""
    whole = bytearray(first)
    for part in parts:
        whole += encoded(part)
        limit_size(len(whole), limit)
    return bytes(whole)


class AnswerQueue(Protocol):
    """The worker's channel: who sends a frame with a call id gets a CallResult with it."""

    def expect(self, call_id: int) -> None: ...
    def answer(self, call_id: int, timeout_s: float) -> CallResult | None: ...
    def look(self, call_id: int) -> CallResult | None: ...
    def forget(self, call_id: int) -> None: ...


class Streamer:
    """Sends answers part by part; one per worker. Main thread only."""

    def __init__(self, sink: FrameSink, channel: AnswerQueue, limit_bytes: int) -> None:
        self._sink = sink
        self._channel = channel
        self._limit_bytes = limit_bytes
        self._ids = itertools.count(-1, -1)  # those of calls are positive

    def send(self, attempt: Attempt, head: StreamHead, first: bytes, parts: Iterator[object]) -> None:
        """Send head and parts as they come, and count them; stop if the client has gone. Raises BadResult."""
        left_id = head.left_id = next(self._ids)
        head.invocation_id = attempt.invoke.invocation_id
        self._channel.expect(left_id)
        try:
            self._put(head)
            stream = _Stream(attempt, head.length)
            if not self._pass_on(stream, first):
                return
            for part in filter(None, map(encoded, parts)):
                if self._channel.look(left_id) is not None or not self._pass_on(stream, part):
                    return
            if 0 <= head.length != attempt.streamed_bytes:
                raise stream.other_length()
        finally:
            self._channel.forget(left_id)

    def _pass_on(self, stream: _Stream, part: bytes) -> bool:
        """Whether the client is still there."""
        for start in range(0, len(part), PART_BYTES):
            piece = part[start : start + PART_BYTES]
            stream.count(len(piece), self._limit_bytes)
            if stream.in_flight_bytes < WINDOW_BYTES:
                self._put(StreamPart(invocation_id=stream.invocation_id, body=piece))
            elif not self._taken(stream, piece):
                return False
        return True

    def _taken(self, stream: _Stream, piece: bytes) -> bool:
        """Send a part and wait until the client has taken what was sent. False: it has gone."""
        call_id = next(self._ids)
        self._channel.expect(call_id)
        self._put(StreamPart(invocation_id=stream.invocation_id, body=piece, call_id=call_id))
        answer = self._channel.answer(call_id, _WAIT_S)
        stream.in_flight_bytes = 0
        return answer is not None and answer.ok

    def _put(self, frame: StreamHead | StreamPart) -> None:
        if not self._sink.send_surely(frame):
            raise BadResult("the answer could not be sent", hint="look at its headers: are they text?")


class _Stream:
    """What has been sent of one answer."""

    def __init__(self, attempt: Attempt, length: int) -> None:
        self._attempt = attempt
        self._length = length  # in bytes, as its head says; -1: it does not
        self.invocation_id = attempt.invoke.invocation_id
        self.in_flight_bytes = 0

    def count(self, size: int, limit: int) -> None:
        """`size` bytes more are to be sent. Raises BadResult if they are more than there may be."""
        self.in_flight_bytes += size
        self._attempt.streamed_bytes += size
        if 0 <= self._length < self._attempt.streamed_bytes:
            raise self.other_length()
        if self._attempt.streamed_bytes > limit:
            raise BadResult(
                f"the streamed answer is over the limit of {limit:,} bytes",
                hint="send less, or raise RELIVE_STREAM_LIMIT_BYTES",
            )

    def other_length(self) -> BadResult:
        """The answer is not as long as its head says."""
        sent_bytes = self._attempt.streamed_bytes
        return BadResult(
            f"the answer has {sent_bytes:,} bytes, and its content-length says {self._length:,}",
            hint="leave content-length out",
        )
