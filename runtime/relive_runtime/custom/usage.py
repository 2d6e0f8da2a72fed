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
_EVERY: Final = 16
_SELDOM_S: Final = 0.1


class Usage:
    """Until now. `held_bytes` and `peak_bytes` may be of a look before."""

    __slots__ = ("cpu_ns", "held_bytes", "peak_bytes")

    def __init__(self, cpu_ns: int, held: int, peak: int) -> None:
        self.cpu_ns = cpu_ns
        self.held_bytes = held
        self.peak_bytes = peak


class UsageMeter:
    """Looks at the processes below this one: at the program alone if little has happened, as all of them take
    a millisecond."""

    def __init__(self, own_tmp: bool) -> None:
        self._own_tmp = own_tmp
        self._count = 0
        self._looked_mono = 0.0
        self._others_ns = 0  # CPU time of what the program has started, at the last look
        self._held = self._peak = 0
        self.program = 0
        """Its process; 0: there is none."""

    def cpu_ns(self) -> int:
        """Of the program, of what it had started when that was last looked at, and of what was waited for."""
        return _reaped_ns() + (_cpu_ns(self.program) if self.program else 0) + self._others_ns

    def look(self) -> Usage:
        """CPU time and memory; `peak` is that of the largest process."""
        now = time.monotonic()
        self._count += 1
        if self._count % _EVERY == 1 or now - self._looked_mono > _SELDOM_S:
            self._looked_mono = now
            pids = descendants(os.getpid())
            self._others_ns = sum(_cpu_ns(pid) for pid in pids if pid != self.program)
            self._held = sum(held_bytes(self._own_tmp, pid) for pid in pids)
            self._peak = max(map(_peak_bytes, pids), default=0)
        return Usage(self.cpu_ns(), self._held, self._peak)


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
