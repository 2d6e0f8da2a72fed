"""The CPU time of the process, shared out among the attempts that run: none is counted twice, or lost."""

from __future__ import annotations

import threading
import time
from typing import Final

__all__ = ["CpuAccount"]

_EVERY_NS: Final = 1_000_000
"""To ask the system costs as much as all else that is done of a request: not for each of many at once."""


class CpuAccount:
    """Between two looks all that run get equal shares. Any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running = 0
        self._share_ns = 0.0  # what one that has always run would have
        self._last_ns = time.process_time_ns()
        self._looked_ns = 0  # when; of the monotonic clock

    def begin(self) -> float:
        """One more runs; what `end` is to be given."""
        with self._lock:
            if not self._running or time.monotonic_ns() - self._looked_ns > _EVERY_NS:
                self._look()
            self._running += 1
            return self._share_ns

    def end(self, began: float) -> int:
        """It is over: its CPU time in ns."""
        with self._lock:
            unseen = began == self._share_ns  # nobody has looked since
            if unseen or self._running == 1 or time.monotonic_ns() - self._looked_ns > _EVERY_NS:
                self._look()
            self._running -= 1
            return max(int(self._share_ns - began), 0)

    def _look(self) -> None:
        now_ns = time.process_time_ns()
        if self._running:
            self._share_ns += (now_ns - self._last_ns) / self._running
        self._last_ns = now_ns
        self._looked_ns = time.monotonic_ns()
