"""What a capture may cost, and the meter that watches it."""

from __future__ import annotations

import time
from dataclasses import dataclass

__all__ = ["Budget", "Meter"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Limits of one capture. The defaults keep 20 frames under 10 ms of CPU and 256 KB."""

    depth: int = 3  # levels of children under a local
    near_frames: int = 5  # the innermost frames of the function's own code, of an exception
    outer_depth: int = 2  # `depth` for the locals of outer frames
    outer_breadth: int = 8  # `breadth` for outer frames
    outer_nodes: int = 60  # `frame_nodes` for outer frames
    breadth: int = 16  # children of one value; locals of a frame: four times that
    text: int = 200  # characters of one string
    frame_nodes: int = 300  # values of one frame
    frames: int = 100  # of one exception; the first and the last half are kept
    exceptions: int = 20  # in a chain and its groups together
    total_bytes: int = 256 * 1024  # of values and source excerpts
    cpu_ns: int = 10_000_000
    source_lines: int = 5  # before and after a frame's line
    source_bytes: int = 256 * 1024  # of `source/` members together
    threads: int = 20
    tasks: int = 50  # of asyncio; the first 20 also where the time is used up
    thread_frames: int = 50  # of one thread or task


class Meter:
    """Counts what a capture has used. `over` says in words which limit was reached, or ""."""

    __slots__ = ("_budget", "_end_ns", "_ticks", "bytes_used", "over", "started_ns")

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self.started_ns = time.thread_time_ns()
        self._end_ns = self.started_ns + budget.cpu_ns
        self._ticks = 0
        self.bytes_used = 0
        self.over = ""

    def spend(self, size: int) -> bool:
        """Count `size` bytes; False when a limit is reached. The clock is read every 32 calls."""
        self.bytes_used += size
        self._ticks += 1
        if self.bytes_used > self._budget.total_bytes:
            self.over = f"the size limit of {self._budget.total_bytes} bytes"
        elif not self._ticks & 31 and time.thread_time_ns() > self._end_ns:
            self.over = f"the CPU limit of {self._budget.cpu_ns // 1_000_000} ms"
        return not self.over

    def check(self) -> None:
        """Set `over` where a limit is reached; reads the clock."""
        if self.bytes_used > self._budget.total_bytes:
            self.over = f"the size limit of {self._budget.total_bytes} bytes"
        else:
            self.out_of_time()

    def out_of_time(self) -> bool:
        """Whether the CPU limit is reached, read now."""
        if not self.over and time.thread_time_ns() > self._end_ns:
            self.over = f"the CPU limit of {self._budget.cpu_ns // 1_000_000} ms"
        return bool(self.over)
