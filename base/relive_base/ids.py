"""Identifiers: W3C trace and span ids, UUIDv7 invocation ids.

They come from `os.urandom`, in blocks, never from the `random` module: inside a worker that module belongs to
the user's code, and drawing from it would change what the function computes.
"""

from __future__ import annotations

import os
import time

__all__ = ["IdSource", "new_invocation_id", "new_span_id", "new_trace_id"]

_BLOCK_BYTES = 4096


class IdSource:
    """Draws ids from a block of random bytes; one system call serves about 250 ids."""

    __slots__ = ("_block", "_position")

    def __init__(self) -> None:
        self._block = b""
        self._position = 0

    def reset(self) -> None:
        """Forget the block, so that two forked children never draw the same bytes."""
        self._block = b""
        self._position = 0

    def _take(self, count: int) -> bytes:
        position = self._position
        block = self._block
        if position + count > len(block):
            block = self._block = os.urandom(_BLOCK_BYTES)
            position = 0
        self._position = position + count
        return block[position : position + count]

    def trace_id(self) -> str:
        """32 lower-case hex digits, never all zero."""
        return self._take(16).hex()

    def span_id(self) -> str:
        """16 lower-case hex digits, never all zero."""
        return self._take(8).hex()

    def invocation_id(self) -> str:
        """A UUIDv7 string: 48 bits of milliseconds since the epoch, then 74 random bits."""
        value = int.from_bytes(self._take(10), "big")
        millis = time.time_ns() // 1_000_000
        high = (millis << 16) | 0x7000 | (value >> 68 & 0x0FFF)
        low = 0x8000_0000_0000_0000 | (value & 0x3FFF_FFFF_FFFF_FFFF)
        text = f"{high:016x}{low:016x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


_source = IdSource()
os.register_at_fork(after_in_child=_source.reset)

new_trace_id = _source.trace_id
new_span_id = _source.span_id
new_invocation_id = _source.invocation_id
