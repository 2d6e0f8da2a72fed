"""A worker's process as the server reaches it: signals to all of it, and what /proc says of it."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from typing import Final

from relive_runtime.worker.limits.memory import held_bytes
from relive_runtime.worker.limits.memory_signal import MEMORY_SIGNAL

from relive_platform.engine.workers.descendants import descendants

__all__ = ["WorkerProcess"]

_TICKS: Final[int] = os.sysconf("SC_CLK_TCK")
_PAGE: Final[int] = os.sysconf("SC_PAGE_SIZE")
_SECOND_NS: Final = 1_000_000_000
_EXITING: Final = 0x4  # PF_EXITING of the kernel's include/linux/sched.h
_KILL_BIT: Final = 1 << (signal.SIGKILL - 1)
_GONE: Final = (ProcessLookupError, PermissionError)


class WorkerProcess:
    """`pid` is 0 until it was forked. What is asked of a process that has ended does nothing."""

    __slots__ = ("_closed", "_statm", "killed", "own_tmp", "pid", "reaped")

    def __init__(self) -> None:
        self.pid = 0
        self.reaped = False
        self.killed = False
        """It was told to end, or will be as soon as it was forked."""
        self.own_tmp = False
        self._closed = False
        self._statm = -1

    def forked(self, pid: int) -> None:
        """It runs now."""
        self.pid = pid
        if self.killed:
            self._signal(signal.SIGKILL)

    def exited(self) -> None:
        """It was reaped: nothing it forked may stay behind."""
        self.reaped = True
        self._signal(signal.SIGKILL)

    def kill(self) -> None:
        """End it now with all it has started, also outside its group."""
        self.killed = True
        if self.pid <= 0 or self.reaped:
            self._signal(signal.SIGKILL)
            return
        self._signal(signal.SIGSTOP)  # what starts no more processes can be counted
        started = descendants(self.pid)
        self._signal(signal.SIGKILL)
        for pid in started:
            with suppress(*_GONE):  # it went with the group
                os.kill(pid, signal.SIGKILL)

    def is_leaving(self) -> bool:
        """Whether it is at its end by itself, or has come to it: then nothing that is sent to it is why."""
        if self.reaped:
            return True
        try:
            with open(f"/proc/{self.pid}/stat", "rb") as file:
                fields = file.read(1_024).rpartition(b")")[2].split()
            return fields[0] in (b"Z", b"X") or bool(int(fields[6]) & _EXITING)
        except (OSError, IndexError, ValueError):
            return True

    def is_ending(self) -> bool:
        """Whether it is at its end, or has been told to end and has not come to it yet."""
        if self.is_leaving():
            return True
        try:
            with open(f"/proc/{self.pid}/status", "rb") as file:
                pending = [line.split()[1] for line in file if line.startswith((b"SigPnd:", b"ShdPnd:"))]
            return any(int(mask, 16) & _KILL_BIT for mask in pending)
        except (OSError, IndexError, ValueError):
            return True

    def freeze(self) -> None:
        """Stop its group where it is, so that it can be looked at and grows no further."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen group go on."""
        self._signal(signal.SIGCONT)

    def interrupt(self) -> None:
        """Ctrl-C, as a terminal gives it to its foreground processes."""
        if not self.killed:
            self._signal(signal.SIGINT)

    def ask_to_save(self) -> None:
        """Ask it to save itself at its memory limit; see worker/limits/memory_limit.py."""
        with suppress(*_GONE):
            os.kill(self.pid, MEMORY_SIGNAL)

    def _signal(self, number: int) -> None:
        if self.pid <= 0 or self._closed:
            return
        try:
            os.killpg(self.pid, number)
        except _GONE:
            if not self.reaped:
                with suppress(*_GONE):
                    os.kill(self.pid, number)

    def held_bytes(self, alarm: int = 0) -> int:
        """Memory that it holds now (worker/limits/memory.py); 0 if it cannot be read.

        If all that is resident is no more than `alarm`, shared memory is not looked for: 3 us, not 25.
        """
        try:
            if self._statm < 0:
                self._statm = os.open(f"/proc/{self.pid}/statm", os.O_RDONLY | os.O_CLOEXEC)
            fields = os.pread(self._statm, 128, 0).split()
            resident, shared = int(fields[1]) * _PAGE, int(fields[2]) * _PAGE
            return resident - shared if resident <= alarm else held_bytes(self.own_tmp, self.pid)
        except (OSError, IndexError, ValueError):
            return 0

    def cpu_ns(self) -> int:
        """CPU time until now, with what it has started and waited for; 0 if it cannot be read."""
        try:
            with open(f"/proc/{self.pid}/stat", "rb") as file:
                fields = file.read(1_024).rpartition(b")")[2].split()
            return sum(map(int, fields[11:15])) * (_SECOND_NS // _TICKS)
        except (OSError, IndexError, ValueError):
            return 0

    def close(self) -> None:
        """It has gone: its number may be another process's by now."""
        self._closed = True
        if self._statm >= 0:
            os.close(self._statm)
            self._statm = -1
