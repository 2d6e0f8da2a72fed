"""What stands at the path of a cloudevents trigger: each event of a request goes onto the queue."""

from __future__ import annotations

import asyncio
import hashlib
import json
from typing import Any, Final

import msgspec
from relive_base.traceparent import parse_traceparent
from relive_base.wire.messages import HttpRequest

from relive_platform.engine.invocation import InvokeRequest
from relive_platform.triggers.cloudevents.config import CloudEventsTrigger
from relive_platform.triggers.cloudevents.event import BadCloudEvent, CloudEvent
from relive_platform.triggers.cloudevents.reading import UnknownFormat, read_events
from relive_platform.triggers.http.doors import Delivery, DoorRefusal, Passage
from relive_platform.triggers.http.responses import Response, json_response
from relive_platform.triggers.patterns import compile_pattern
from relive_platform.triggers.pull.state import SourceState
from relive_platform.triggers.shapes import eventbridge_of

__all__ = ["CloudEventsDoor"]

_LARGE_BYTES: Final = 65_536  # from here on a thread reads it
_STATE_CHARS: Final = 512
_CHARS: Final = 256
_ORIGIN: Final = "webhook-request-origin"


class CloudEventsDoor:
    """Of one trigger. The function's own access rules hold."""

    def __init__(self, trigger: CloudEventsTrigger, function: str) -> None:
        self.state = SourceState(function, "cloudevents", trigger.describe(), "running")
        self._shape = trigger.shape
        self._pattern = compile_pattern(trigger.pattern) if trigger.pattern is not None else None

    def describe(self) -> SourceState:
        """How it stands. `fetched`: events that came, `omitted`: requests that were refused."""
        return self.state

    @property
    def synchronous(self) -> bool:
        """The sender knows no more than that its events are stored."""
        return False

    async def open(self, request: InvokeRequest) -> Passage:
        """The events that fit. Raises DoorRefusal."""
        http = request.http
        assert http is not None
        headers: dict[str, str] = {}
        for name, value in http.headers:
            headers.setdefault(name, value)
        if http.method == "OPTIONS":
            return Passage(response=_permission(headers))
        try:
            if len(http.body) > _LARGE_BYTES:
                events, several = await asyncio.to_thread(read_events, headers, http.body)
            else:
                events, several = read_events(headers, http.body)
        except BadCloudEvent as error:
            self.state.omitted += 1
            raise DoorRefusal(400, "BadCloudEvent", str(error)) from None
        except UnknownFormat as error:
            self.state.omitted += 1
            raise DoorRefusal(415, "UnsupportedMediaType", str(error)) from None
        self.state.fetched += len(events)
        deliveries = []
        for event in events:
            document = event.document()
            if self._pattern is None or self._pattern.matches(document):
                deliveries.append(self._delivery(request, http, event, document))
        if not deliveries:
            return Passage(response=json_response(202, {"accepted": 0, "events": []}))
        return Passage(deliveries, several=several)

    def done(self, delivery: Delivery, ok: bool) -> None:
        """Nothing is remembered."""

    def _delivery(
        self, request: InvokeRequest, http: HttpRequest, event: CloudEvent, document: dict[str, Any]
    ) -> Delivery:
        made = msgspec.structs.replace(
            request,
            http=None,
            trigger="cloudevents",
            event=self._encoded(event, document),
            attributes={
                **request.attributes,
                "cloudevents.event_id": event.text("id")[:_CHARS],
                "cloudevents.event_source": event.text("source")[:_CHARS],
                "cloudevents.event_type": event.text("type")[:_CHARS],
                "cloudevents.event_spec_version": event.text("specversion"),
            },
        )
        _continue(made, event)
        key = hashlib.blake2b(event.key.encode(), digest_size=16).hexdigest()
        same = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()  # however it was sent
        return Delivery(made, f"cloudevents-{key}", same)

    def _encoded(self, event: CloudEvent, document: dict[str, Any]) -> bytes:
        try:
            if self._shape == "eventbridge":
                return json.dumps(eventbridge_of(document), allow_nan=False).encode()
            return event.encode()
        except ValueError as error:
            raise DoorRefusal(400, "BadCloudEvent", str(error)) from None


def _continue(request: InvokeRequest, event: CloudEvent) -> None:
    """The extension for distributed tracing: the trace in which the event was made, whoever sent it on."""
    found = parse_traceparent(event.text("traceparent"))
    if found is not None:
        request.trace_id = found.trace_id
        request.parent_span_id = found.span_id
        request.sampled = found.sampled
        request.trace_state = event.text("tracestate")[:_STATE_CHARS]


def _permission(headers: dict[str, str]) -> Response:
    """CloudEvents' web hooks: a sender asks before it sends."""
    origin = headers.get(_ORIGIN, "")
    if not origin or not origin.isprintable():
        raise DoorRefusal(
            400, "BadRequest", f"OPTIONS is for senders that ask first: the header {_ORIGIN} is missing"
        )
    more = f"webhook-allowed-origin: {origin[:_CHARS]}\r\nwebhook-allowed-rate: *\r\nallow: POST, OPTIONS\r\n"
    return json_response(200, {"allowed": True}, more)
