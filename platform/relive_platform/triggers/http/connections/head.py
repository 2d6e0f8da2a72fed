"""The head of a request, as the gateway needs it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import unquote

import httptools
import msgspec
from relive_base.slashes import has_slashes, with_slashes

__all__ = ["FORWARDED", "GUARDED", "BadHead", "Head", "HeadTexts", "check_authority"]

GUARDED: Final = " guarded"
"""A key of `Head.special`, as no header can have: one of them says who asks, and is to be looked at."""
FORWARDED: Final = " forwarded"
"""... and one of them says what a proxy knows."""

_SPECIAL: Final = frozenset(
    ("traceparent", "tracestate", "baggage", "content-length", "transfer-encoding", "prefer",
     "x-amz-invocation-type", "host", "expect", "connection", "authorization", "x-relive-token", "origin",
     "referer", "sec-fetch-site", "sec-fetch-mode", "sec-fetch-dest", "access-control-request-method",
     "access-control-request-headers",
     "access-control-request-private-network", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host",
     "x-forwarded-port", "x-forwarded-prefix", "user-agent", "upgrade", "relive-qualifier", "cookie")
)  # fmt: skip
_WHO_ASKS: Final = frozenset(
    ("authorization", "x-relive-token", "origin", "referer", "sec-fetch-site", "cookie",
     "access-control-request-method", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host",
     "x-forwarded-port", "x-forwarded-prefix")
)  # fmt: skip
_ONCE: Final = frozenset(
    (
        "host",
        "content-length",
        "authorization",
        "x-relive-token",
        "origin",
        "sec-fetch-site",
        "sec-fetch-mode",
        "sec-fetch-dest",
        "relive-qualifier",
    )
)
_METHODS: Final = {
    name.encode(): name for name in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
}
_NAMES_KEPT: Final = 1_024
_TARGETS_KEPT: Final = 1_024
_TARGET_BYTES: Final = 256


class BadHead(ValueError):
    """Two readers could read the head differently."""


class Head(msgspec.Struct, eq=False):
    """One request's."""

    method: str
    path: str  # decoded
    query: str  # as it came
    pairs: list[tuple[str, str]]
    special: dict[str, bytes]  # the headers that the gateway itself reads
    scheme: str
    client: str  # its address without the port, or ""
    raw: Sequence[tuple[bytes, bytes]] = ()  # the headers as they came
    peer: str = ""  # the address of the connection's other end, whatever proxies say
    peer_port: int = 0
    target: bytes = b""  # path and query as they came
    raw_path: str = ""  # the path as it came, with its %2F
    segments: str = ""  # the path, decoded, by which its route is found; see `relive_base.slashes`
    version: str = "1.1"  # of HTTP

    @property
    def asynchronous(self) -> bool:
        """Whether the client wants the event queued."""
        special = self.special
        if "prefer" not in special and "x-amz-invocation-type" not in special:
            return False
        return b"respond-async" in special.get("prefer", b"") or (
            special.get("x-amz-invocation-type", b"").lower() == b"event"
        )

    @property
    def bodiless(self) -> bool:
        """Whether it says that nothing follows it."""
        special = self.special
        return not ("content-length" in special or "transfer-encoding" in special or "expect" in special)

    @property
    def body_bytes(self) -> int:
        """How long the body is by its header; -1 if that is not known beforehand."""
        length = self.special.get("content-length")
        if length is None:
            return -1 if "transfer-encoding" in self.special else 0
        return int(length)


class HeadTexts:
    """Headers as text, and request targets as path and query. What repeats is decoded once."""

    def __init__(self) -> None:
        self._known: dict[bytes, str] = {}
        self._targets: dict[bytes, tuple[str, str, str, str]] = {}

    def method(self, name: bytes) -> str:
        """As text; the parser knows but a few."""
        return _METHODS.get(name) or name.decode("ascii")

    def target(self, url: bytes) -> tuple[str, str, str, str]:
        """Path, decoded, query, the path as it came, and as `Head.segments` has it. Raises
        HttpParserInvalidURLError, UnicodeDecodeError."""
        found = self._targets.get(url)
        if found is None:
            parsed = httptools.parse_url(url)
            path = (parsed.path or b"/").decode("ascii")  # http://host
            query = (parsed.query or b"").decode("latin-1")
            decoded = unquote(path) if "%" in path else path
            found = decoded, query, path, with_slashes(path) if has_slashes(path) else decoded
            if len(url) <= _TARGET_BYTES:
                if len(self._targets) >= _TARGETS_KEPT:
                    self._targets.clear()
                self._targets[url] = found
        return found

    def headers(
        self, headers: Sequence[tuple[bytes, bytes]]
    ) -> tuple[list[tuple[str, str]], dict[str, bytes]]:
        """All of them, and those that the gateway itself reads. Names become lower case. Raises BadHead."""
        known = self._known
        pairs: list[tuple[str, str]] = []
        special: dict[str, bytes] = {}
        for name, value in headers:
            text = known.get(name)
            if text is None:
                text = name.lower().decode("latin-1")
                if len(known) < _NAMES_KEPT:
                    known[name] = text
            pairs.append((text, value.decode("latin-1")))
            if text in _SPECIAL:
                special[text] = value if text not in special else _joined(text, special[text], value)
                if text in _WHO_ASKS:
                    special[FORWARDED if text.startswith("x-forwarded-") else GUARDED] = b""
        return pairs, special


def _joined(name: str, first: bytes, second: bytes) -> bytes:
    """What a header that comes twice says."""
    if name in _ONCE:
        raise BadHead(f"the header {name} is there twice")
    return first + b"," + second


def check_authority(url: bytes, host: bytes) -> None:
    """A target may name scheme and host, as for a proxy, but only the Host header's. Raises BadHead."""
    _, slashes, rest = url.partition(b"://")
    authority = re.split(rb"[/?#]", rest, maxsplit=1)[0]
    if not slashes or authority.lower() != host.lower():
        raise BadHead("the target names another host than the Host header")
