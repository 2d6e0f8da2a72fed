"""Attempts that begin in a worker: calls that come to it past the engine's own eyes."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

import msgspec
from relive_base.wire.messages import CallBegun, CallStreams, StreamHead, StreamPart, own_id
from relive_runtime.adapters.table import GRPC

from relive_platform.engine.attempt import Attempt
from relive_platform.engine.invocation import AnswerStream, InvokeRequest, Outcome

__all__ = ["BornAttempts", "Caller", "is_own", "request_of"]

_IDS: Final = re.compile(
    "[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
    " [0-9a-f]{32} [0-9a-f]{16} [0-9a-f]{16}"
)
_SKEW_NS: Final = 60_000_000_000
_STATUS: Final = "grpc-status"
_BY_STATUS: Final = {"timeout": "4", "cancelled": "1", "memory": "14", "crash": "14", "lost": "14"}
_UNKNOWN: Final = "2"
_NAMES: Final = {
    str(number): name
    for number, name in enumerate(
        [
            "OK",
            "CANCELLED",
            "UNKNOWN",
            "INVALID_ARGUMENT",
            "DEADLINE_EXCEEDED",
            "NOT_FOUND",
            "ALREADY_EXISTS",
            "PERMISSION_DENIED",
            "RESOURCE_EXHAUSTED",
            "FAILED_PRECONDITION",
            "ABORTED",
            "OUT_OF_RANGE",
            "UNIMPLEMENTED",
            "INTERNAL",
            "UNAVAILABLE",
            "DATA_LOSS",
            "UNAUTHENTICATED",
        ]
    )
}
_begun = msgspec.msgpack.Decoder(CallBegun)
_streams = msgspec.msgpack.Decoder(CallStreams)


class Caller:
    """Waits for a call's outcome in its client's place: the worker has answered it already."""

    def done(self) -> bool:
        """It is told."""
        return False

    def prepare(self, outcome: Outcome, /) -> None:
        """The record gets the status of the call."""
        record, result = outcome.record, outcome.result
        status = next((value for name, value in result.headers if name == _STATUS), "") if result else ""
        if not status:
            status = "0" if outcome.ok else _BY_STATUS.get(record.status, _UNKNOWN)
        record.attributes = {**record.attributes, "rpc.grpc.status_code": status}
        if status in _NAMES:
            record.attributes["rpc.response.status_code"] = _NAMES[status]

    def set_result(self, outcome: Outcome, /) -> None:
        """Nobody waits."""

    def begin_stream(self, record: object, head: StreamHead, stream: AnswerStream, /) -> None:
        """It has its own way to the client."""

    def take_part(self, part: StreamPart, /) -> None:
        """As above."""

    def begin_body(self, record: object, body: object, /) -> None:
        """As above."""


def request_of(function: str, version: int, begun: CallBegun) -> InvokeRequest:
    """The event that a call is."""
    service, _, method = begun.method.lstrip("/").rpartition("/")
    return InvokeRequest(
        function=function,
        version=version,
        trigger=GRPC,
        invocation_id=begun.invocation_id,
        trace_id=begun.trace_id,
        parent_span_id=begun.parent_span_id,
        trace_state=begun.trace_state,
        sampled=begun.sampled,
        accepted_ns=begun.began_ns,
        stream=True,
        user_agent=begun.user_agent,
        wire=GRPC,
        attributes={"rpc.system": GRPC, "rpc.service": service, "rpc.method": method},
    )


def is_own(begun: CallBegun, instance: str, now_ns: int) -> bool:
    """Whether a worker may tell of it: what its code has forged, or borrowed of others, it may not."""
    ids = f"{begun.invocation_id} {begun.trace_id} {begun.span_id} {begun.trigger_span_id}"
    return (
        _IDS.fullmatch(ids) is not None
        and own_id(begun.invocation_id, instance) == begun.invocation_id
        and abs(now_ns - begun.began_ns) < _SKEW_NS
    )


class BornAttempts:
    """Of one worker. Payloads are of messages without their length."""

    def __init__(self, on_begun: Callable[[CallBegun], None], find: Callable[[str], Attempt | None]) -> None:
        """`on_begun` makes an attempt of it."""
        self._on_begun = on_begun
        self._find = find
        self.takes: dict[str, Callable[[bytes], None]] = {
            "call_begun": self._take_begun,
            "call_streams": self._take_streams,
        }

    def _take_begun(self, payload: bytes) -> None:
        self._on_begun(_begun.decode(payload))

    def _take_streams(self, payload: bytes) -> None:
        """Its answer has begun, and comes in parts: its time limit was for the first of them."""
        attempt = self._find(_streams.decode(payload).invocation_id)
        if attempt is not None:
            attempt.moves(float("inf"))
