"""An answer in parts, as bytes of HTTP/1.1: its head, and its parts in chunks or under a length."""

from __future__ import annotations

from typing import Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from relive_platform.triggers.http.connections.exchange import Exchange
from relive_platform.triggers.http.cors import with_lines
from relive_platform.triggers.http.responses import Response

__all__ = ["LAST_CHUNK", "begin_answer", "framed"]

LAST_CHUNK: Final = b"0\r\n\r\n"
_WITHOUT_BODY: Final = (204, 304)


def begin_answer(exchange: Exchange, response: Response, date: bytes) -> bytes:
    """The head. Decides how the body is framed: `chunked`, `length` and `bodiless` of the exchange say it."""
    status, head, _, _ = response
    exchange.bodiless = exchange.head.method == "HEAD" or status in _WITHOUT_BODY
    exchange.chunked = not exchange.bodiless and exchange.length < 0 and not exchange.old
    if exchange.cors:
        head = with_lines(head, exchange.cors)
    framing = b"transfer-encoding: chunked\r\n" if exchange.chunked else b""
    if exchange.length >= 0 and status not in _WITHOUT_BODY:
        framing = b"content-length: %d\r\n" % exchange.length
    if exchange.bodiless:
        exchange.length = 0
    end = b"\r\n" if exchange.keep_alive else b"connection: close\r\n\r\n"
    return b"".join((STATUS_LINE[status], date, head, framing, end))


def framed(exchange: Exchange, part: bytes) -> bytes:
    """A part of the body."""
    return b"%x\r\n%s\r\n" % (len(part), part) if exchange.chunked else part
