"""A parser that goes on with the body of a request that asked for another protocol and does not get it.

httptools gives such a body away, as bytes of the other protocol: they would be lost, or taken for the next
request.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import httptools

__all__ = ["Parsed", "parser_of_body"]

_OF_BODY = (b"content-length", b"transfer-encoding")


class Parsed(Protocol):
    """What a parser tells of."""

    def on_message_begin(self) -> None: ...
    def on_url(self, url: bytes, /) -> None: ...
    def on_header(self, name: bytes, value: bytes, /) -> None: ...
    def on_headers_complete(self) -> None: ...
    def on_body(self, body: bytes, /) -> None: ...
    def on_message_complete(self) -> None: ...


class _WithoutHead:
    """Passes on what comes after the head that the parser is given to begin with."""

    def __init__(self, owner: Parsed) -> None:
        self._owner = owner
        self.passes = False
        self.on_body = owner.on_body
        self.on_message_complete = owner.on_message_complete

    def on_message_begin(self) -> None:
        if self.passes:
            self._owner.on_message_begin()

    def on_url(self, url: bytes) -> None:
        if self.passes:
            self._owner.on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.passes:
            self._owner.on_header(name, value)

    def on_headers_complete(self) -> None:
        if self.passes:
            self._owner.on_headers_complete()


def parser_of_body(owner: Parsed, headers: Sequence[tuple[bytes, bytes]], keep_alive: bool) -> Any:
    """It expects the body that `headers` tell of, and further requests if the connection is kept alive.

    Raises httptools.HttpParserError as for those headers.
    """
    lines = [b"POST / HTTP/1.1", b"connection: " + (b"keep-alive" if keep_alive else b"close")]
    lines += [b"%b: %b" % (name, value) for name, value in headers if name.lower() in _OF_BODY]
    callbacks = _WithoutHead(owner)
    parser = httptools.HttpRequestParser(callbacks)
    parser.feed_data(b"\r\n".join(lines) + b"\r\n\r\n")
    callbacks.passes = True
    return parser
