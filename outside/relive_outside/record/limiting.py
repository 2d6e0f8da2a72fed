"""So that a storm of failures costs the application no more than a few scenes."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Final

__all__ = ["Rate"]

_MINUTE_NS: Final = 60_000_000_000


class Rate:
    """At most so many in any minute."""

    def __init__(self, per_minute: int, clock_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self._most = per_minute
        self._clock_ns = clock_ns
        self._taken: deque[int] = deque()
        self.refused = 0

    def has_room(self) -> bool:
        """Whether there may be one more now."""
        now = self._clock_ns()
        while self._taken and now - self._taken[0] >= _MINUTE_NS:
            self._taken.popleft()
        return len(self._taken) < self._most

    def take(self) -> bool:
        """Whether there may be one more now, which is one from here on."""
        if not self.has_room():
            self.refused += 1
            return False
        self._taken.append(self._clock_ns())
        return True
