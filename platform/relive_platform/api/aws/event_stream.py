"""Messages of `application/vnd.amazon.eventstream`."""

from __future__ import annotations

import binascii
import struct

__all__ = ["message"]

_STRING = b"\x07"
_AROUND_BYTES = 16


def message(kind: str, payload: bytes, content_type: str = "application/octet-stream") -> bytes:
    """One event, with its checksums."""
    headers = b"".join(
        _header(name, value)
        for name, value in (
            (":message-type", "event"),
            (":event-type", kind),
            (":content-type", content_type),
        )
    )
    prelude = struct.pack("!II", _AROUND_BYTES + len(headers) + len(payload), len(headers))
    prelude += struct.pack("!I", binascii.crc32(prelude))
    whole = prelude + headers + payload
    return whole + struct.pack("!I", binascii.crc32(whole))


def _header(name: str, value: str) -> bytes:
    key, text = name.encode(), value.encode()
    return struct.pack("!B", len(key)) + key + _STRING + struct.pack("!H", len(text)) + text
