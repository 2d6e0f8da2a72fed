"""Identifiers: W3C trace and span ids, UUIDv7 invocation ids.

They come from `os.urandom`, in blocks, never from the `random` module: inside a worker that module belongs to
the user's code, and drawing from it would change what the function computes.
"""

from __future__ import annotations

import os
import re
import time
from os import urandom  # now: what a recorder or a replay puts in its place later is for the function

__all__ = ["IdSource", "new_invocation_id", "new_invocation_ids", "new_span_id", "new_trace_id"]

_BLOCK_BYTES = 4096
_INVOCATION = re.compile("(.{3})(.)(.{3})(.{12})(.{32})(.{16})(.{16})")
_VARIANTS = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}


class IdSource:
    """Draws ids from a block of random digits; one system call serves about 250 ids."""

    __slots__ = ("_block", "_invocations", "_ms", "_ms_text", "_position")

    def __init__(self) -> None:
        self._ms = 0
        self._ms_text = ""  # how a UUIDv7 of that millisecond begins: many are made within one
        self.reset()

    def reset(self) -> None:
        """Forget the block, so that two forked children never draw the same digits."""
        self._block = ""
        self._position = 0
        self._invocations: list[tuple[str, ...]] = []  # the digits of their ids, for those to come

    def _take(self, count: int) -> str:
        """So many random hex digits."""
        position = self._position
        end = position + count
        block = self._block
        if end > len(block):
            block = self._block = urandom(_BLOCK_BYTES).hex()
            position, end = 0, count
        self._position = end
        return block[position:end]

    def trace_id(self) -> str:
        """32 lower-case hex digits, never all zero."""
        return self._take(32)

    def span_id(self) -> str:
        """16 lower-case hex digits, never all zero."""
        return self._take(16)

    def invocation_id(self) -> str:
        """A UUIDv7 string: 48 bits of milliseconds since the epoch, then 74 random bits."""
        digits = self._take(19)
        return self._uuid7(digits[:3], digits[3], digits[4:7], digits[7:])

    def invocation_ids(self) -> tuple[str, str, str, str]:
        """All that a new invocation needs, in one draw: its id, its trace's, and two span ids."""
        try:
            high, variant, middle, low, trace_id, span_id, trigger_span_id = self._invocations.pop()
        except IndexError:
            self._invocations = _INVOCATION.findall(urandom(_BLOCK_BYTES).hex())
            return self.invocation_ids()
        return self._uuid7(high, variant, middle, low), trace_id, span_id, trigger_span_id

    def _uuid7(self, high: str, variant: str, middle: str, low: str) -> str:
        ms = time.time_ns() // 1_000_000
        if ms != self._ms:
            text = f"{ms:012x}"
            self._ms, self._ms_text = ms, f"{text[:8]}-{text[8:]}-7"
        # The variant's two upper bits are 10.
        return f"{self._ms_text}{high}-{_VARIANTS[variant]}{middle}-{low}"


_source = IdSource()
os.register_at_fork(after_in_child=_source.reset)

new_trace_id = _source.trace_id
new_span_id = _source.span_id
new_invocation_id = _source.invocation_id
new_invocation_ids = _source.invocation_ids
