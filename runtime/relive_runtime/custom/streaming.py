"""An answer that is handed on part by part, as the program sends it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Final

from relive_base.wire.messages import CallResult, Invoke, StreamHead, StreamPart
from relive_base.wire.sink import FrameSink

from relive_runtime.adapters.http.streaming import PART_BYTES, WINDOW_BYTES
from relive_runtime.adapters.results import BadResult
from relive_runtime.custom.api.connection import Reply
from relive_runtime.custom.events import split_prelude

__all__ = ["AnswerStream", "AnswerStreams"]

_INTEGRATION: Final = "application/vnd.awslambda.http-integration-response"
_BINARY_TYPE: Final = "application/octet-stream"


class AnswerStream:
    """Of one attempt. Its head leaves with the first part."""

    def __init__(self, invoke: Invoke, sink: FrameSink, ids: Iterator[int], limit_bytes: int) -> None:
        self._invoke = invoke
        self._sink = sink
        self._ids = ids
        self._limit_bytes = limit_bytes
        self._reply: Reply | None = None
        self._type = ""
        self._begun = False
        self._head = bytearray()  # of an HTTP answer, as long as it is not whole
        self._in_flight_bytes = 0
        self._waits_id = 0
        self._left_id = 0
        self._left = False
        self.streamed_bytes = 0

    @property
    def begun(self) -> bool:
        """Whether the caller has got something of it."""
        return self._begun

    def open(self, reply: Reply, content_type: str) -> None:
        """The program begins to send it; `reply` is paused if the caller is slower."""
        self._reply = reply
        self._type = content_type

    def send(self, data: bytes) -> None:
        """Hand a part on. Raises ValueError if the answer is none that can be sent."""
        if self._left:
            return  # the client has gone: what comes still is for nobody
        if not self._begun:
            first = self._begin(data)
            if first is None:
                return
            data = first
        for start in range(0, len(data), PART_BYTES):
            self._part(data[start : start + PART_BYTES])

    def finish(self) -> None:
        """No part follows. Raises ValueError."""
        if not self._begun:
            if self._head:
                raise ValueError("the answer ended before its head did")
            self._put_head(200, self._type or _BINARY_TYPE, [])

    def answered(self, result: CallResult) -> None:
        """The caller has taken a part, or has left."""
        if not result.ok and result.call_id in (self._left_id, self._waits_id):
            self._left = True
        if self._left or result.call_id == self._waits_id:
            self._waits_id = self._in_flight_bytes = 0
            if self._reply is not None:
                self._reply.resume()

    def _begin(self, data: bytes) -> bytes | None:
        """The first bytes of the body, once the head is known."""
        if self._invoke.http is None or not self._type.startswith(_INTEGRATION):
            self._put_head(200, self._type or _BINARY_TYPE, [])
            return data
        self._head += data
        try:
            found = split_prelude(bytes(self._head))
        except BadResult as error:
            raise ValueError(str(error)) from None
        if found is None:
            return None
        answer, rest = found
        self._put_head(answer.status, answer.content_type, answer.headers)
        return rest

    def _put_head(self, status: int, content_type: str, headers: list[tuple[str, str]]) -> None:
        self._begun = True
        self._left_id = next(self._ids)
        self._put(
            StreamHead(
                http_status=status,
                content_type=content_type,
                headers=headers,
                left_id=self._left_id,
                invocation_id=self._invoke.invocation_id,
            )
        )

    def _part(self, piece: bytes) -> None:
        self.streamed_bytes += len(piece)
        self._in_flight_bytes += len(piece)
        if self.streamed_bytes > self._limit_bytes:
            raise ValueError(f"the streamed answer is over the limit of {self._limit_bytes:,} bytes")
        call_id = 0
        if self._in_flight_bytes >= WINDOW_BYTES and not self._waits_id:
            call_id = self._waits_id = next(self._ids)
            if self._reply is not None:
                self._reply.pause()
        self._put(StreamPart(invocation_id=self._invoke.invocation_id, body=piece, call_id=call_id))

    def _put(self, frame: StreamHead | StreamPart) -> None:
        if not self._sink.send_surely(frame):
            raise ValueError("the answer could not be sent: look at its headers")


class AnswerStreams:
    """Makes them, with ids of their own."""

    def __init__(self, sink: FrameSink, limit_bytes: int) -> None:
        self._sink = sink
        self._limit_bytes = limit_bytes
        self._ids = itertools.count(-1, -1)  # those of calls are positive

    def of(self, invoke: Invoke) -> AnswerStream:
        """For one attempt."""
        return AnswerStream(invoke, self._sink, self._ids, self._limit_bytes)
