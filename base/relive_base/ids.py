"""Identifiers: W3C trace and span ids, UUIDv7 invocation ids.

They come from `os.urandom`, in blocks, never from the `random` module: inside a worker that module belongs to
the user's code, and drawing from it would change what the function computes.
"""

from __future__ import annotations

import os
import time
from functools import lru_cache
from os import urandom  # now: what a recorder or a replay puts in its place later is for the function

__all__ = ["IdSource", "new_invocation_id", "new_invocation_ids", "new_span_id", "new_trace_id"]

_BLOCK_BYTES = 4096
_VARIANTS = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}


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
            block = self._block = urandom(_BLOCK_BYTES)
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
        return _uuid7(self._take(10).hex())

    def invocation_ids(self) -> tuple[str, str, str, str]:
        """All that a new invocation needs, in one draw: its id, its trace's, and two span ids."""
        digits = self._take(42).hex()
        return _uuid7(digits), digits[20:52], digits[52:68], digits[68:]


@lru_cache(maxsize=1)
def _millis(number: int) -> str:
    """How a UUIDv7 of that millisecond begins; many are made within one."""
    digits = f"{number:012x}"
    return f"{digits[:8]}-{digits[8:]}-7"


def _uuid7(digits: str) -> str:
    variant = _VARIANTS[digits[3]]  # its two upper bits are 10
    begin = _millis(time.time_ns() // 1_000_000)
    return f"{begin}{digits[:3]}-{variant}{digits[4:7]}-{digits[7:19]}"


_source = IdSource()
os.register_at_fork(after_in_child=_source.reset)

new_trace_id = _source.trace_id
new_span_id = _source.span_id
new_invocation_id = _source.invocation_id
new_invocation_ids = _source.invocation_ids
