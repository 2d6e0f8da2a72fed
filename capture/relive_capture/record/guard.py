"""Calling the user's code while a failure is captured (`__str__` of an exception), within a time."""

from __future__ import annotations

import contextlib
import ctypes
import signal
import threading
import time
from collections.abc import Callable, Iterator
from functools import lru_cache
from types import FrameType
from typing import Any, Final

__all__ = ["GUARD_SIGNAL", "Guard", "TimeIsUp", "install_guard"]

GUARD_SIGNAL: Final = int(signal.SIGRTMIN) + 7 if hasattr(signal, "SIGRTMIN") else 0
"""Beside the profiler's SIGRTMIN+4, the deadline's +5 and the memory limit's +6."""

_AGAIN_NS: Final = 10_000_000  # code that swallows TimeIsUp gets it again
_SECOND_NS: Final = 1_000_000_000
_SIGEV_SIGNAL: Final = 0
_MIN_LEFT_NS: Final = 1_000_000

_libc = ctypes.PyDLL(None, use_errno=True)


class TimeIsUp(BaseException):
    """Code of the user's that the capture asked for a text took too long."""


class _SignalEvent(ctypes.Structure):
    _fields_ = (
        ("value", ctypes.c_void_p),
        ("signal", ctypes.c_int),
        ("notify", ctypes.c_int),
        ("padding", ctypes.c_byte * 48),
    )


class _Alarm:
    """Whose time is up when the signal comes. The handler runs on the main thread: there it raises, in other
    threads it has Python raise."""

    def __init__(self) -> None:
        self.installed = False
        self._lock = threading.Lock()
        self._due: dict[int, int] = {}  # thread -> monotonic ns
        self._told: set[int] = set()  # threads that Python was asked to raise in

    def install(self) -> None:
        """On the main thread only."""
        signal.signal(GUARD_SIGNAL, self._ring)
        self.installed = True

    def begin(self, thread: int, due_ns: int) -> None:
        with self._lock:
            self._due[thread] = due_ns

    def end(self, thread: int) -> None:
        """After this, nothing is raised in the thread any more. Called in that thread."""
        with self._lock:
            self._due.pop(thread, None)
            told = thread in self._told
            self._told.discard(thread)
        if told:
            _take_what_is_pending(thread)

    def _ring(self, _number: int, _frame: FrameType | None) -> None:
        if not self._lock.acquire(blocking=False):
            return  # the signal comes again soon
        main = threading.main_thread().ident
        try:
            now = time.monotonic_ns()
            late = [thread for thread, due_ns in self._due.items() if now >= due_ns]
            for thread in late:
                if thread != main:
                    self._told.add(thread)
                    ctypes.pythonapi.PyThreadState_SetAsyncExc(
                        ctypes.c_ulong(thread), ctypes.py_object(TimeIsUp)
                    )
        finally:
            self._lock.release()
        if main in late:
            raise TimeIsUp


def _take_what_is_pending(thread: int) -> None:
    """Have what may still be raised in this, the current thread, raised here.

    Taking it back (an exception of NULL) would leave the interpreter's flag set for good: in 3.11 every
    function that is traced or profiled from then on, in any thread, would never get past its first
    instruction.
    """
    try:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(TimeIsUp))
        for _ in range(2):  # a loop's end is where Python looks
            pass
    except TimeIsUp:
        pass


_alarm = lru_cache(maxsize=1)(_Alarm)


def install_guard() -> None:
    """Take the signal. On the main thread, once per process; without it, other threads are not guarded."""
    _alarm().install()


class Guard:
    """The time that one capture has for the user's code, all calls together."""

    __slots__ = ("_left_ns",)

    def __init__(self, limit_ns: int) -> None:
        self._left_ns = limit_ns

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """What `function` gives. Raises what it raises, and TimeIsUp.

        C code that looks for no signals is not stopped; neither is code that swallows TimeIsUp for ever: the
        function's own timeout ends these.
        """
        if self._left_ns < _MIN_LEFT_NS:
            raise TimeIsUp
        alarm, thread = _alarm(), threading.get_ident()
        if not alarm.installed:
            if thread != threading.main_thread().ident or not GUARD_SIGNAL:
                raise TimeIsUp
            alarm.install()
        began_ns = time.monotonic_ns()
        try:
            with _timer(self._left_ns):
                alarm.begin(thread, began_ns + self._left_ns)
                try:
                    return function(*arguments)
                finally:
                    alarm.end(thread)
        finally:
            self._left_ns -= time.monotonic_ns() - began_ns


@contextlib.contextmanager
def _timer(after_ns: int) -> Iterator[None]:
    """The signal comes after this time, and again every 10 ms."""
    timer, event = ctypes.c_void_p(), _SignalEvent(None, GUARD_SIGNAL, _SIGEV_SIGNAL)
    if _libc.timer_create(time.CLOCK_MONOTONIC, ctypes.byref(event), ctypes.byref(timer)):
        raise TimeIsUp  # there is no timer to be had, so nothing that would end the call
    try:
        again, first = divmod(_AGAIN_NS, _SECOND_NS), divmod(after_ns, _SECOND_NS)
        _libc.timer_settime(timer, 0, (ctypes.c_long * 4)(*again, *first), None)
        yield
    finally:
        _libc.timer_delete(timer)
