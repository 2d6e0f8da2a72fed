"""The deadline of an invocation: a timer signal that raises HandlerTimeout on the main thread."""

from __future__ import annotations

import ctypes
import os
import signal
import time
from collections.abc import Callable
from types import FrameType
from typing import Final

from relive_base.kept_builtins import KEPT

__builtins__ = KEPT

__all__ = [
    "DEADLINE_SIGNAL",
    "REPEAT_NS",
    "DeadlineTimer",
    "HandlerTimeout",
    "SignalEvent",
    "without_signal_frame",
]

DEADLINE_SIGNAL: Final = signal.SIGRTMIN + 5
"""The sampler has SIGRTMIN+4; SIGALRM and the interval timers stay with the user's code."""

REPEAT_NS: Final = 100_000_000
"""A timeout that was swallowed is raised again after this time."""

_RETRY_NS: Final = 1_000_000
_SECOND_NS: Final = 1_000_000_000
_TIMER_ABSTIME: Final = 1
_SIGEV_SIGNAL: Final = 0

_libc = ctypes.PyDLL(None, use_errno=True)  # keeps the GIL: no call of these blocks


class HandlerTimeout(BaseException):
    """The function ran longer than its timeout_s allows.

    Not an Exception, so that `except Exception` in the user's code does not take it for an ordinary failure.
    """

    # what users read, whoever noticed the timeout
    __module__ = "builtins"
    __qualname__ = "Timeout"


def without_signal_frame(error: BaseException) -> None:
    """Let the traceback end in the code that was interrupted, not in the handler of the signal."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        if trace.tb_next.tb_frame.f_code is DeadlineTimer._fire.__code__:
            trace.tb_next = None
        trace = trace.tb_next


class SignalEvent(ctypes.Structure):
    """struct sigevent: a signal to the process."""

    _fields_ = (
        ("value", ctypes.c_void_p),
        ("signal", ctypes.c_int),
        ("notify", ctypes.c_int),
        ("padding", ctypes.c_byte * 48),
    )


class DeadlineTimer:
    """One timer of this process, used by the main thread only.

    Lazy: a shot that is due no later than the new deadline is left alone, and arms the timer again when it
    comes early. So most invocations make no system call for their deadline.
    """

    def __init__(self, must_wait: Callable[[], bool]) -> None:
        """`must_wait` says that the main thread is in the middle of a frame: the timeout comes 1 ms later."""
        self._settime = _libc.timer_settime
        self._timer = ctypes.c_void_p()
        event = SignalEvent(None, DEADLINE_SIGNAL, _SIGEV_SIGNAL)
        if _libc.timer_create(time.CLOCK_MONOTONIC, ctypes.byref(event), ctypes.byref(self._timer)):
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))
        self._spec = (ctypes.c_long * 4)()  # struct itimerspec: interval s, ns; value s, ns
        self._must_wait = must_wait
        self._armed = False
        self._due_ns = 0  # when the shot that is on its way comes; 0: none is
        self._deadline_ns = 0
        self._message = ""
        self.raised: HandlerTimeout | None = None
        """The first timeout of this invocation, whether or not the user's code swallowed it."""
        self.before_raise: Callable[[], None] | None = None
        """Called once an invocation, at its first timeout, while everything stands as it was."""
        self.beside: Callable[[FrameType | None], None] | None = None
        """Hears of shots that no `arm` has asked for: of attempts that run beside each other."""
        signal.signal(DEADLINE_SIGNAL, self._fire)

    def arm(self, deadline_monotonic_ns: int, message: str) -> None:
        """From now on, until `disarm`, the main thread is interrupted at the deadline; at once if it is
        over."""
        self.raised = None
        self._message = message
        self._deadline_ns = deadline_monotonic_ns
        self._armed = True
        if not self._due_ns or deadline_monotonic_ns < self._due_ns:
            self._shoot(deadline_monotonic_ns)

    def disarm(self) -> None:
        """After this, nothing is raised any more."""
        self._armed = False

    def cut(self, call: Callable[[], object], limit_ns: int) -> None:
        """Call it on the main thread, which is interrupted after `limit_ns`. That is raised, and is no
        timeout of an invocation."""
        told, raised = self.before_raise, self.raised
        self.before_raise = None
        try:
            self.arm(time.monotonic_ns() + limit_ns, "it took too long")
            call()
            self.disarm()
        finally:
            self.disarm()
            self.before_raise, self.raised = told, raised

    def close(self) -> None:
        """Give the timer back; a worker ends instead."""
        _libc.timer_delete(self._timer)

    def shoot(self, monotonic_ns: int) -> None:
        """Have `beside` told at that time, if not before."""
        self._shoot(monotonic_ns)

    def _shoot(self, monotonic_ns: int) -> None:
        self._due_ns = monotonic_ns = max(monotonic_ns, 1)
        self._spec[2], self._spec[3] = divmod(monotonic_ns, _SECOND_NS)
        self._settime(self._timer, _TIMER_ABSTIME, self._spec, None)

    def _fire(self, _number: int, frame: FrameType | None) -> None:
        self._due_ns = 0
        if not self._armed:
            if self.beside is not None:
                self.beside(frame)
            return
        now = time.monotonic_ns()
        if now < self._deadline_ns:
            self._shoot(self._deadline_ns)
            return
        if self._must_wait():
            self._shoot(now + _RETRY_NS)
            return
        error = HandlerTimeout(self._message)
        if self.raised is None:
            self.raised = error
            if self.before_raise is not None:
                self.before_raise()
        self._shoot(time.monotonic_ns() + REPEAT_NS)
        raise error
