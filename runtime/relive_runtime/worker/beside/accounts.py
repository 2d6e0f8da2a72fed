"""The CPU time of the process, shared out among the attempts that run: none is counted twice, or lost."""

from __future__ import annotations

import threading
import time

__all__ = ["CpuAccount"]


class CpuAccount:
    """Between two events all that run get equal shares. Any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running = 0
        self._share_ns = 0.0  # what one that has always run would have
        self._last_ns = time.process_time_ns()

    def begin(self) -> int:
        """One more runs; what `end` is to be given."""
        with self._lock:
            self._move()
            self._running += 1
            return int(self._share_ns)

    def end(self, began: int) -> int:
        """It is over: its CPU time in ns."""
        with self._lock:
            self._move()
            self._running -= 1
            return max(int(self._share_ns) - began, 0)

    def _move(self) -> None:
        now_ns = time.process_time_ns()
        if self._running:
            self._share_ns += (now_ns - self._last_ns) / self._running
        self._last_ns = now_ns
