"""One-shot POSIX timers that signal one thread: on the real clock, and on the thread's CPU time.

One-shot, armed again by the signal's handler: while native code keeps the interpreter away, there is one
signal and not one every millisecond. Arming costs 1 us, and 7 us more if it programs a virtual machine's
hardware timer; by ctypes, if there is no C extension, 10 us more in code that has not run for a while.
Timers are not inherited over fork.
"""

from __future__ import annotations

import ctypes
import functools
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, Final, cast

from relive_base.kept_builtins import KEPT

from relive_profiler.record.native import chosen_settime

__builtins__ = KEPT

__all__ = [
    "PROFILE_SIGNAL",
    "TICK_SIGNAL",
    "ThreadTimer",
    "TimerUnavailable",
    "cpu_timer",
    "give_back_signal",
    "native_thread",
    "preload",
    "thread_cpu_ns",
    "tick_ns",
]

PROFILE_SIGNAL: Final[int] = int(signal.SIGRTMIN) + 4 if hasattr(signal, "SIGRTMIN") else 0
"""Far enough from the signals that C libraries and users take (glibc's own are below SIGRTMIN)."""
TICK_SIGNAL: Final[int] = int(signal.SIGRTMIN) + 8 if hasattr(signal, "SIGRTMIN") else 0
"""Of other threads, by their CPU time. Between the two: the deadline's, the memory limit's, the capture's."""

_SIGEV_THREAD_ID: Final = 4
_SECOND_NS: Final = 1_000_000_000
_MONOTONIC: Final[int] = time.CLOCK_MONOTONIC
_CLOCK_MONOTONIC_COARSE: Final = 6
_CPU_OF_THREAD: Final = 6
"""CPUCLOCK_SCHED | CPUCLOCK_PERTHREAD_MASK of the kernel's posix-timers.h, beside ~tid << 3."""
_LONGEST_TICK_NS: Final = 10_000_000


class TimerUnavailable(Exception):
    """This system offers no timer that signals one thread."""


def give_back_signal(handler: Any, was_ignored: bool) -> None:
    """PROFILE_SIGNAL is no more `handler`'s, if it is still so. On the main thread."""
    if signal.getsignal(PROFILE_SIGNAL) == handler:
        # Ignored first: the default action of a signal that is on its way would end the process.
        signal.signal(PROFILE_SIGNAL, signal.SIG_IGN)
        if not was_ignored:
            signal.signal(PROFILE_SIGNAL, signal.SIG_DFL)


class _SigEvent(ctypes.Structure):
    _fields_ = (
        ("value", ctypes.c_void_p),
        ("signo", ctypes.c_int),
        ("notify", ctypes.c_int),
        ("thread_id", ctypes.c_int),
        ("padding", ctypes.c_char * 48),
    )


@functools.cache
def _library() -> Any:
    # Once, in the zygote. PyDLL keeps the GIL: no call blocks, and giving it up costs more than the call.
    for name in (None, "librt.so.1"):
        try:
            library = ctypes.PyDLL(name, use_errno=True)
            library.timer_create.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
            library.timer_settime.argtypes = (ctypes.c_long, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
            library.timer_delete.argtypes = (ctypes.c_long,)
        except (OSError, AttributeError):
            continue
        return library
    raise TimerUnavailable("the C library has no timer_create")


def _settime_of(library: Any) -> Callable[[int, int, int], None]:
    settime = library.timer_settime
    spec = (ctypes.c_long * 4)()  # struct itimerspec: interval s, ns; value s, ns

    def set_to(timer: int, delay_ns: int, repeat_ns: int) -> None:
        spec[0], spec[1] = divmod(repeat_ns, _SECOND_NS)
        if delay_ns < _SECOND_NS:
            spec[2], spec[3] = 0, delay_ns
        else:
            spec[2], spec[3] = divmod(delay_ns, _SECOND_NS)
        settime(timer, 0, spec, None)

    return set_to


class ThreadTimer:
    """A timer for the thread that makes it, on CLOCK_MONOTONIC or another clock. Raises TimerUnavailable."""

    __slots__ = ("_delete", "_id", "_set", "repeat_ns")

    def __init__(self, signum: int = PROFILE_SIGNAL, clock: int = _MONOTONIC) -> None:
        if not sys.platform.startswith("linux") or not signum:
            raise TimerUnavailable(f"no per-thread timer signals on {sys.platform}")
        library = _library()
        event = _SigEvent(signo=signum, notify=_SIGEV_THREAD_ID, thread_id=threading.get_native_id())
        timer = ctypes.c_long(0)
        if library.timer_create(clock, ctypes.byref(event), ctypes.byref(timer)) != 0:
            raise TimerUnavailable(f"timer_create failed with errno {ctypes.get_errno()}")
        self._id = timer.value
        self.repeat_ns = 0
        """The signal comes again after this, until the timer is armed anew. One that comes just before a lock
        is waited for does not interrupt the wait, and its handler would arm the next when that is over."""
        self._delete = library.timer_delete
        self._set = chosen_settime() or _settime_of(library)

    def arm(self, delay_ns: int) -> None:
        """Signal `delay_ns` from now (at least 1 ns)."""
        self._set(self._id, delay_ns if delay_ns > 0 else 1, self.repeat_ns)

    def disarm(self) -> None:
        """Signal no more; one that is already on its way may still arrive."""
        self._set(self._id, 0, 0)

    def delete(self) -> None:
        """Give the timer back to the kernel."""
        self._delete(self._id)


def cpu_timer(signum: int = PROFILE_SIGNAL) -> ThreadTimer | None:
    """A timer on the CPU time of the thread that makes it; None if there is none worth having."""
    if not tick_ns():
        return None
    try:
        return ThreadTimer(signum, time.CLOCK_THREAD_CPUTIME_ID)
    except TimerUnavailable:
        return None


def tick_ns() -> int:
    """How far apart the kernel's ticks are, in which it looks at timers on CPU time; 0 if that is unknown
    or more than 10 ms."""
    if not sys.platform.startswith("linux"):
        return 0
    try:
        tick = round(time.clock_getres(_CLOCK_MONOTONIC_COARSE) * _SECOND_NS)
    except (OSError, OverflowError):
        return 0
    return tick if 0 < tick <= _LONGEST_TICK_NS else 0


def preload() -> None:
    """For the zygote: have the C library's functions at hand."""
    try:
        _library()
    except TimerUnavailable:
        return  # each sampler finds out for itself, and says so


def thread_cpu_ns(ident: int) -> int:
    """The CPU time of a thread of the threading module; 0 if that cannot be had, as of one that has ended."""
    return native_thread(ident)[1]


def native_thread(ident: int) -> tuple[int, int]:
    """The kernel's id of a thread of the threading module and its CPU time; 0, 0 if that cannot be had.

    By the kernel's id: pthread_getcpuclockid reads the memory of a thread that may be gone by now.
    """
    if not sys.platform.startswith("linux"):
        return 0, 0
    try:
        native: int = cast(Any, threading)._active[ident].native_id
        return native, time.clock_gettime_ns((~native << 3) | _CPU_OF_THREAD)
    except (KeyError, TypeError, AttributeError, OSError, OverflowError):
        return 0, 0
