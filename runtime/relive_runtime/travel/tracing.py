"""The trace functions of a run: one makes its trail, one stops it at a step, one watches values.

They all number frames and steps in the same way. Each frame gets a function of its own: what it needs is in
its
cells, which is what a line costs least with.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from types import CodeType, FrameType
from typing import Any, Final

from relive_capture.record.playback.leaving import has_returned
from relive_runtime.travel.trail import LINE_BITS, NOBODY, Trail

__all__ = ["Watching", "frame_number", "returning", "stopping", "trailing"]

Trace = Callable[[FrameType, str, Any], Any]
Own = Callable[[str], bool]
"""Whether a file is of the application."""
Count = Callable[[], int]
"""How many steps there have been."""
Look = Callable[[FrameType, bool, int], None]
"""Gets the watched frame, whether the event is one of its own, and the step that has just run; -1: the frame
begins."""
_SUSPENDS: Final = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR
_GENERATES: Final = inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR
_TICK: Final = 1_023
_CELL: Final = "base"
"""Of a frame's function: it has its number."""


def trailing(trail: Trail, own: Own, limit: int, tick: Callable[[], None]) -> Trace:
    """Adds each step to `trail`, up to `limit`. `tick`: called after each 1,024th."""
    known: dict[CodeType, bool] = {}
    stack = [NOBODY]
    steps, append = trail.steps, trail.steps.append

    def call(frame: FrameType, event: str, argument: Any) -> Any:
        code = frame.f_code
        mine = known.get(code)
        if mine is None:
            mine = known[code] = own(code.co_filename)
        if not mine:
            return None
        entered = frame.f_trace
        if entered is not None:  # a generator or a coroutine goes on
            stack.append(frame_number(entered))
            return entered
        number = len(trail.codes)
        trail.codes.append(code)
        trail.callers.append(stack[-1])
        trail.first.append(len(steps))
        stack.append(number)
        base = number << LINE_BITS

        def local(frame: FrameType, event: str, argument: Any) -> Any:
            if event == "line":
                count = len(steps)
                if count < limit:
                    append(base | frame.f_lineno)
                else:
                    trail.cut = True
                if count & _TICK == _TICK:
                    tick()
            elif event == "return":
                stack.pop()
            return local

        return local

    return call


def frame_number(trace: Any) -> int:
    """Of a frame's trace function that `trailing` or `Watching` has made; -1 of any other."""
    code = getattr(trace, "__code__", None)
    if code is None or _CELL not in code.co_freevars:
        return NOBODY
    base: int = trace.__closure__[code.co_freevars.index(_CELL)].cell_contents
    return base >> LINE_BITS


def stopping(
    target: int, own: Own, tick: Callable[[], None], stop: Callable[[FrameType], None]
) -> tuple[Trace, Count]:
    """Calls `stop` at the step `target`, where the frame stands before its line runs."""
    known: dict[CodeType, bool] = {}
    step = -1

    def local(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal step
        if event == "line":
            step += 1
            if step == target:
                stop(frame)
            if step & _TICK == _TICK:
                tick()
        return local

    def call(frame: FrameType, event: str, argument: Any) -> Any:
        code = frame.f_code
        mine = known.get(code)
        if mine is None:
            mine = known[code] = own(code.co_filename)
        return local if mine else None

    return call, lambda: step + 1


def returning(
    frames: Sequence[int], own: Own, tick: Callable[[], None], returned: Callable[[int, object, int], None]
) -> tuple[Trace, Count]:
    """Tells `returned` what each of `frames` gives back: its index in `frames`, the value, the step that it
    ran last. Of generators, and of what ends with an exception, nothing."""
    wanted = {number: index for index, number in enumerate(frames)}
    known: dict[CodeType, bool] = {}
    count, step = 0, -1

    def call(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal count
        code = frame.f_code
        mine = known.get(code)
        if mine is None:
            mine = known[code] = own(code.co_filename)
        if not mine:
            return None
        if frame.f_trace is not None:  # a generator or a coroutine goes on
            return frame.f_trace
        index = -1 if code.co_flags & _GENERATES else wanted.get(count, -1)
        count += 1
        last = NOBODY

        def local(frame: FrameType, event: str, argument: Any) -> Any:
            nonlocal step, last
            if event == "line":
                last = step = step + 1
                if step & _TICK == _TICK:
                    tick()
            elif event == "return" and index >= 0 and has_returned(frame):
                returned(index, argument, last)
            return local

        return local

    return call, lambda: step + 1


class Watching:
    """Calls `look` at each line and return while frame number `watched` lives, up to the step `until`, at
    which
    `over` is called. `trace` is the trace function."""

    def __init__(
        self,
        watched: int,
        until: int,
        own: Own,
        tick: Callable[[], None],
        look: Look,
        over: Callable[[], None],
    ) -> None:
        self._watched = watched
        self._until = until
        self._own = own
        self._tick = tick
        self._look = look
        self._over = over
        self._known: dict[CodeType, bool] = {}
        self._stack = [NOBODY]
        self._callers: list[int] = []
        self._ran: dict[int, int] = {}  # by frame, the step that it ran last
        self._step = -1
        self._held: FrameType | None = None

    def count(self) -> int:
        """How many steps there have been."""
        return self._step + 1

    def trace(self, frame: FrameType, event: str, argument: Any) -> Any:
        """For sys.settrace."""
        code = frame.f_code
        mine = self._known.get(code)
        if mine is None:
            mine = self._known[code] = self._own(code.co_filename)
        if not mine:
            return None
        entered = frame.f_trace
        if entered is not None:
            self._stack.append(frame_number(entered))
            return entered
        number = len(self._callers)
        self._callers.append(self._stack[-1])
        self._stack.append(number)
        base = number << LINE_BITS
        if number == self._watched:
            self._held = frame

        def local(frame: FrameType, event: str, argument: Any) -> Any:
            if event == "line":
                self._line(base >> LINE_BITS)
            elif event == "return":
                self._returned(base >> LINE_BITS, frame)
            return local

        return local

    def _line(self, number: int) -> None:
        self._step += 1
        if self._held is not None:
            own = number == self._watched
            before = NOBODY if own else self._ran.get(self._callers[number], NOBODY)
            self._look(self._held, own, self._ran.get(number, before))
        if self._step >= self._until:
            self._over()
        self._ran[number] = self._step
        if self._step & _TICK == _TICK:
            self._tick()

    def _returned(self, number: int, frame: FrameType) -> None:
        self._stack.pop()
        if self._held is not None:
            self._look(self._held, number == self._watched, self._ran.get(number, NOBODY))
        if number == self._watched and not frame.f_code.co_flags & _SUSPENDS:
            self._held = None  # it is over
