"""Memory of this process: a reserve for the moment it runs out, and what is in use."""

from __future__ import annotations

import mmap
import os
from typing import Final

__all__ = ["RESERVE_BYTES", "Reserve", "rss_bytes"]

RESERVE_BYTES: Final = 32 * 1024 * 1024
"""Reserved address space, given back at a MemoryError so that the capture and the answer have room."""

_PAGE = os.sysconf("SC_PAGE_SIZE")


class Reserve:
    """Counts against the limit, takes no real memory as long as nobody writes to it."""

    def __init__(self, size: int = RESERVE_BYTES) -> None:
        try:
            self._block: mmap.mmap | None = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        except (OSError, MemoryError):
            self._block = None

    def release(self) -> None:
        """Give it back, once."""
        block, self._block = self._block, None
        if block is not None:
            block.close()


def rss_bytes() -> int:
    """Resident memory now; 0 where it cannot be read."""
    try:
        fd = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
        try:
            return int(os.read(fd, 64).split(None, 2)[1]) * _PAGE
        finally:
            os.close(fd)
    except (OSError, ValueError, IndexError):
        return 0
