"""The end of a child of ours, of which the application hears nothing: no handler of its SIGCHLD is called.

While our child lives, for a millisecond or two, the signal has no handler. If a child of the application's
own has ended meanwhile, the signal is sent again. Which signals are caught is asked of the kernel: a library
may have its handler by other ways than Python's.
"""

from __future__ import annotations

import ctypes
import os
import signal
from types import TracebackType
from typing import Any, Final

__all__ = ["Unheard"]

_BYTES: Final = 512
"""More than a `struct sigaction` has anywhere; of zeros it is the default action."""
_POINTER: Final = ctypes.sizeof(ctypes.c_void_p)
"""The handler is the first member."""
_BIT: Final = 1 << (signal.SIGCHLD - 1)
_ENDED: Final = frozenset("ZTt")


class Unheard:
    """A context in which a child of ours begins and is waited for; its number goes to `of`."""

    def __init__(self) -> None:
        self._pid = 0
        self._before: frozenset[int] | None = None
        self._theirs: Any = None

    def of(self, pid: int) -> None:
        """Its number."""
        self._pid = pid

    def __enter__(self) -> Unheard:
        caught, self._blocked = _masks()
        if caught or self._blocked:
            self._before = _ended_children()
        if caught and not self._blocked:  # what is blocked is never ignored
            self._theirs = _action(ctypes.create_string_buffer(_BYTES))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._before is None:
            return
        lost = False
        if self._blocked:
            told = signal.sigtimedwait([signal.SIGCHLD], 0)
            lost = told is not None and told.si_pid != self._pid
        elif self._theirs is not None:
            now = _action(None)
            if now is not None and not any(now.raw[:_POINTER]):  # else the application has set one meanwhile
                _action(self._theirs)
        if lost or _ended_children() - self._before - {self._pid}:
            os.kill(os.getpid(), signal.SIGCHLD)


def _action(wanted: Any) -> Any:
    """What is done about the signal, before it is made `wanted`; None: it cannot be known."""
    try:
        before = ctypes.create_string_buffer(_BYTES)
        done = ctypes.CDLL(None).sigaction(int(signal.SIGCHLD), wanted, before)
    except (OSError, AttributeError):
        return None
    return before if done == 0 else None


def _masks() -> tuple[bool, bool]:
    """Whether the process catches the signal, and whether this thread blocks it."""
    blocked = signal.SIGCHLD in signal.pthread_sigmask(signal.SIG_BLOCK, [])
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as file:
            line = next(line for line in file if line.startswith("SigCgt:"))
        return bool(int(line.split()[1], 16) & _BIT), blocked
    except (OSError, StopIteration, ValueError, IndexError):
        return callable(signal.getsignal(signal.SIGCHLD)), blocked


def _ended_children() -> frozenset[int]:
    """Children that have ended, or were stopped, and that nobody has waited for."""
    found: set[int] = set()
    try:
        for task in os.listdir("/proc/self/task"):
            with open(f"/proc/self/task/{task}/children", encoding="ascii") as file:
                found.update(map(int, file.read().split()))
    except (OSError, ValueError):  # a kernel that does not tell
        return frozenset()
    return frozenset(pid for pid in found if _state(pid) in _ENDED)


def _state(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read(4_096).rpartition(b")")[2][1:2].decode("ascii", "replace")
    except OSError:
        return ""
