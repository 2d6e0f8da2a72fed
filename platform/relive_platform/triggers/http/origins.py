"""Web origins, `scheme://host[:port]`, and patterns of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

__all__ = ["Origin", "OriginPattern", "parse_origin", "parse_origin_pattern"]

_ORIGIN: Final = re.compile(
    r"([a-z][a-z0-9+.-]{0,31})://(\[[0-9a-f:.]{2,45}\]|[a-z0-9_.*-]{1,253})(?::([0-9]{1,5}|\*))?"
)
_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Origin:
    """Who a web page is, for a browser. Port 0: none is said and the scheme has no usual one."""

    scheme: str
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class OriginPattern:
    """An origin; a host that begins with `*.` is any below it, port -1 any port. `any`: every origin."""

    origin: Origin
    any: bool = False

    def fits(self, origin: Origin) -> bool:
        """Whether `origin` is one of those meant."""
        wanted = self.origin
        if self.any:
            return True
        if origin.scheme != wanted.scheme or wanted.port not in (-1, origin.port):
            return False
        if wanted.host.startswith("*."):
            return origin.host.endswith(wanted.host[1:])
        return origin.host == wanted.host


def parse_origin(text: str) -> Origin | None:
    """What an `Origin` header says; None for `null` and what is no origin."""
    found = _parsed(text)
    return found if found is not None and "*" not in found.host and found.port >= 0 else None


def parse_origin_pattern(text: str) -> OriginPattern | None:
    """`*`, an origin, `https://*.example.com`, `http://localhost:*`; None for anything else."""
    if text == "*":
        return OriginPattern(Origin("", "", 0), any=True)
    found = _parsed(text)
    if found is None or "*" in found.host.removeprefix("*."):
        return None
    return OriginPattern(found)


def _parsed(text: str) -> Origin | None:
    match = _ORIGIN.fullmatch(text.lower())
    if match is None:
        return None
    scheme, host, port = match.groups()
    if port == "*":
        return Origin(scheme, host, -1)
    number = int(port) if port else _PORTS.get(scheme, 0)
    return Origin(scheme, host, number) if number <= 65_535 else None
