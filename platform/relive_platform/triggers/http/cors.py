"""Cross-origin requests of browsers: what a function's `cors` table allows, and how a browser is told."""

from __future__ import annotations

import re
from typing import Final

from relive_platform.triggers.http.config import HTTP_METHODS, CorsConfig
from relive_platform.triggers.http.origins import parse_origin, parse_origin_pattern
from relive_platform.triggers.http.responses import Response, problem

__all__ = ["Cors", "with_lines"]

_ORIGINS_KEPT: Final = 256
_REQUESTED: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z, -]{0,1024}")
_OURS: Final = b"access-control-"


class Cors:
    """One function's rules. What repeats is worked out once."""

    def __init__(self, config: CorsConfig) -> None:
        self._patterns = [found for text in config.origins if (found := parse_origin_pattern(text))]
        self._any = any(pattern.any for pattern in self._patterns)
        self._methods = ", ".join(config.methods or HTTP_METHODS).encode()
        self._headers = ", ".join(config.headers).encode()
        self._max_age = b"access-control-max-age: %d\r\n" % config.max_age_s
        more = b"access-control-allow-credentials: true\r\n" if config.credentials else b""
        if config.expose_headers:
            more += b"access-control-expose-headers: %s\r\n" % ", ".join(config.expose_headers).encode()
        self._more = more
        self._vary = b"" if self._any else b"vary: Origin\r\n"
        self._lines: dict[bytes, bytes] = {}

    def allows(self, origin: bytes | None) -> bool:
        """Whether pages of this origin may call. None: a page that does not say which it is."""
        return self._any if origin is None else len(self.lines(origin)) > len(self._vary)

    def lines(self, origin: bytes | None) -> bytes:
        """Header lines for a response to `origin`: that it may read it, or just that it depends on it."""
        if origin is None:
            return self._vary
        found = self._lines.get(origin)
        if found is None:
            found = self._made(origin)
            if len(self._lines) >= _ORIGINS_KEPT:
                self._lines.clear()
            self._lines[origin] = found
        return found

    def _made(self, origin: bytes) -> bytes:
        if self._any:
            return b"access-control-allow-origin: *\r\n" + self._more
        parsed = parse_origin(origin.decode("latin-1"))
        if parsed is None or not any(pattern.fits(parsed) for pattern in self._patterns):
            return self._vary
        return b"access-control-allow-origin: %s\r\n%s%s" % (origin, self._vary, self._more)

    def preflight(self, special: dict[str, bytes]) -> Response:
        """The answer to a browser that asks what it may send."""
        origin = special.get("origin", b"")
        if not self.allows(origin):
            return problem(403, "OriginNotAllowed", "the function's cors table does not name this origin")
        requested = special.get("access-control-request-headers", b"")
        headers = self._headers or (requested if _REQUESTED.fullmatch(requested) else b"")
        lines = [self.lines(origin), b"access-control-allow-methods: %s\r\n" % self._methods, self._max_age]
        if headers:
            lines.append(b"access-control-allow-headers: %s\r\n" % headers)
        if "access-control-request-private-network" in special:
            lines.append(b"access-control-allow-private-network: true\r\n")
        return Response(204, b"".join(lines), b"")


def with_lines(head: bytes, lines: bytes) -> bytes:
    """The header lines of a response with those of its function's `cors` table, which come first."""
    if _OURS in head:
        kept = [line for line in head.split(b"\r\n")[:-1] if not line.startswith(_OURS)]
        head = b"".join(line + b"\r\n" for line in kept)
    return head + lines
