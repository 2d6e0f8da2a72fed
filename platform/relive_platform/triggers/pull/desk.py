"""What a puller needs of the server, from the pullers' own thread."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Final, Protocol

from relive_base.attributes import Attribute
from relive_base.traceparent import parse_traceparent
from relive_base.wire.messages import SpanLink

from relive_platform.engine.invocation import InvokeRequest
from relive_platform.triggers.pull.connector import Record
from relive_platform.triggers.queue.intake import Known, Taken
from relive_platform.triggers.queue.publisher import Accepted

__all__ = ["Desk", "PullQueue", "event_id_of", "request_of_batch"]

_STATE_CHARS: Final = 512
_BAGGAGE_CHARS: Final = 8_192


class PullQueue(Protocol):
    """What is needed of the event queue; from any thread."""

    def taken(self, trigger: str) -> Future[list[str]]: ...
    def waiting(self, function: str, prefix: str) -> Future[int]: ...
    def known_triggers(self) -> Future[list[Known]]: ...
    def know_trigger(self, known: Known) -> Future[None]: ...
    def forget_trigger(self, trigger: str) -> Future[None]: ...


@dataclass(frozen=True, slots=True)
class Desk:
    """`publish` runs on the server's loop alone; `environment` is the server's."""

    queue: PullQueue
    publish: Callable[..., Awaitable[Accepted]]
    loop: asyncio.AbstractEventLoop
    environment: Mapping[str, str]
    event_bytes: int  # the largest event of the queue

    async def commit(self, request: InvokeRequest, event_id: str, taken: Taken) -> Accepted:
        """Publish from the pullers' loop; returns when it is on the disk."""

        async def on_the_server() -> Accepted:
            return await self.publish(request, event_id, taken=taken)

        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(on_the_server(), self.loop))


def request_of_batch(
    function: str, kind: str, body: bytes, records: Sequence[Record], attributes: dict[str, Any]
) -> InvokeRequest:
    """The event of a batch. It continues the trace of its records if they have one in common; each record
    that was sent in a span is a link."""
    request = InvokeRequest(function=function, event=body, trigger=kind, attributes=attributes)
    traces: set[str] = set()
    for record in records:
        found = parse_traceparent(record.traceparent) if record.traceparent else None
        traces.add(found.trace_id if found is not None else "")
        if found is None:
            continue
        state = record.tracestate[:_STATE_CHARS]
        about: dict[str, Attribute] = {"messaging.message.id": record.position}
        request.links.append(SpanLink(found.trace_id, found.span_id, state, about))
        if not request.trace_id:
            request.trace_id, request.parent_span_id = found.trace_id, found.span_id
            request.trace_state, request.sampled = state, found.sampled
            request.baggage = record.baggage[:_BAGGAGE_CHARS]
    if len(traces) > 1:  # of several traces none is its own: the links tell
        request.trace_id = request.parent_span_id = request.trace_state = request.baggage = ""
        request.sampled = True
    return request


def event_id_of(prefix: str, records: Sequence[Record], body: bytes) -> str:
    """The same for the same records in the same batch."""
    digest = hashlib.blake2b(body, digest_size=8)
    for record in records:
        digest.update(record.position.encode())
    return f"{prefix}{digest.hexdigest()}"
