"""A ring of shared memory from a worker to the server: what was written survives the worker's death at once.

One writer, one reader. A frame in it costs no system call and wakes nobody; the reader looks when a bell is
rung on the worker's socket, and every few milliseconds while the worker is busy.

    0   head  u64: bytes written since the beginning, by the writer
    64  tail  u64: bytes read since the beginning, by the reader
    4096      the ring: records of u32 length and data, each padded to 8 bytes
              length 0: so many frames (u32) come by the socket, before what follows here
              length 0xFFFFFFFF: on at the ring's beginning
    266240    lines that have begun and not ended (begun.py)

The writer is the user's process: whatever it holds is checked, and copied before it is looked at.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import struct
import sys
from typing import Final

from relive_base.errors import ReliveError
from relive_base.wire.begun import BEGUN_BYTES, BEGUN_STREAMS, BegunLine, BegunSlot, read_begun, slot_start

__all__ = ["CAPACITY", "INLINE_BYTES", "RingBroken", "RingReader", "RingWriter", "make_ring"]

CAPACITY: Final = 262_144
INLINE_BYTES: Final = 32_768
"""What is larger goes by the socket."""

_DATA: Final = 4_096
_BEGUN: Final = _DATA + CAPACITY
_SIZE: Final = _BEGUN + BEGUN_BYTES
_MASK: Final = CAPACITY - 1
_HEAD: Final = 0
_TAIL: Final = 8  # in words of 8 bytes
_WRAP: Final = 0xFFFF_FFFF
_LENGTH: Final = struct.Struct("<I")
_ELSEWHERE: Final = struct.Struct("<II")
_RESERVE: Final = 64  # room for a few records that say that frames come by the socket
_SEALS: Final = 0x0001 | 0x0002 | 0x0004  # F_SEAL_SEAL, F_SEAL_SHRINK, F_SEAL_GROW: nobody cuts it below us
_ORDERED: Final = ("x86_64", "AMD64")
"""Processors that show stores to others in the order of the program: no other fence is to be had here."""


class RingBroken(ReliveError):
    """The ring holds what no writer of ours has written."""


def make_ring() -> int:
    """A descriptor of a new ring; -1 if this system or processor has none."""
    if sys.platform != "linux" or os.uname().machine not in _ORDERED:
        return -1
    import fcntl  # here: only the server makes rings

    with contextlib.suppress(OSError):
        descriptor = os.memfd_create("relive-ring", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            os.ftruncate(descriptor, _SIZE)
            fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)
        except OSError:
            os.close(descriptor)
            raise
        return descriptor
    return -1


class RingWriter:
    """The worker's end. Its caller holds a lock. Raises OSError if the descriptor cannot be mapped."""

    def __init__(self, descriptor: int) -> None:
        self._map = mmap.mmap(descriptor, _SIZE)
        self._words = memoryview(self._map).cast("Q")
        self._head = self._words[_HEAD]

    def begun(self) -> list[BegunSlot]:
        """Slots for lines that have begun, of BEGUN_STREAMS."""
        return [BegunSlot(self._map, slot_start(_BEGUN, number)) for number in range(len(BEGUN_STREAMS))]

    def put(self, data: bytes) -> bool:
        """Write complete frames. False if there is no room."""
        size = (len(data) + 11) & ~7
        head = self._head
        offset = head & _MASK
        end = head + size
        if offset + size > CAPACITY:  # the rest of the ring stays empty
            end += CAPACITY - offset
        if end - self._words[_TAIL] > CAPACITY - _RESERVE:
            return False
        start = _DATA + offset
        if end - head != size:
            _LENGTH.pack_into(self._map, start, _WRAP)
            start = _DATA
        stop = start + 4 + len(data)
        _LENGTH.pack_into(self._map, start, len(data))
        # From here on no call: a signal handler that raises cannot come between a record and its head.
        self._map[start + 4 : stop] = data
        self._words[_HEAD] = self._head = end
        return True

    def put_elsewhere(self, frames: int) -> bool:
        """Say that the next `frames` come by the socket. False if there is no room."""
        head = self._head
        if head + 8 - self._words[_TAIL] > CAPACITY:
            return False
        _ELSEWHERE.pack_into(self._map, _DATA + (head & _MASK), 0, frames)
        self._words[_HEAD] = self._head = head + 8
        return True


class RingReader:
    """The server's end. `elsewhere`: frames that come by the socket, before anything is taken again."""

    __slots__ = ("_map", "_tail", "_words", "elsewhere")

    def __init__(self, descriptor: int) -> None:
        self._map = mmap.mmap(descriptor, _SIZE)
        self._words = memoryview(self._map).cast("Q")
        self._tail = self._words[_TAIL]
        self.elsewhere = 0

    @property
    def waiting(self) -> bool:
        """Whether there is something to take."""
        return self._words[_HEAD] != self._tail and not self.elsewhere

    def take(self) -> bytes:
        """Everything up to here, or up to where frames come by the socket. Raises RingBroken."""
        head = self._words[_HEAD]
        tail = self._tail
        if not 0 <= head - tail <= CAPACITY or head & 7:
            raise RingBroken(f"the ring's head is at {head}, its tail at {tail}")
        parts: list[bytes] = []
        ring = self._map
        while tail < head and not self.elsewhere:
            offset = tail & _MASK
            start = _DATA + offset
            length = int.from_bytes(ring[start : start + 4], "little")
            if length == _WRAP:
                tail += CAPACITY - offset
                continue
            size = (length + 11) & ~7
            if offset + size > CAPACITY or tail + size > head:
                raise RingBroken(f"a record of {length} bytes lies across the ring's end")
            if length:
                parts.append(ring[start + 4 : start + 4 + length])
            else:
                self.elsewhere = int.from_bytes(ring[start + 4 : start + 8], "little")
            tail += size
        self._words[_TAIL] = self._tail = tail
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def begun(self) -> list[tuple[str, str, BegunLine]]:
        """What has begun and never ended, with stream and severity, once the writer is gone; each once."""
        found = []
        for number, (source, severity) in enumerate(BEGUN_STREAMS):
            start = slot_start(_BEGUN, number)
            line = read_begun(self._map, start)
            if line is not None:
                self._map[start : start + 8] = bytes(8)
                found.append((source, severity, line))
        return found

    def close(self) -> None:
        """Give the memory back."""
        self._words.release()
        self._map.close()
