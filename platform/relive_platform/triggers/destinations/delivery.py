"""Brings outcomes to destinations that are no functions: queues, buses, webhooks."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import Awaitable, Callable, Mapping
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

import msgspec
from relive_base.errors import ReliveError
from relive_base.resource import relive_version
from relive_base.traceparent import format_traceparent
from relive_base.within import within

from relive_platform.engine.invocation import InvokeRequest
from relive_platform.triggers.destinations.record import SUCCESS
from relive_platform.triggers.queue.model import QueuedEvent
from relive_platform.triggers.queue.publisher import Elsewhere

__all__ = ["WEBHOOK", "Deliveries", "WebhookRefused"]

WEBHOOK: Final = "relive.webhook"
"""Attribute of an event: the whole URL that it goes to."""
_TIMEOUT_S: Final = 10.0
_AT_ONCE: Final = 8
_READ_BYTES: Final = 65_536
_GOOD: Final = range(200, 300)


class WebhookRefused(ReliveError):
    """A webhook did not take an event."""


class Deliveries:
    """By what stands before the ":" of the address."""

    def __init__(self, elsewhere: Mapping[str, Elsewhere]) -> None:
        """`elsewhere`: who takes what is sent to queues and buses."""
        self._elsewhere = elsewhere
        self._webhooks = asyncio.Semaphore(_AT_ONCE)
        self._own: dict[str, Callable[[str, QueuedEvent], Awaitable[None]]] = {"webhook": self._webhook}

    def takes(self, function: str) -> bool:
        """Whether events "for" this are for a destination that is no function."""
        kind, colon, _ = function.partition(":")
        return bool(colon) and (kind in self._own or kind in self._elsewhere)

    async def deliver(self, event: QueuedEvent) -> None:
        """It is safe there when this returns. Raises ReliveError."""
        kind, _, name = event.function.partition(":")
        if kind in self._own:
            await self._own[kind](name, event)
            return
        request = InvokeRequest(
            function=event.function,
            event=_entry(event) if kind == "bus" else event.body,
            trigger="queue",
            trace_id=event.trace_id,
            parent_span_id=event.span_id,
            trace_state=event.trace_state,
            depth=event.depth,
        )
        await self._elsewhere[kind](request, event.event_id, None)

    async def _webhook(self, shown: str, event: QueuedEvent) -> None:
        url = event.attributes.get(WEBHOOK, "")
        async with self._webhooks:
            try:
                await within(_post(url, event), _TIMEOUT_S)
            except TimeoutError as error:
                raise WebhookRefused(f"it did not answer within {_TIMEOUT_S:g} s", where=shown) from error
            except (OSError, ValueError) as error:
                raise WebhookRefused(f"{type(error).__name__}: {error}", where=shown) from error


class _Context(msgspec.Struct):
    condition: str


class _Told(msgspec.Struct):
    requestContext: _Context


_told = msgspec.json.Decoder(_Told)


def _entry(event: QueuedEvent) -> bytes:
    """As Lambda puts an outcome on a bus."""
    good = _told.decode(event.body).requestContext.condition == SUCCESS
    return msgspec.json.encode(
        {
            "source": "lambda",
            "detail-type": f"Lambda Function Invocation Result - {'Success' if good else 'Failure'}",
            "detail": msgspec.Raw(event.body),
        }
    )


async def _post(url: str, event: QueuedEvent) -> None:
    place = urlsplit(url)
    host, secure = place.hostname or "", place.scheme == "https"
    reader, writer = await asyncio.open_connection(
        host, place.port or (443 if secure else 80), ssl=ssl.create_default_context() if secure else None
    )
    try:
        writer.write(_head(place, event) + event.body)
        await writer.drain()
        line = (await reader.readline()).decode("latin-1")
        parts = line.split(" ", 2)
        if not line.startswith("HTTP/1.") or len(parts) < 2 or not parts[1].isdigit():
            raise WebhookRefused(f"it answered {line[:100]!r}, which is not HTTP")
        if int(parts[1]) not in _GOOD:
            said = (await reader.read(_READ_BYTES)).decode("utf-8", "replace").partition("\r\n\r\n")[2]
            raise WebhookRefused(f"it answered {line.strip()}: {said[:200]}")
    finally:
        writer.close()


def _head(place: SplitResult, event: QueuedEvent) -> bytes:
    path = (place.path or "/") + (f"?{place.query}" if place.query else "")
    headers = {
        "Host": place.netloc.rpartition("@")[2],
        "Content-Type": "application/json",
        "Content-Length": str(len(event.body)),
        "User-Agent": f"relive/{relive_version()}",
        "Idempotency-Key": event.event_id,
        "Connection": "close",
    }
    if event.trace_id and event.span_id:
        headers["traceparent"] = format_traceparent(event.trace_id, event.span_id)
    if place.username:
        pair = f"{unquote(place.username)}:{unquote(place.password or '')}"
        headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()
