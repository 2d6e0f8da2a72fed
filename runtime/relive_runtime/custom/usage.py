"""What the program and all that it has started use: CPU time and memory."""

from __future__ import annotations

import os
import resource
import time
from typing import Final

from relive_runtime.custom.api.peers import descendants
from relive_runtime.worker.limits.memory import held_bytes

__all__ = ["Usage", "UsageMeter"]

_SECOND_NS: Final = 1_000_000_000
_KIB: Final = 1_024


class Usage:
    """So much until now."""

    __slots__ = ("cpu_ns", "held_bytes", "peak_bytes")

    def __init__(self, cpu_ns: int, held: int, peak: int) -> None:
        self.cpu_ns = cpu_ns
        self.held_bytes = held
        self.peak_bytes = peak


class UsageMeter:
    """Looks at the processes of this one."""

    def __init__(self, own_tmp: bool) -> None:
        self._own_tmp = own_tmp

    def cpu_ns(self) -> int:
        """Of all that runs, and of what this process has waited for; its own is not counted."""
        return _reaped_ns() + sum(map(_cpu_ns, descendants(os.getpid())))

    def look(self) -> Usage:
        """CPU time and memory. `peak`: of the largest process."""
        pids = descendants(os.getpid())
        held = sum(held_bytes(self._own_tmp, pid) for pid in pids)
        peaks = [_peak_bytes(pid) for pid in pids]
        return Usage(_reaped_ns() + sum(map(_cpu_ns, pids)), held, max(peaks, default=0))


def _reaped_ns() -> int:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return int((used.ru_utime + used.ru_stime) * _SECOND_NS)


def _cpu_ns(pid: int) -> int:
    try:
        return time.clock_gettime_ns(~pid << 3 | 2)  # CPUCLOCK_SCHED of another process
    except OSError:
        return 0


def _peak_bytes(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/status", "rb") as file:
            text = file.read(4_096)
    except OSError:
        return 0
    at = text.find(b"VmHWM:")
    return int(text[at:].split(maxsplit=2)[1]) * _KIB if at >= 0 else 0
