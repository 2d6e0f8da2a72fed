"""The head of a request, as the gateway needs it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from urllib.parse import unquote

import httptools

__all__ = ["Head", "HeadTexts"]

_SPECIAL: Final = frozenset(
    ("traceparent", "tracestate", "content-length", "transfer-encoding", "prefer",
     "x-amz-invocation-type", "host", "expect")
)  # fmt: skip
_NAMES_KEPT: Final = 1_024
_TARGETS_KEPT: Final = 1_024
_TARGET_BYTES: Final = 256


class Head:
    """One request's. `special`: the headers that the gateway itself reads."""

    __slots__ = ("asynchronous", "client", "method", "pairs", "path", "query", "scheme", "special")

    def __init__(
        self,
        method: str,
        path: str,
        query: str,
        pairs: list[tuple[str, str]],
        special: dict[str, bytes],
        scheme: str,
        client: str,
    ) -> None:
        self.method = method
        self.path = path  # decoded
        self.query = query  # as it came
        self.pairs = pairs
        self.special = special
        self.scheme = scheme
        self.client = client  # its address without the port, or ""
        self.asynchronous = False  # the client wants the event queued
        if "prefer" in special or "x-amz-invocation-type" in special:
            self.asynchronous = b"respond-async" in special.get("prefer", b"") or (
                special.get("x-amz-invocation-type", b"").lower() == b"event"
            )

    @property
    def body_bytes(self) -> int:
        """How long the body is by its header; -1 where that is not said beforehand."""
        length = self.special.get("content-length")
        if length is None:
            return -1 if "transfer-encoding" in self.special else 0
        return int(length)


class HeadTexts:
    """Headers as text, and request targets as path and query. What repeats is decoded once."""

    def __init__(self) -> None:
        self._known: dict[bytes, str] = {}
        self._targets: dict[bytes, tuple[str, str]] = {}

    def target(self, url: bytes) -> tuple[str, str]:
        """Path, decoded, and query. Raises HttpParserInvalidURLError, UnicodeDecodeError."""
        found = self._targets.get(url)
        if found is None:
            parsed = httptools.parse_url(url)
            path = parsed.path.decode("ascii")
            query = (parsed.query or b"").decode("latin-1")
            found = unquote(path) if "%" in path else path, query
            if len(url) <= _TARGET_BYTES:
                if len(self._targets) >= _TARGETS_KEPT:
                    self._targets.clear()
                self._targets[url] = found
        return found

    def headers(
        self, headers: Sequence[tuple[bytes, bytes]]
    ) -> tuple[list[tuple[str, str]], dict[str, bytes]]:
        """All of them, and those that the gateway itself reads. Names become lower case."""
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
                special[text] = value
        return pairs, special
