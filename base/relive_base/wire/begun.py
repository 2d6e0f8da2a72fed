"""Lines that have begun and not ended, in memory that worker and server share: behind a ring (see ring.py),
for the server to find when the process is gone.

One slot for each stream, for what was written last of those lines:

    0    u64: when, nanoseconds since 1970; 0: no line has begun
    8    u32: bytes of the text; u32: bytes of the owner
    16   the owner: invocation id, trace id and span id, a line each
    256  the text

Where the process ends between handing a line on and clearing its slot, the line is there twice.
"""

from __future__ import annotations

import mmap
from time import time_ns
from typing import Final, NamedTuple

__all__ = ["BEGUN_BYTES", "BEGUN_STREAMS", "BegunLine", "BegunSlot", "read_begun", "slot_start"]

BEGUN_STREAMS: Final = (("stdout", "INFO"), ("stderr", "WARN"))
"""What has a slot, in their order, and the severity of its lines."""

_SLOT_BYTES: Final = 32_768
_OWNER: Final = 16
_TEXT: Final = 256
_TEXT_BYTES: Final = _SLOT_BYTES - _TEXT
BEGUN_BYTES: Final = _SLOT_BYTES * len(BEGUN_STREAMS)


class BegunLine(NamedTuple):
    """What a slot holds. The ids are what the worker says."""

    time_ns: int
    invocation_id: str
    trace_id: str
    span_id: str
    text: str


class BegunSlot:
    """The worker's end of one slot, at `start` of the memory. No system call, no lock: what another thread
    has begun is replaced."""

    __slots__ = ("_map", "_size", "_start", "_told", "_words", "owner")

    def __init__(self, memory: mmap.mmap, start: int) -> None:
        self._map = memory
        self._start = start
        self._words = memoryview(memory)[start : start + _OWNER].cast("Q")
        self.owner = ("", "", "")
        """Invocation id, trace id and span id of what is written from now on."""
        self._told: tuple[str, str, str] | None = None
        self._size = 0  # of the owner, at its place in the word

    def put(self, text: str) -> None:
        """A line has begun with this text, or goes on to it."""
        words = self._words
        words[0] = 0
        if self.owner is not self._told:
            self._tell()
        data = text.encode("utf-8", "backslashreplace")
        size = len(data)
        if size > _TEXT_BYTES:
            data, size = data[:_TEXT_BYTES], _TEXT_BYTES
        start = self._start + _TEXT
        self._map[start : start + size] = data
        words[1] = self._size | size
        words[0] = time_ns()

    def _tell(self) -> None:
        owner = "\n".join(self.owner).encode("utf-8", "backslashreplace")[: _TEXT - _OWNER]
        start = self._start + _OWNER
        self._map[start : start + len(owner)] = owner
        self._size = len(owner) << 32
        self._told = self.owner

    def clear(self) -> None:
        """It has ended."""
        self._words[0] = 0


def read_begun(memory: mmap.mmap, start: int) -> BegunLine | None:
    """The server's end: what the slot at `start` holds. The user's code may have written anything there: it
    is bounded, and text."""
    slot = memory[start : start + _SLOT_BYTES]
    written_ns = int.from_bytes(slot[:8], "little")
    if not 0 < written_ns < 1 << 63:
        return None
    size = min(int.from_bytes(slot[8:12], "little"), _TEXT_BYTES)
    owner_size = min(int.from_bytes(slot[12:16], "little"), _TEXT - _OWNER)
    ids = (slot[_OWNER : _OWNER + owner_size].decode("utf-8", "replace").split("\n") + [""] * 3)[:3]
    # A cut at the slot's end may go through a character.
    text = slot[_TEXT : _TEXT + size].decode("utf-8", "ignore").removesuffix("\r")
    if size == _TEXT_BYTES:
        text += "…"
    return BegunLine(written_ns, ids[0], ids[1], ids[2], text) if text else None


def slot_start(first: int, number: int) -> int:
    """Where a slot begins, if the first one does at `first`."""
    return first + number * _SLOT_BYTES
