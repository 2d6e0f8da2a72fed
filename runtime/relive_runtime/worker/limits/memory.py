"""Memory of this process: a reserve for the moment it runs out, and what is in use."""

from __future__ import annotations

import mmap
import os
from typing import Final

from relive_runtime.isolation.spaces import TMP
from relive_runtime.isolation.syscalls import libc

__all__ = ["LARGE_BYTES", "RESERVE_BYTES", "Reserve", "give_back", "held_bytes", "tmp_bytes"]

LARGE_BYTES: Final = 1_048_576
"""After an event or a result of this size the free memory of this process goes back to the kernel."""

RESERVE_BYTES: Final = 32 * 1024 * 1024
"""Reserved address space, given back at a MemoryError so that the capture and the answer have room."""

_KIB: Final = 1024


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


def held_bytes(own_tmp: bool, pid: int | str = "self") -> int:
    """Memory that only the end of the process, or its will, gives back: anonymous and shared pages. Those of
    mapped files are not: the kernel takes them as it needs them. 0 if it cannot be read.

    `own_tmp`: what is mapped of its own /tmp counts there, and has its own limit.
    """
    anonymous = shared = 0
    for line in _read(f"/proc/{pid}/status").splitlines():
        if line.startswith(b"RssAnon:"):
            anonymous = int(line.split()[1]) * _KIB
        elif line.startswith(b"RssShmem:"):
            shared = int(line.split()[1]) * _KIB
            break
    if shared and own_tmp:
        shared = max(shared - tmp_bytes(pid), 0)
    return anonymous + shared


def tmp_bytes(pid: int | str = "self") -> int:
    """What the files in the own /tmp of a process take; 0 if that cannot be read."""
    try:
        found = os.statvfs(f"/proc/{pid}/root{TMP}")
    except OSError:
        return 0
    return (found.f_blocks - found.f_bfree) * found.f_frsize


def _read(path: str) -> bytes:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return os.read(fd, 4_096)
    except OSError:
        return b""
    finally:
        os.close(fd)


def give_back() -> None:
    """Hand free memory to the kernel: glibc keeps what large events took, in case there are more."""
    trim = getattr(libc, "malloc_trim", None)
    if trim is not None:
        trim(0)
