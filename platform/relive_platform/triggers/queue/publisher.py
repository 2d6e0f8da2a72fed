"""Puts asynchronous events on the durable queue, and reads them back as requests."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Collection
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Final, Protocol

import msgspec
from relive_base.ids import new_invocation_id, new_span_id, new_trace_id
from relive_base.wire.messages import FunctionSpec, HttpRequest, SpanData
from relive_tracer.explore.platform_rows import producer_span

from relive_platform.engine.errors import UnknownFunction
from relive_platform.engine.invocation import InvokeRequest
from relive_platform.triggers.base import Served
from relive_platform.triggers.queue.intake import Taken
from relive_platform.triggers.queue.model import BadEventId, Lease, QueuedEvent, Receipt

__all__ = ["Accepted", "Elsewhere", "Publisher", "invocation_of", "request_of"]

EVENT_ID_CHARS: Final = 256
HTTP_EVENT: Final = "application/x-relive-http"
_INVOCATION: Final = "relive.invocation_id"
_SAMPLED: Final = "relive.sampled"
_BAGGAGE: Final = "relive.baggage"
_PULLED: Final = ("kafka", "nats", "postgres", "redis")
_OWN_KINDS: Final = ("alarm", "bucket", "bus", "cloudevents", "failure", "logs", "webhook")
_KEPT: Final = frozenset(("timer", *_PULLED, *_OWN_KINDS))  # the others come by the queue
_QUALIFIER: Final = "relive.asked"
_OWN: Final = frozenset((_INVOCATION, _SAMPLED, _BAGGAGE, _QUALIFIER))
_DROPPED: Final = frozenset(("traceparent", "tracestate", "baggage", "idempotency-key", "prefer", "date"))
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(HttpRequest)


@dataclass(frozen=True, slots=True)
class Accepted:
    """An event is durable. All its attempts have this invocation id, which is "" if it is not kept any
    more; `span_id` is the publishing span."""

    event_id: str
    invocation_id: str
    trace_id: str
    span_id: str
    duplicate: bool = False
    state: str = "ready"  # of a duplicate: what became of the first
    result: bytes | None = None  # of a duplicate whose first is done


class Elsewhere(Protocol):
    """Takes events that are for no function by name, such as those for a bus."""

    async def __call__(
        self, request: InvokeRequest, ident: str, publisher: FunctionSpec | None, /
    ) -> Accepted: ...


class PublishQueue(Protocol):
    """What is needed of the event queue."""

    def publish(self, event: QueuedEvent, *, taken: Taken | None = None) -> Future[Receipt]: ...


class Publisher:
    """The one way onto the queue; runs on the event loop."""

    def __init__(
        self,
        queue: PublishQueue,
        serving: Callable[[str], Served | None],
        on_span: Callable[[FunctionSpec, str, SpanData, bool], None],
        names: Callable[[], Collection[str]] = tuple,
    ) -> None:
        self._queue = queue
        self._serving = serving
        self._on_span = on_span
        self._names = names
        self.elsewhere: dict[str, Elsewhere] = {}  # by what is before ":" in a name that is no function's
        self.named: Callable[[str], str] = lambda name: ""  # which of them takes what is sent to a plain name

    async def __call__(
        self,
        request: InvokeRequest,
        idempotency_key: str = "",
        publisher: FunctionSpec | None = None,
        identity: bytes = b"",
        taken: Taken | None = None,
    ) -> Accepted:
        """Accept an event; `publisher`: the function that sends it, whose the publishing span is. `identity`:
        what two sendings with one key have in common, if it is not all of the event. `taken`: the records
        of a server of others that the event consists of, written down in the same commit.

        Raises UnknownFunction and what the queue refuses it with.
        """
        kind, colon, _ = request.function.partition(":")
        if colon and kind in self.elsewhere:
            return await self.elsewhere[kind](request, idempotency_key, publisher)
        version = self._serving(request.function)
        if version is None and self.named(request.function):
            kind = self.named(request.function)
            return await self.elsewhere[kind](request, idempotency_key, publisher)
        if version is None:
            raise UnknownFunction(request.function, self._names())
        if len(idempotency_key) > EVENT_ID_CHARS:
            raise BadEventId(
                f"the event's id has {len(idempotency_key):,} characters",
                hint=f"use at most {EVENT_ID_CHARS}, a hash of it for example",
            )
        started_ns = time.time_ns()
        invocation_id = new_invocation_id()
        trace_id = request.trace_id or new_trace_id()
        span_id = new_span_id()
        body, content_type = _body(request)
        event = QueuedEvent(
            function=version.name,
            body=body,
            event_id=idempotency_key or invocation_id,
            trigger=request.trigger,
            content_type=content_type,
            trace_id=trace_id,
            span_id=span_id,
            trace_state=request.trace_state,
            caller_invocation_id=request.caller_invocation_id,
            depth=request.depth,
            attributes=_carried(request, invocation_id),
            retries=version.config.retries,
            max_age_s=version.config.max_age_s,
            identity=identity or _identity(request),
            links=request.links,
        )
        receipt = await asyncio.wrap_future(self._queue.publish(event, taken=taken))
        if not receipt.duplicate:
            span = producer_span(
                function=version.name,
                trace_id=trace_id,
                span_id=span_id,
                parent_span_id=request.parent_span_id,
                trace_state=request.trace_state,
                start_ns=started_ns,
                end_ns=time.time_ns(),
                event_id=receipt.event_id,
                links=request.links,
            )
            caller = request.caller_invocation_id if publisher is not None else ""
            self._on_span(publisher or version.spec, caller or invocation_id, span, request.sampled)
        found = _found(receipt) if receipt.duplicate else invocation_id
        return Accepted(
            receipt.event_id, found, trace_id, span_id, receipt.duplicate, receipt.state, receipt.result
        )

    def tell_server(self, request: InvokeRequest, invocation_id: str, span: SpanData) -> None:
        """The SERVER span of a request that is answered as soon as its event is accepted, or refused."""
        version = self._serving(request.function)
        if version is not None:
            self._on_span(version.spec, invocation_id, span, request.sampled)


def _carried(request: InvokeRequest, invocation_id: str) -> dict[str, str]:
    """What each delivery takes along beside the event."""
    carried = {
        **request.attributes,
        _INVOCATION: invocation_id,
        _SAMPLED: "1" if request.sampled else "0",
    }
    if request.qualifier:
        carried[_QUALIFIER] = request.qualifier
    if request.baggage:
        carried[_BAGGAGE] = request.baggage
    return carried


def _body(request: InvokeRequest) -> tuple[bytes, str]:
    http = request.http
    if http is None:
        return request.event, "application/json"
    headers = [pair for pair in http.headers if pair[0] not in _DROPPED]
    return _encoder.encode(msgspec.structs.replace(http, headers=headers)), HTTP_EVENT


def _identity(request: InvokeRequest) -> bytes:
    """What two sendings with one id must have in common: what is asked for, and with which payload.

    Headers, the client and the connection differ from one try to the next.
    """
    http = request.http
    if http is None:
        return _encoder.encode(("event", request.event))
    kind = next((value for name, value in http.headers if name == "content-type"), "")
    return _encoder.encode(("http", http.method, http.path, http.query, kind, http.body))


def request_of(lease: Lease, since_ns: int = 0) -> InvokeRequest:
    """The request of one delivery. The publishing span is its parent, and is linked from it.

    `since_ns`: when deliveries began; an attempt before that has not lasted longer.
    """
    event = lease.event
    carried = event.attributes
    http = None
    body = event.body
    if event.content_type == HTTP_EVENT:
        http = _decoder.decode(event.body)
        body = b""
    return InvokeRequest(
        function=event.function,
        qualifier=carried.get(_QUALIFIER, ""),
        event=body,
        http=http,
        trigger=event.trigger if event.trigger in _KEPT else "queue",
        trace_id=event.trace_id,
        parent_span_id=event.span_id,
        trace_state=event.trace_state,
        sampled=carried.get(_SAMPLED, "1") == "1",
        attempt=lease.attempt,
        invocation_id=invocation_of(event),
        event_id=event.event_id,
        enqueued_ns=event.enqueued_ns,
        link_trace_id=event.trace_id,
        link_span_id=event.span_id,
        caller_invocation_id=event.caller_invocation_id,
        depth=event.depth,
        baggage=carried.get(_BAGGAGE, ""),
        links=event.links,
        ready_ns=max(lease.due_ns, since_ns) if lease.attempt > 1 else 0,
        attributes={name: value for name, value in carried.items() if name not in _OWN},
    )


def _found(receipt: Receipt) -> str:
    """The invocation id of the event that this one is a duplicate of."""
    return receipt.invocation_id or (invocation_of(receipt.accepted) if receipt.accepted else "")


def invocation_of(event: QueuedEvent) -> str:
    """The invocation id that all attempts at an event share."""
    return event.attributes.get(_INVOCATION) or _derived_id(event)


def _derived_id(event: QueuedEvent) -> str:
    """A UUIDv7 that is the same for each attempt: time of acceptance, then a hash of the event's id."""
    millis = event.enqueued_ns // 1_000_000
    digest = int.from_bytes(hashlib.blake2b(event.event_id.encode(), digest_size=10).digest(), "big")
    high = (millis << 16) | 0x7000 | (digest >> 68 & 0x0FFF)
    low = 0x8000_0000_0000_0000 | (digest & 0x3FFF_FFFF_FFFF_FFFF)
    text = f"{high:016x}{low:016x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
