"""Steps by sys.settrace: of Python 3.11, and where others have all tools of sys.monitoring.

Each frame gets a function of its own: what it needs is in its cells, which is what a line costs least with.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Sequence
from types import CodeType, FrameType
from typing import Any, Final

from relive_capture.record.playback.leaving import has_returned
from relive_runtime.travel.causes.recorder import Recorder
from relive_runtime.travel.tracing import ROOM, TICK, Look, Own, Returned, Stop, Tick
from relive_runtime.travel.trail import LINE_BITS, NOBODY, Trail
from relive_runtime.travel.watching import Watching

__all__ = ["SettraceTracer"]

_Trace = Callable[[FrameType, str, Any], Any]
_Make = Callable[[int, CodeType], _Trace]
"""The function of a frame, by its number."""
_GENERATES: Final = inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR
_CELL: Final = "base"
"""Of a frame's function: it has its number."""


class SettraceTracer:
    """See `Tracer`."""

    headroom = 2

    def __init__(self, own: Own, trail: Trail, mine: Callable[[], bool] | None) -> None:
        self._own = own
        self._trail = trail
        self._mine = mine
        self._known: dict[str, bool] = {}
        self._stack = [NOBODY]
        self._count: Callable[[], int] = trail.__len__
        self._on = False
        self._call: _Trace | None = None

    def steps(self) -> int:
        """How many there have been."""
        return self._count()

    def number(self, frame: FrameType) -> int:
        """Of a frame, also of one that has ended; NOBODY: it has none."""
        return _number(frame.f_trace)

    def off(self) -> None:
        """It is over."""
        self._on = False
        sys.settrace(None)

    @property
    def displaced(self) -> bool:
        """Somebody else has set a trace function: what ran since has no steps."""
        return self._on and sys.gettrace() is not self._call

    # ------------------------------------------------------------ its ways

    def trailing(self, look: Look) -> None:
        """Add each step to the trail."""
        steps, append, pop = self._trail.steps, self._trail.steps.append, self._stack.pop
        due = 0

        def make(number: int, code: CodeType) -> _Trace:
            base = number << LINE_BITS

            def local(frame: FrameType, event: str, argument: Any) -> Any:
                nonlocal due
                if event == "line":
                    append(base | frame.f_lineno)
                    if len(steps) >= due:
                        try:
                            due = look(frame)
                        except RecursionError:  # the code is as deep as it may go
                            due = len(steps) + 1
                        return frame.f_trace
                elif event == "return":
                    pop()
                return local

            return local

        self._begin(make)

    def stopping(self, target: int, tick: Tick, stop: Stop) -> None:
        """Call `stop` at the step `target`."""
        step, due = len(self._trail) - 1, 0
        get_limit, set_limit = sys.getrecursionlimit, sys.setrecursionlimit

        def local(frame: FrameType, event: str, argument: Any) -> Any:
            nonlocal step, due
            if event == "line":
                step += 1
                if step >= due:
                    try:
                        if step == target:
                            stop(frame)
                        if step % TICK == TICK - 1:
                            tick()
                        due = (step + 1) // TICK * TICK + TICK - 1
                        due = target if step < target < due else due
                    except RecursionError:  # the code is as deep as it may go
                        due = step + 1
                        if step == target:
                            set_limit(get_limit() + ROOM)
                            stop(frame)
            return local

        self._count = lambda: step + 1
        self._begin(lambda number, code: local, numbered=False)

    def watching(self, watching: Watching, tick: Tick) -> None:
        """Tell `watching` of each frame and step."""
        pop = self._stack.pop

        def make(number: int, code: CodeType) -> _Trace:
            base = number << LINE_BITS

            def local(frame: FrameType, event: str, argument: Any) -> Any:
                if event == "line":
                    watching.line(base >> LINE_BITS)
                    if watching.step % TICK == TICK - 1:
                        tick()
                elif event == "return":
                    pop()
                    watching.left(base >> LINE_BITS, frame.f_code)
                return local

            return local

        self._count = lambda: watching.step + 1
        self._begin(make, watching.entered)

    def returning(self, frames: Sequence[int], tick: Tick, returned: Returned) -> None:
        """Tell `returned` what each of `frames` gives back."""
        wanted = {number: index for index, number in enumerate(frames)}
        pop = self._stack.pop
        step = len(self._trail) - 1

        def make(number: int, code: CodeType) -> _Trace:
            base = number << LINE_BITS
            index = NOBODY if code.co_flags & _GENERATES else wanted.get(number, NOBODY)
            last = NOBODY

            def local(frame: FrameType, event: str, argument: Any) -> Any:
                nonlocal step, last
                if event == "line":
                    last = step = step + 1
                    if step % TICK == TICK - 1:
                        tick()
                elif event == "return":
                    pop()
                    if index != NOBODY and has_returned(frame):
                        returned(index, argument, last)
                return local if base is not None else None  # a cell for `_number`

            return local

        self._count = lambda: step + 1
        self._begin(make)

    def recording(self, recorder: Recorder) -> None:
        """Tell a journal's `recorder` of everything."""
        self._count = recorder.count
        self._call, self._on = recorder.trace, True
        sys.settrace(recorder.trace)

    # ------------------------------------------------------------ calls

    def _begin(
        self, make: _Make, entered: Callable[[int, FrameType], None] | None = None, *, numbered: bool = True
    ) -> None:
        """Also in the middle: the frames that live get new functions, those that wait when they go on."""
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            number = _number(frame.f_trace)
            if number != NOBODY:
                frame.f_trace = make(number, frame.f_code)
            frame = frame.f_back
        self._call = self._calls(make, entered) if numbered else self._plain(make(NOBODY, _NO_CODE))
        self._on = True
        sys.settrace(self._call)

    def _plain(self, local: _Trace) -> _Trace:
        """All frames have the same function."""
        known, own, mine = self._known, self._own, self._mine

        def call(frame: FrameType, event: str, argument: Any) -> Any:
            file = frame.f_code.co_filename
            ours = known.get(file)
            if ours is None:
                ours = known[file] = own(file)
            if not ours or (mine is not None and not mine()):
                return None
            return local

        return call

    def _calls(self, make: _Make, entered: Callable[[int, FrameType], None] | None) -> _Trace:
        known, own, mine = self._known, self._own, self._mine
        trail, stack = self._trail, self._stack
        like = make(NOBODY, _NO_CODE)
        current, cell = like.__qualname__, like.__code__.co_freevars.index(_CELL)

        def call(frame: FrameType, event: str, argument: Any) -> Any:
            code = frame.f_code
            file = code.co_filename
            ours = known.get(file)
            if ours is None:
                ours = known[file] = own(file)
            if not ours or (mine is not None and not mine()):
                return None
            before: Any = frame.f_trace
            if before is None:
                number = trail.enter(code, stack[-1], self._count())
                stack.append(number)
                if entered is not None:
                    entered(number, frame)
                return make(number, code)
            if before.__qualname__ == current:  # a generator or a coroutine goes on
                stack.append(before.__closure__[cell].cell_contents >> LINE_BITS)
                return before
            number = _number(before)
            stack.append(number)
            return make(number, code)

        return call


def _number(trace: Any) -> int:
    """Of a frame's function that has one; NOBODY of any other."""
    code = getattr(trace, "__code__", None)
    if code is None or _CELL not in code.co_freevars:
        return NOBODY
    base: int = trace.__closure__[code.co_freevars.index(_CELL)].cell_contents
    return base >> LINE_BITS


_NO_CODE: Final = (lambda: None).__code__
