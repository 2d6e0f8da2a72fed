"""The listener's end of `/metrics`: connections are the gateway's, with their limits."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Final

from relive_platform.engine.invocation import Outcome
from relive_platform.metrics.exposition import OPENMETRICS, PROMETHEUS, exposition, wants_openmetrics
from relive_platform.metrics.families import Family
from relive_platform.triggers.http.access import Access, UnexpectedHost
from relive_platform.triggers.http.connections.exchange import Exchange
from relive_platform.triggers.http.connections.head import Head
from relive_platform.triggers.http.responses import Response

__all__ = ["MetricsGate"]

_PATH: Final = "/metrics"
_PLAIN: Final = "text/plain; charset=utf-8"
_log = logging.getLogger(__name__)


class MetricsGate:
    """A gatekeeper of `HttpListener`. On loopback every program may read, but no web page; elsewhere who has
    the token: `Authorization: Bearer`."""

    def __init__(self, read: Callable[[], Awaitable[list[Family]]], access: Access) -> None:
        self._read = read
        self._access = access

    def begin(self, head: Head, body: bytes, exchange: Exchange) -> bool:
        """Every request is a task."""
        return False

    def answer(self, outcome: Outcome, exchange: Exchange) -> Response:
        """No invocation answers here."""
        raise NotImplementedError

    async def handle(self, head: Head, exchange: Exchange) -> Response | None:
        """One request."""
        refused = self._refusal(head)
        if refused is not None:
            return refused
        try:
            accept = next((value for name, value in head.pairs if name == "accept"), "")
            openmetrics = wants_openmetrics(accept)
            text = exposition(await self._read(), openmetrics=openmetrics)
        except Exception:
            _log.exception("metrics could not be read")
            return _text(500, "the metrics could not be read; run/server.log says why\n")
        response = _text(200, text, OPENMETRICS if openmetrics else PROMETHEUS)
        return response._replace(body=b"") if head.method == "HEAD" else response

    def _refusal(self, head: Head) -> Response | None:
        try:
            self._access.check_host(head.special.get("host"))
        except UnexpectedHost as error:
            return _text(421, f"this server does not answer for {error}\n")
        if not self._access.authorise(head):
            refused = _text(401, "send the server's token: Authorization: Bearer TOKEN (run/token)\n")
            return refused._replace(head=refused.head + b"www-authenticate: Bearer\r\n")
        if self._access.foreign(head.special):
            return _text(403, "a web page of another origin may not read this\n")
        if head.path != _PATH:
            return _text(404, f"there is only {_PATH} here\n")
        if head.method not in ("GET", "HEAD"):
            refused = _text(405, "GET is the way to read this\n")
            return refused._replace(head=refused.head + b"allow: GET, HEAD\r\n")
        return None


def _text(status: int, text: str, kind: str = _PLAIN) -> Response:
    body = text.encode()
    head = f"content-type: {kind}\r\ncontent-length: {len(body)}\r\ncache-control: no-store\r\n"
    return Response(status, head.encode(), body)
