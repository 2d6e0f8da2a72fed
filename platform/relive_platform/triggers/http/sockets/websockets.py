"""How a request becomes a websocket, and all that are open."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Protocol

from relive_base.wire.messages import WEBSOCKET

from relive_platform.engine.invocation import InvokeRequest, StreamReader
from relive_platform.triggers.http.bodies import BodyBudget
from relive_platform.triggers.http.connections.head import Head
from relive_platform.triggers.http.responses import Response, problem
from relive_platform.triggers.http.sockets.handshake import open_handshake
from relive_platform.triggers.http.sockets.limits import SocketLimits
from relive_platform.triggers.http.sockets.websocket import Handshake, WebSocket

__all__ = ["Upgrading", "Websockets"]


class Upgrading(Handshake, Protocol):
    """A request that may become a websocket."""

    @property
    def version(self) -> str:
        """Of HTTP: HTTP/1.1, HTTP/1.0."""

    def upgrade(self, websocket: WebSocket, /) -> None:
        """Its connection is the websocket's as soon as the request is read."""


class Websockets:
    """Opens websockets, counts them by function, and looks after them now and then."""

    def __init__(
        self, limits: SocketLimits, budget: BodyBudget, replaced: Callable[[str, int], bool]
    ) -> None:
        """`replaced`: whether a function's version gets nothing any more."""
        self.limits = limits
        self._replaced = replaced
        self.open: dict[WebSocket, str] = {}  # their functions
        self._counts: Counter[str] = Counter()
        self._budget = budget
        self._sweeper: asyncio.TimerHandle | None = None

    def begin(
        self,
        request: InvokeRequest,
        head: Head,
        exchange: Upgrading,
        begin: Callable[[InvokeRequest, StreamReader], None],
    ) -> Response | None:
        """Have it served; or the answer that says why not. Raises what `begin` raises."""
        function, limit = request.function, self.limits.per_function
        if self._counts[function] >= limit:
            message = f"{limit} websockets of this function are open already"
            return problem(503, "TooManyWebsockets", message, "retry-after: 1\r\n", close=True)
        opened = open_handshake(head, self.limits, exchange.version)
        if isinstance(opened, Response):
            return opened
        assert request.http is not None
        request.http.scheme = "wss" if request.http.scheme == "https" else "ws"
        request.wire = WEBSOCKET
        websocket = WebSocket(exchange, *opened, self.limits, self._budget, self._over)
        begin(request, websocket)
        self.open[websocket] = function
        self._counts[function] += 1
        exchange.upgrade(websocket)
        if self._sweeper is None:
            self._sweep()
        return None

    def _over(self, websocket: WebSocket) -> None:
        function = self.open.pop(websocket, None)
        if function is not None:
            self._counts[function] -= 1
            if not self._counts[function]:
                del self._counts[function]

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for websocket, function in list(self.open.items()):
            if websocket.version and self._replaced(function, websocket.version):
                websocket.leave(self.limits.drain_s)
            websocket.sweep(now)
        self._sweeper = loop.call_later(self.limits.sweep_s, self._sweep) if self.open else None
