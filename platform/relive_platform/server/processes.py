"""CPU time of the server's processes, by invocation: for `relive status`."""

from __future__ import annotations

import asyncio
import os
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

__all__ = ["ProcessTimes", "Usage", "cpu_s"]

_EVERY_S: Final = 1.0
_WINDOW: Final = 11  # samples: ten seconds
_TICKS_S: Final = os.sysconf("SC_CLK_TCK")
_USER, _SYSTEM = 11, 12  # fields of /proc/PID/stat behind the command's name


@dataclass(frozen=True, slots=True)
class Usage:
    """Of one process: CPU time since it began, and in the last ten seconds for each invocation that any
    process of the server has ended in them (0.0: there was none)."""

    pid: int
    cpu_s: float
    cpu_us_per_invocation: float


@dataclass(frozen=True, slots=True)
class _Sample:
    at: float
    ended: int
    cpu_s: dict[tuple[str, int], float]  # by name and pid


def cpu_s(pid: int) -> float:
    """User and system time of a process; 0.0 if it has ended, or there is no /proc."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[_USER]) + int(fields[_SYSTEM])) / _TICKS_S


class ProcessTimes:
    """Looks once a second. `pids`: the processes by name, 0 for one that does not run; `ended`: invocations
    that have ended."""

    def __init__(
        self,
        pids: Callable[[], Mapping[str, int]],
        ended: Callable[[], int],
        cpu_s: Callable[[int], float] = cpu_s,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pids = pids
        self._ended = ended
        self._cpu_s = cpu_s
        self._clock = clock
        self._samples: deque[_Sample] = deque(maxlen=_WINDOW)
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin. On the event loop."""
        self.look()
        self._timer = asyncio.get_running_loop().call_later(_EVERY_S, self.start)

    def stop(self) -> None:
        """No more."""
        if self._timer is not None:
            self._timer.cancel()

    def look(self) -> None:
        """Take a sample."""
        self._samples.append(self._sample())

    def _sample(self) -> _Sample:
        running = {(name, pid): self._cpu_s(pid) for name, pid in self._pids().items() if pid}
        return _Sample(self._clock(), self._ended(), running)

    def usage(self) -> tuple[dict[str, Usage], float]:
        """Of each process by name, and how many invocations ended per second."""
        now = self._sample()
        before = self._samples[0] if self._samples else now
        ended = now.ended - before.ended
        found = {}
        for (name, pid), spent in now.cpu_s.items():
            used = spent - before.cpu_s.get((name, pid), 0.0)
            found[name] = Usage(pid, round(spent, 2), round(used / ended * 1e6, 1) if ended > 0 else 0.0)
        return found, round(ended / max(now.at - before.at, 0.001), 1)
