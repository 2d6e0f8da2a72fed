"""What is looked at while a run goes on, and when: one frame, at each line and return."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Final

from relive_runtime.travel.trail import NOBODY, Trail

__all__ = ["Watching"]

LookAt = Callable[[FrameType, bool, int], None]
"""Gets the watched frame, whether the event is one of its own, and the step that has just run; -1: the frame
begins."""
_SUSPENDS: Final = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR


class Watching:
    """Calls `look` at each line and return while frame number `watched` lives, up to the step `until`, at
    which
    `over` is called. `trail`: of what ran before."""

    def __init__(
        self, watched: int, until: int, trail: Trail, look: LookAt, over: Callable[[], None]
    ) -> None:
        self._watched = watched
        self._until = until
        self._trail = trail
        self._look = look
        self._over = over
        self._ran: dict[int, int] = {}  # by frame, the step that it ran last
        self.step = len(trail) - 1
        self._held: FrameType | None = None

    def entered(self, number: int, frame: FrameType) -> None:
        """A frame begins."""
        if number == self._watched:
            self._held = frame

    def line(self, number: int) -> None:
        """A step of a frame is about to run."""
        self.step += 1
        if self._held is not None:
            own = number == self._watched
            before = NOBODY if own else self._last(self._trail.callers[number])
            self._look(self._held, own, self._last(number, before))
        if self.step >= self._until:
            self._over()
        self._ran[number] = self.step

    def left(self, number: int, code: CodeType) -> None:
        """A frame has returned, waits, or is ended by an exception."""
        if self._held is not None:
            self._look(self._held, number == self._watched, self._last(number))
        if number == self._watched and not code.co_flags & _SUSPENDS:
            self._held = None  # it is over

    def _last(self, number: int, otherwise: int = NOBODY) -> int:
        found = self._ran.get(number)
        if found is None and number != NOBODY and len(self._trail):
            found = self._ran[number] = self._trail.last_of(number, len(self._trail), NOBODY)
        return otherwise if found is None or found == NOBODY else found
