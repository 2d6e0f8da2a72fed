"""An answer that is sent part by part, as the function's iterator gives them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Final, Protocol

from relive_base.wire.messages import CallResult, Invoke, StreamHead, StreamPart
from relive_base.wire.sink import FrameSink

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
    """Sends the parts of one answer after the other. Main thread only."""

    def __init__(self, sink: FrameSink, channel: AnswerQueue, limit_bytes: int) -> None:
        self._sink = sink
        self._channel = channel
        self._limit_bytes = limit_bytes
        self._ids = itertools.count(-1, -1)  # those of calls are positive
        self._invocation_id = ""
        self._left_id = 0
        self._in_flight = 0
        self._length = -1
        self.wanted = False
        """Whether the caller takes the answer part by part."""
        self.sent_bytes = 0
        """Of the current invocation's answer."""

    def begin(self, invoke: Invoke) -> None:
        """An invocation begins."""
        self.wanted = invoke.stream
        self.sent_bytes = 0
        self._invocation_id = invoke.invocation_id

    def send(self, head: StreamHead, first: bytes, parts: Iterator[object]) -> None:
        """Send head and parts as they come; stop if the client has gone. Raises BadResult."""
        self._left_id = head.left_id = next(self._ids)
        head.invocation_id = self._invocation_id
        self._length = head.length
        self._in_flight = 0
        self._channel.expect(self._left_id)
        try:
            self._put(head)
            if not self._pass_on(first):
                return
            for part in filter(None, map(encoded, parts)):
                if self._channel.look(self._left_id) is not None or not self._pass_on(part):
                    return
            if 0 <= head.length != self.sent_bytes:
                raise self._other_length()
        finally:
            self._channel.forget(self._left_id)

    def _other_length(self) -> BadResult:
        return BadResult(
            f"the answer has {self.sent_bytes:,} bytes, and its content-length says {self._length:,}",
            hint="leave content-length out",
        )

    def _pass_on(self, part: bytes) -> bool:
        """Whether the client is still there."""
        for start in range(0, len(part), PART_BYTES):
            piece = part[start : start + PART_BYTES]
            self.sent_bytes += len(piece)
            if 0 <= self._length < self.sent_bytes:
                raise self._other_length()
            if self.sent_bytes > self._limit_bytes:
                raise BadResult(
                    f"the streamed answer is over the limit of {self._limit_bytes:,} bytes",
                    hint="send less, or raise RELIVE_STREAM_LIMIT_BYTES",
                )
            self._in_flight += len(piece)
            if self._in_flight < WINDOW_BYTES:
                self._put(StreamPart(invocation_id=self._invocation_id, body=piece))
            elif not self._taken(piece):
                return False
        return True

    def _taken(self, piece: bytes) -> bool:
        """Send a part and wait until the client has taken what was sent. False: it has gone."""
        call_id = next(self._ids)
        self._channel.expect(call_id)
        self._put(StreamPart(invocation_id=self._invocation_id, body=piece, call_id=call_id))
        answer = self._channel.answer(call_id, _WAIT_S)
        self._in_flight = 0
        return answer is not None and answer.ok

    def _put(self, frame: StreamHead | StreamPart) -> None:
        if not self._sink.send_surely(frame):
            raise BadResult("the answer could not be sent", hint="look at its headers: are they text?")
