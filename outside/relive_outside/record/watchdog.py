"""Scenes of what still runs: a thread that sleeps until the first deadline, and that `threading` does not
know.

It is started when something has a deadline first. Nothing is interrupted, and no signal is used: those are
the application's.
"""

from __future__ import annotations

import _thread
import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from relive_outside.record.attempts import Attempt

__all__ = ["Watchdog"]

_NS: Final = 1_000_000_000
_REST_S: Final = 3_600.0


class Watchdog:
    """`late` is called with what has run too long and with its limit, once for each."""

    def __init__(self, late: Callable[[Attempt, float], object]) -> None:
        self._late = late
        self._watched: dict[Attempt, float] = {}
        self._bell = _thread.allocate_lock()
        self._bell.acquire()
        self._runs_in = 0  # process
        self._due_ns = 0  # when the thread looks next; 0: it rests

    def watch(self, attempt: Attempt, limit_s: float) -> None:
        """Have `late` called in `limit_s`, if it still runs."""
        attempt.deadline_ns = time.monotonic_ns() + int(limit_s * _NS)
        self._watched[attempt] = limit_s
        if self._runs_in != os.getpid():
            self._runs_in = os.getpid()
            self._watched = {attempt: limit_s}
            self._bell = _thread.allocate_lock()
            self._bell.acquire()
            _thread.start_new_thread(self._run, (self._bell,))
        elif not self._due_ns or attempt.deadline_ns < self._due_ns:
            self._ring()

    def forget(self, attempt: Attempt) -> None:
        """It has ended."""
        self._watched.pop(attempt, None)

    def _ring(self) -> None:
        try:
            self._bell.release()
        except RuntimeError:
            return  # it rings already

    def _run(self, bell: _thread.LockType) -> None:
        while self._bell is bell:
            now = time.monotonic_ns()
            late = [one for one in list(self._watched) if one.deadline_ns <= now]
            for attempt in late:
                limit_s = self._watched.pop(attempt, None)
                if limit_s is not None:
                    self._tell(attempt, limit_s)
            first = min((one.deadline_ns for one in list(self._watched)), default=0)
            self._due_ns = first
            rest_s = max((first - time.monotonic_ns()) / _NS, 0.0) if first else _REST_S
            bell.acquire(timeout=rest_s)

    def _tell(self, attempt: Attempt, limit_s: float) -> None:
        try:
            self._late(attempt, limit_s)
        except Exception:
            return  # the application goes on, and so does this thread
