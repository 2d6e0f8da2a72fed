"""Which frame runs, by the events of sys.monitoring.

What a callback does before the stack has grown or shrunk calls nothing in Python: where the code is as deep
as it may go, all of these callbacks work, or none of them does.
"""

from __future__ import annotations

import inspect
import sys
from _thread import get_ident
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any, Final

from relive_runtime.travel.trail import NOBODY, Trail

__all__ = ["ELSEWHERE", "Frames", "frame_of"]

_SUSPENDS: Final = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR
ELSEWHERE: Final = -2
"""In place of a number: a frame that does not belong to the invocation."""


class Frames:
    """`stack`: the numbers of those that run; `ended`: of those that an exception has left or met, by their
    ids. What waits is known by its frame, which stays the same.

    `first_seen`: whether code is of the application; `elsewhere`: what to answer to a start in another
    thread.
    """

    def __init__(
        self,
        trail: Trail,
        known: dict[str, bool],
        first_seen: Callable[[CodeType], bool],
        elsewhere: Callable[[CodeType], Any],
        main: int | None,
        disable: object,
        mine: Callable[[], bool] | None,
    ) -> None:
        self.stack = [NOBODY]
        self.ended: dict[int, int] = {}
        self.seen: set[int] = set()
        """Ids of code that is told of."""
        self.count: Callable[[], int] = trail.steps.__len__
        self.entered: Callable[[int, FrameType], None] | None = None
        self.left: Callable[[int, CodeType, tuple[object, ...]], None] | None = None
        """Gets what a frame has returned, in a tuple that is else empty."""
        self._waiting: dict[int, int] = {}
        self._trail = trail
        self._known = known
        self._first_seen = first_seen
        self._elsewhere = elsewhere
        self._main = main
        self._disable = disable
        self._mine = mine

    def start(self, code: CodeType, offset: int) -> Any:
        """PY_START."""
        if get_ident() != self._main:
            return self._elsewhere(code)
        if id(code) not in self.seen:
            if not self._first_seen(code):
                return self._disable
            self.seen.add(id(code))
        if self._mine is not None and not self._mine():
            number = ELSEWHERE
        else:
            trail, caller = self._trail, self.stack[-1]
            number = len(trail.codes)
            trail.first.append(self.count())
            trail.callers.append(caller if caller != ELSEWHERE else NOBODY)
            trail.codes.append(code)
        self.stack.append(number)
        if code.co_flags & _SUSPENDS:
            self._waiting[id(frame_of(code))] = number
        if self.entered is not None and number != ELSEWHERE:
            self.entered(number, frame_of(code))
        return None

    def resume(self, code: CodeType, offset: int) -> None:
        """PY_RESUME."""
        number = self._waiting.get(id(frame_of(code)))
        if number is None:  # it began before all this
            self.start(code, 0)
        else:
            self.stack.append(number)

    def throw(self, code: CodeType, offset: int, error: BaseException) -> None:
        """PY_THROW."""
        if self._known.get(code.co_filename):
            self.resume(code, 0)

    def returned(self, code: CodeType, offset: int, value: object) -> None:
        """PY_RETURN."""
        number = self.stack.pop()
        if code.co_flags & _SUSPENDS:
            self._waiting.pop(id(frame_of(code)), None)
        if self.left is not None and number != ELSEWHERE:
            self.left(number, code, (value,))

    def yields(self, code: CodeType, offset: int, value: object) -> None:
        """PY_YIELD."""
        number = self.stack.pop()
        if self.left is not None and number != ELSEWHERE:
            self.left(number, code, ())

    def unwind(self, code: CodeType, offset: int, error: BaseException) -> None:
        """PY_UNWIND."""
        if not self._known.get(code.co_filename):
            return
        number = self.stack.pop()
        frame = id(frame_of(code))
        self.ended[frame] = number
        if code.co_flags & _SUSPENDS:
            self._waiting.pop(frame, None)
        if self.left is not None and number != ELSEWHERE:
            self.left(number, code, ())

    def handled(self, code: CodeType, offset: int, error: BaseException) -> None:
        """EXCEPTION_HANDLED."""
        if self._known.get(code.co_filename):
            self.ended[id(frame_of(code))] = self.stack[-1]


def frame_of(code: CodeType) -> FrameType:
    """Where a callback was called from."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and frame.f_code is not code:
        frame = frame.f_back
    assert frame is not None
    return frame
