"""Who may read: browsers that were let in with the home's token or with a code that counts once, and from
pages of this server alone."""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import quote, urlsplit

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["COOKIE", "SESSION_S", "Doorkeeper", "Guard"]

COOKIE: Final = "relive_web"
_CODE_S: Final = 300.0
SESSION_S: Final = 12 * 3600
_SESSIONS: Final = 64
_CODES: Final = 16
_OPEN: Final = ("/login", "/static/")
_POLICY: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'"
)
_HEADERS: Final = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",  # without one a form is sent as of nowhere (Origin: null)
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


class Doorkeeper:
    """Knows the home's token, codes that were given out, and who is in. `clock`: seconds, monotonic."""

    def __init__(self, token: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._token = token
        self._clock = clock
        self._codes: dict[str, float] = {}
        self._sessions: dict[str, float] = {}

    def code(self) -> str:
        """One that lets in once, within five minutes."""
        code = secrets.token_urlsafe(24)
        while len(self._codes) >= _CODES:
            self._codes.pop(next(iter(self._codes)))
        self._codes[code] = self._clock() + _CODE_S
        return code

    def let_in(self, code: str, token: str) -> str | None:
        """A new session's secret, for a code or the token; None for neither."""
        until = self._codes.pop(code, None) if code else None
        by_code = until is not None and until >= self._clock()
        by_token = bool(token) and hmac.compare_digest(token.encode(), self._token.encode())
        if not (by_code or by_token):
            return None
        session = secrets.token_urlsafe(32)
        while len(self._sessions) >= _SESSIONS:
            self._sessions.pop(next(iter(self._sessions)))
        self._sessions[session] = self._clock() + SESSION_S
        return session

    def knows(self, session: str) -> bool:
        """Whether it is one that was let in, less than twelve hours ago."""
        until = self._sessions.get(session)
        return until is not None and until >= self._clock()


class Guard:
    """ASGI middleware. `hosts`: what browsers may call this server, with its port."""

    def __init__(self, app: ASGIApp, doorkeeper: Doorkeeper, hosts: frozenset[str]) -> None:
        self._app = app
        self._doorkeeper = doorkeeper
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Anything but HTTP is refused."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return

        async def headed(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = {name for name, _ in message["headers"]}
                message["headers"] = [
                    *message["headers"],
                    *(
                        (name.encode(), value.encode())
                        for name, value in _HEADERS.items()
                        if name.encode() not in given
                    ),
                ]
            await send(message)

        answer = self._refusal(scope)
        await (answer or self._app)(scope, receive, headed)

    def _refusal(self, scope: Scope) -> Callable[[Scope, Receive, Send], Awaitable[None]] | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if host.lower() not in self._hosts:
            return PlainTextResponse(f"this server is not called {host!r}\n"[:200], 421)
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
            return PlainTextResponse("another site has sent this request\n", 403)
        path = str(scope["path"])
        if scope["method"] not in ("GET", "HEAD") and path != "/login":
            return PlainTextResponse("these pages are read-only\n", 405, {"allow": "GET, HEAD"})
        if path.startswith(_OPEN) or self._doorkeeper.knows(_session(headers)):
            return None
        query = scope["query_string"].decode("latin-1")
        wanted = f"{path}?{query}" if query else path
        return RedirectResponse(f"/login?next={quote(wanted, safe='/')}", 303)


def _session(headers: Headers) -> str:
    """Whatever other cookies there are: those of other programs on this host come, too."""
    return cookie_parser(headers.get("cookie", "")).get(COOKIE, "")
