"""What the server asks of its own process: memory given back once it is free, and enough descriptors."""

from __future__ import annotations

import asyncio
import ctypes
import os
import resource
from typing import Final

__all__ = ["MemoryKeeper", "open_many_files"]

LOOK_S: Final = 2.0
RARELY_S: Final = 60.0
GROWTH_BYTES: Final = 16 * 1_048_576
_WORTH_BYTES: Final = 4 * 1_048_576
_OTHER_FILES: Final = 1_024  # workers, the registry, the queue, telemetry
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


class MemoryKeeper:
    """Hands free memory to the kernel if this process holds 16 MB more than it did at its least: large
    bodies come and go, and glibc keeps what they took. It looks every 2 s, less often if that gives
    nothing. `start` and `stop` on the event loop."""

    def __init__(self) -> None:
        self._trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc has it, musl has not
        self._least_bytes = private_bytes()
        self._timer: asyncio.TimerHandle | None = None
        self.wait_s = LOOK_S

    def start(self) -> None:
        """Look now and then."""
        if self._trim is not None:
            self._timer = asyncio.get_running_loop().call_later(self.wait_s, self._look)

    def stop(self) -> None:
        """No more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self.look()
        self.start()

    def look(self) -> int:
        """Bytes that were given back."""
        held = private_bytes()
        if self._trim is None or held < self._least_bytes + GROWTH_BYTES:
            self._least_bytes = min(held, self._least_bytes)
            self.wait_s = LOOK_S
            return 0
        self._trim(0)
        given = max(held - private_bytes(), 0)
        self.wait_s = LOOK_S if given > _WORTH_BYTES else min(2 * self.wait_s, RARELY_S)
        return given


def private_bytes() -> int:
    """Resident memory that is no file's; 0 if it cannot be read."""
    try:
        with open("/proc/self/statm", "rb") as file:
            _, resident, shared, *_ = file.read().split()
    except (OSError, ValueError):
        return 0
    return (int(resident) - int(shared)) * _PAGE


def open_many_files(connections: int) -> None:
    """Let this process have that many connections, as far as its hard limit goes: before anything else
    runs in it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + _OTHER_FILES
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
