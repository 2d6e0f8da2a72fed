"""Collections of garbage, and memory that goes back, in processes of our own: a worker's are its code's."""

from __future__ import annotations

import functools
import gc
import time
from collections.abc import Callable
from typing import Any, Final

__all__ = ["GivesBack", "seldom", "settle"]

_THRESHOLDS: Final = (20_000, 20, 50)
_STARTING: Final = (100_000, 20, 50)


def seldom() -> None:
    """For a process that begins: what is imported is no garbage, and to look through it again and again is a
    fifth of the time that imports take. A process that stays calls `settle` when it is ready."""
    gc.set_threshold(*_STARTING)


def settle() -> None:
    """What is here now stays: collections need not look at it again, nor come after every few requests."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)


@functools.cache
def _trim() -> Callable[[int], int] | None:
    """malloc_trim of the GNU C library; None if it is another one."""
    import ctypes

    try:
        found: Any = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError):
        return None
    return found  # type: ignore[no-any-return]


class GivesBack:
    """Free memory goes back to the system, at most once in `every_s`: else what the largest moment took stays
    this process's, and it seems to grow as larger ones come. Takes some ms. Not thread-safe."""

    def __init__(self, every_s: float = 10.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._every_s = every_s
        self._clock = clock
        self._next_s = clock() + every_s

    def now_and_then(self) -> bool:
        """Whether it was time to."""
        now_s = self._clock()
        if now_s < self._next_s:
            return False
        self._next_s = now_s + self._every_s
        trim = _trim()
        if trim is not None:
            trim(0)
        return True
