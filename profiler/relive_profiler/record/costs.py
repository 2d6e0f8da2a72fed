"""What the process is charged beside its stacks: the collector, waiting for a CPU, the disk, memory.

All of it is kept by the kernel and by the collector anyway. It is read when an invocation begins after a
pause, at most ten times a second if they follow each other, and at the end of those that had samples: 5 us.
"""

from __future__ import annotations

import gc
import os
import resource
from collections.abc import Callable
from typing import Final

from relive_base.kept_builtins import KEPT
from relive_base.wire.messages import Costs

from relive_profiler.record.native import chosen_gc_clock

__builtins__ = KEPT

__all__ = ["COST_FILES", "CostMeter"]

_FRESH_NS: Final = 100_000_000
"""A reading that is no older than this serves as the beginning of an invocation that follows at once."""
_WORTH_NS: Final = 4_000_000
"""Shorter invocations are not measured."""
_LATE_NS: Final = 2_000_000
_WOKEN_NS: Final = 100_000
_BACK_NS: Final = 300_000
"""A thread that waits on after a look needs no more CPU time for that."""
_BLOCK_BYTES: Final = 512
_KIB: Final = 1024
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
_UNKNOWN: Final = -1
COST_FILES: Final = ("/proc/self/schedstat", "/proc/self/statm")
"""Of the main thread: ns on a CPU, ns waiting for one, slices. Of the process: pages in all, resident, ..."""


class _Reading:
    """Everything at one moment."""

    __slots__ = ("at_ns", "gc", "resident", "runqueue", "usage")

    def __init__(
        self,
        at_ns: int,
        gc_totals: tuple[int, int],
        runqueue: int,
        resident: int,
        usage: resource.struct_rusage,
    ) -> None:
        self.at_ns = at_ns
        self.gc = gc_totals
        self.runqueue = runqueue
        self.resident = resident
        self.usage = usage


class CostMeter:
    """One per worker; on its main thread. No method raises."""

    __slots__ = (
        "_begun",
        "_begun_ns",
        "_cpu_wait",
        "_gc_begun",
        "_hook",
        "_interrupted",
        "_last",
        "_memory",
        "_totals",
        "_woken",
        "_woken_ns",
        "_woken_switches",
    )

    def __init__(self, cpu_wait: int = _UNKNOWN, memory: int = _UNKNOWN) -> None:
        """Descriptors of COST_FILES; -1: what they tell is not known."""
        self._hook, self._totals = chosen_gc_clock()
        self._cpu_wait, self._memory = cpu_wait, memory
        self._last: _Reading | None = None
        self._begun: _Reading | None = None
        self._gc_begun = (0, 0)
        self._begun_ns = 0
        self._woken_ns = 0  # without a CPU because a look had woken it
        self._interrupted = 0.0  # waits that signals of ours have broken into, which the kernel counts again
        self._woken = self._woken_switches = 0  # of the last look: how late it was, and the switches by then

    def open(self) -> None:
        """Begin to count collections."""
        if self._hook not in gc.callbacks:
            gc.callbacks.append(self._hook)

    def close(self) -> None:
        """Count no more."""
        if self._hook in gc.callbacks:
            gc.callbacks.remove(self._hook)

    def begin(self, now_ns: int, seldom: bool) -> None:
        """An invocation begins. `seldom`: after a pause, in which nothing of what is measured was its own."""
        last = self._last
        self._begun_ns = now_ns
        self._woken_ns = self._woken = 0
        self._interrupted = 0.0
        if seldom or last is None or now_ns - last.at_ns > _FRESH_NS:
            last = self._last = self._read(now_ns)
        self._begun = last
        self._gc_begun = self._totals()

    def looked(self, now_ns: int) -> None:
        """The first look. If it comes in time, nothing worth telling was before it."""
        begun = self._begun
        late = now_ns - self._begun_ns > 2 * _LATE_NS
        if begun is not None and begun.at_ns != self._begun_ns and not late:
            self._begun = self._read(now_ns)
            self._interrupted = 0.0  # the wait that this one breaks into counts when it goes on

    def late(self, late_ns: int, cpu_ns: int, switches: Callable[[], int], wall_ns: int = 0) -> None:
        """A signal is so late, and so much CPU time was used since the look before, in `wall_ns`.

        A thread that waits is woken by a look, and has no CPU at once if the machine is busy. If it waits on
        after the look, it has lost nothing by that. The kernel counts another wait then, which is none of the
        code's: as the clock sends the signal at any time, it meets a wait as often as there was one.
        """
        if late_ns >= 0:  # it came by the clock: by CPU time, it meets nobody waiting
            self._interrupted += 1.0 if cpu_ns < _BACK_NS else max(1.0 - cpu_ns / max(wall_ns, 1), 0.0)
        if self._woken:
            self._settle(cpu_ns, switches)
        if late_ns > _WOKEN_NS:
            self._woken, self._woken_switches = late_ns, switches()

    def _settle(self, cpu_ns: int, switches: Callable[[], int]) -> None:
        woken, self._woken = self._woken, 0
        if cpu_ns < _BACK_NS and switches() != self._woken_switches:
            self._woken_ns += woken

    def end(self, now_ns: int, cpu_ns: int, switches: Callable[[], int]) -> Costs | None:
        """It is over, `cpu_ns` of CPU time after the last look. None: it was too short to be measured."""
        begun = self._begun
        self._begun = None
        if self._woken:
            self._settle(cpu_ns, switches)
        if begun is None or now_ns - self._begun_ns < _WORTH_NS:
            return None
        ended = self._last = self._read(now_ns)
        before, after = begun.usage, ended.usage
        known = min(begun.resident, ended.resident) >= 0
        peak = after.ru_maxrss > before.ru_maxrss
        return Costs(
            gc_ns=ended.gc[0] - self._gc_begun[0],
            collections=ended.gc[1] - self._gc_begun[1],
            runqueue_ns=max(ended.runqueue - begun.runqueue - self._woken_ns, 0)
            if min(begun.runqueue, ended.runqueue) >= 0
            else _UNKNOWN,
            system_ns=round((after.ru_stime - before.ru_stime) * 1e9),
            waits=max(after.ru_nvcsw - before.ru_nvcsw - round(self._interrupted), 0),
            preemptions=after.ru_nivcsw - before.ru_nivcsw,
            major_faults=after.ru_majflt - before.ru_majflt,
            read_bytes=(after.ru_inblock - before.ru_inblock) * _BLOCK_BYTES,
            written_bytes=(after.ru_oublock - before.ru_oublock) * _BLOCK_BYTES,
            memory_bytes=ended.resident,
            growth_bytes=ended.resident - begun.resident if known else None,
            peak_bytes=after.ru_maxrss * _KIB if peak else _UNKNOWN,
        )

    def _read(self, now_ns: int) -> _Reading:
        runqueue, self._cpu_wait = _field(self._cpu_wait)
        pages, self._memory = _field(self._memory)
        resident = pages * _PAGE_BYTES if pages >= 0 else _UNKNOWN
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return _Reading(now_ns, self._totals(), runqueue, resident, usage)


def _field(descriptor: int) -> tuple[int, int]:
    """The second number of a file in /proc, and its descriptor; -1 for what there is not any more."""
    if descriptor < 0:
        return _UNKNOWN, _UNKNOWN
    try:
        return int(os.pread(descriptor, 128, 0).split(None, 2)[1]), descriptor
    except (OSError, ValueError, IndexError):
        return _UNKNOWN, _UNKNOWN  # the function's code has closed it
