"""The time limits of attempts that run beside each other: one timer for all of them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from types import FrameType
from typing import Final

from relive_base.kept_builtins import KEPT

from relive_runtime.worker.beside.attempt import BesideAttempt
from relive_runtime.worker.limits.deadline import REPEAT_NS, DeadlineTimer, HandlerTimeout

__builtins__ = KEPT

__all__ = ["BesideDeadlines"]

_RETRY_NS: Final = 1_000_000
_OWN: Final = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))) + os.sep
_LIBRARY: Final = os.path.dirname(os.path.abspath(os.__file__)) + os.sep
_SITE: Final = f"{_LIBRARY}site-packages{os.sep}"
_LOOK_FRAMES: Final = 12


class BesideDeadlines:
    """Used by the main thread. The shot is lazy: it comes for the first one that began, and goes on to the
    next that is due."""

    def __init__(
        self,
        timer: DeadlineTimer,
        must_wait: Callable[[], bool],
        running: Callable[[], Iterable[BesideAttempt]],
        current: Callable[[], BesideAttempt | None],
        expired: Callable[[BesideAttempt], None],
        message: Callable[[BesideAttempt], str],
    ) -> None:
        """`running`: all that may be due; `current`: whose code the main thread runs; `expired` is told of
        one that waits or has a thread of its own, maybe inside the timer's signal, in the middle of
        somebody else's code. `message`: of its timeout."""
        self._timer = timer
        self._must_wait = must_wait
        self._running = running
        self._current = current
        self._expired = expired
        self._message = message
        self._due_ns = 0
        self.soon: Callable[[Callable[[], None]], object] | None = None
        """Has the event loop call something in its next turn, from a signal's handler; None: there is
        none, and the handler does it itself."""
        self._told = False
        self._drops = False  # the loop was asked to
        self.drop: Callable[[int], int] | None = None
        """Told the time at each shot; gives when it wants another one, 0: not at all."""
        timer.beside = self._fire

    def watch(self, deadline_ns: int) -> None:
        """Something is due at that time."""
        if not self._due_ns or deadline_ns < self._due_ns:
            self._shoot(deadline_ns)

    def _shoot(self, monotonic_ns: int) -> None:
        self._due_ns = monotonic_ns
        self._timer.shoot(monotonic_ns)

    def _fire(self, frame: FrameType | None) -> None:
        self._due_ns = 0
        now = time.monotonic_ns()
        due, following = self._look(now)
        if self.drop is not None:
            wanted = now + _RETRY_NS if self._must_wait() else self._drop(now)
            following = min(following or wanted, wanted or following)
        if not due:
            if following:
                self._shoot(following)
            return
        if self._must_wait():
            self._shoot(now + _RETRY_NS)
            return
        current = self._current()
        own = current is not None and any(one is current for one in due)
        if own and _in_ours(frame):
            self._shoot(now + _RETRY_NS)
            return
        others = [one for one in due if one is not current and one.raised is None]
        if self.soon is not None and others and not self._told:
            # The loop does it, if it turns within a moment; else somebody blocks it, and it is done here.
            self._told = True
            self.soon(self.expire)
        elif others:
            for one in others:
                self._expired(one)
        if own and current is not None:
            self._shoot(time.monotonic_ns() + REPEAT_NS)
            self._raise(current)
        self._shoot(now + REPEAT_NS)

    def _drop(self, now: int) -> int:
        """What goes may have code of its own (`__del__`), which must not run in the middle of other code."""
        if self.drop is None:
            return 0
        if self.soon is None:
            return self.drop(now)
        if not self._drops:
            self._drops = True
            self.soon(self._drop_in_loop)
        return 0

    def _drop_in_loop(self) -> None:
        self._drops = False
        wanted = self.drop(time.monotonic_ns()) if self.drop is not None else 0
        if wanted:
            self.watch(wanted)

    def expire(self) -> None:
        """In the event loop: end those that are due."""
        self._told = False
        now = time.monotonic_ns()
        due, following = self._look(now)
        for one in due:
            if one.raised is None:
                self._expired(one)
        if following:
            self.watch(following)

    def _raise(self, attempt: BesideAttempt) -> None:
        error = attempt.raised
        if error is None:
            error = attempt.raised = HandlerTimeout(self._message(attempt))
        raise HandlerTimeout(*error.args)

    def _look(self, now: int) -> tuple[list[BesideAttempt], int]:
        """Those that are due, and when the next of the others is; 0: there is none."""
        due: list[BesideAttempt] = []
        following = 0
        for one in list(self._running()):
            deadline_ns = one.deadline_ns
            if not deadline_ns:
                continue
            if deadline_ns <= now:
                due.append(one)
            elif not following or deadline_ns < following:
                following = deadline_ns
        return due, following


def _in_ours(frame: FrameType | None) -> bool:
    """Whether the interrupted code is ours, or the standard library's that we have called."""
    for _ in range(_LOOK_FRAMES):
        if frame is None:
            return False
        file = frame.f_code.co_filename
        if file.startswith(_OWN):
            return True
        if not file.startswith(_LIBRARY) or file.startswith(_SITE):
            return False
        frame = frame.f_back
    return False
