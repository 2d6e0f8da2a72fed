"""Who may call over HTTP: who knows the home's token, under a name of this machine, from no web page."""

from __future__ import annotations

import hmac
from typing import Final

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["Guard"]

_SCHEME: Final = "bearer "


class Guard:
    """ASGI middleware. `hosts`: what clients may call this server, with its port."""

    def __init__(self, app: ASGIApp, token: str, hosts: frozenset[str]) -> None:
        self._app = app
        self._token = token.encode()
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Anything but HTTP is refused."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await (self._refusal(Headers(scope=scope)) or self._app)(scope, receive, send)

    def _refusal(self, headers: Headers) -> PlainTextResponse | None:
        host = headers.get("host", "").lower()
        if host not in self._hosts:
            return PlainTextResponse(f"this server is not called {host!r}\n"[:200], 421)
        if headers.get("origin") is not None:
            return PlainTextResponse("web pages have nothing to do here\n", 403)
        given = headers.get("authorization", "")
        token = given[len(_SCHEME) :].strip() if given.lower().startswith(_SCHEME) else ""
        if not token or not hmac.compare_digest(token.encode(), self._token):
            text = "give the token of the home: Authorization: Bearer TOKEN\n"
            return PlainTextResponse(text, 401, {"www-authenticate": "Bearer"})
        return None
