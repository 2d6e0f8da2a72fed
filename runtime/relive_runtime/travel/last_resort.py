"""The end of a process whose code neither comes to a step nor lets a signal be handled: one endless call of
compiled code."""

from __future__ import annotations

import ctypes
import os
import signal
from typing import Final

from relive_runtime.worker.limits.deadline import SignalEvent

__all__ = ["ENDS_BY", "LastResort"]

ENDS_BY: Final = signal.SIGVTALRM
"""Ends a process that has not set it, and leaves no core file."""
_THREAD_CPU: Final = 3
"""CLOCK_THREAD_CPUTIME_ID: with a timer on the process's own time the kernel counts that by ticks alone."""
_SIGEV_SIGNAL: Final = 0
_SECOND_NS: Final = 1_000_000_000

_libc = ctypes.PyDLL(None, use_errno=True)


class LastResort:
    """A timer on the CPU time of this thread; a forked process has none."""

    def __init__(self) -> None:
        """Raises OSError."""
        self._timer = ctypes.c_void_p()
        event = SignalEvent(None, ENDS_BY, _SIGEV_SIGNAL)
        if _libc.timer_create(_THREAD_CPU, ctypes.byref(event), ctypes.byref(self._timer)):
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))
        self._spec = (ctypes.c_long * 4)()  # struct itimerspec: interval s, ns; value s, ns

    def put_off(self, cpu_ns: int) -> None:
        """The process ends after so much more of it, if this is not called again; 0: it does not."""
        self._spec[2], self._spec[3] = divmod(cpu_ns, _SECOND_NS)
        _libc.timer_settime(self._timer, 0, self._spec, None)
