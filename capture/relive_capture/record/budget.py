"""What a capture may cost, and the meter that watches it."""

from __future__ import annotations

import time

import msgspec
from relive_base.parts import Reason, Why

__all__ = ["Budget", "Meter"]


class Budget(msgspec.Struct, frozen=True, kw_only=True):  # a dataclass would take 1 to 3 ms of each start
    """Limits of one capture. The defaults keep 20 frames under 10 ms of CPU and 256 KB."""

    depth: int = 3  # levels of children under a local
    near_frames: int = 5  # the innermost frames of the function's own code, of an exception
    outer_depth: int = 2  # `depth` for the locals of outer frames
    outer_breadth: int = 8  # `breadth` for outer frames
    outer_nodes: int = 60  # `frame_nodes` for outer frames
    breadth: int = 16  # children of one value
    names: int = 500  # locals of a frame; each has a line at least
    all_names: int = 3000  # locals of all frames together
    text: int = 200  # characters of one string
    frame_nodes: int = 300  # values of one frame
    frames: int = 100  # of one exception; the first and the last half are kept
    exceptions: int = 20  # in a chain and its groups together
    total_bytes: int = 256 * 1024  # of values and source excerpts
    text_ns: int = 300_000_000  # for `__str__` of all exceptions together
    cpu_ns: int = 10_000_000
    least_bytes: int = 16 * 1024  # a scene this small is not cut by `cpu_ns`: who waits for a CPU, or for a
    most_cpu_ns: int = 100_000_000  # collection of garbage, uses it up with nothing shown; but by this
    source_lines: int = 5  # before and after a frame's line
    source_bytes: int = 256 * 1024  # of `source/` members together
    threads: int = 20
    tasks: int = 50  # of asyncio; the first 20 even if the time is used up
    thread_frames: int = 50  # of one thread or task


class Meter:
    """Counts what a capture has used. `over` says which limit was reached, if one was. `stop`: what is
    being done now has had its share, or there is nothing left at all."""

    __slots__ = (
        "_budget",
        "_end_ns",
        "_last_ns",
        "_naming",
        "_share_ns",
        "_ticks",
        "bytes_used",
        "over",
        "started_ns",
        "stop",
    )

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self.started_ns = time.thread_time_ns()
        self._end_ns = self._share_ns = self.started_ns + budget.cpu_ns
        self._last_ns = self.started_ns + max(budget.most_cpu_ns, budget.cpu_ns)
        self._ticks = 0
        self._naming = False
        self.bytes_used = 0
        self.over: Reason | None = None
        self.stop = False

    def share(self, part: float) -> None:
        """What follows may take `part` of the time that is left."""
        now = time.thread_time_ns()
        self._naming = False
        self._share_ns = now + int((self._end_ns - now) * part)
        self._judge(now)

    def names(self) -> None:
        """What follows gives names and one line each to what must not be left out: it may go beyond the
        limits by half."""
        self._naming = True
        self._judge(time.thread_time_ns())

    def spend(self, size: int) -> None:
        """Count `size` bytes. The clock is read every 32 calls."""
        self.bytes_used += size
        self._ticks += 1
        if not self._ticks & 31 or self.bytes_used > self._budget.total_bytes:
            self.check()

    def check(self) -> None:
        """Set `over` and `stop` if a limit is reached; reads the clock."""
        self._judge(time.thread_time_ns())

    def out_of_time(self) -> bool:
        """Whether a limit of the whole capture is reached, read now."""
        self.check()
        return bool(self.over)

    def _judge(self, now: int) -> None:
        budget = self._budget
        early = self.bytes_used < budget.least_bytes and now <= self._last_ns
        if not self.over:
            if self.bytes_used > budget.total_bytes:
                self.over = Reason(Why.SIZE_LIMIT, (budget.total_bytes,))
            elif now > self._end_ns and not early:
                self.over = Reason(Why.CPU_LIMIT, (budget.cpu_ns // 1_000_000,))
        if self._naming:
            late = now > self._end_ns + budget.cpu_ns // 2 and not early
            self.stop = late or 2 * self.bytes_used > 3 * budget.total_bytes
        else:
            self.stop = bool(self.over) or (now > self._share_ns and not early)
