"""Whom a connection belongs to, as it sees them: the listener, and the gateway behind it."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from relive_platform.engine.invocation import Outcome
from relive_platform.triggers.http.connections.exchange import Exchange
from relive_platform.triggers.http.connections.head import Head, HeadTexts
from relive_platform.triggers.http.connections.http2 import Http2
from relive_platform.triggers.http.connections.limits import ListenerLimits
from relive_platform.triggers.http.responses import Response

__all__ = ["Gatekeeper", "Listening"]


class Gatekeeper(Protocol):
    """Who takes requests: the gateway."""

    def begin(self, head: Head, body: bytes, exchange: Exchange) -> bool: ...
    async def handle(self, head: Head, exchange: Exchange) -> Response | None: ...
    def answer(self, outcome: Outcome, exchange: Exchange) -> Response: ...


class Listening(Protocol):
    """What all connections share: the listener."""

    config: Any
    state: Any
    loop: asyncio.AbstractEventLoop
    limits: ListenerLimits
    texts: HeadTexts
    date: bytes
    refused: int
    http2: Http2 | None

    @property
    def gateway(self) -> Gatekeeper: ...
    def make_room(self, newest: Any) -> bool: ...
