"""Steps by sys.monitoring, of Python 3.12 and later.

Code of others is looked at once. Lines are told without their frame: whose they are is known from the events
of calls, which keep a stack of frames' numbers. What the code itself traces with goes on beside it.
"""

from __future__ import annotations

import inspect
import sys
import threading
from _thread import get_ident
from collections.abc import Callable, Sequence
from types import CodeType, FrameType
from typing import Any, Final

from relive_runtime.travel.causes.recorder import Recorder
from relive_runtime.travel.frames import ELSEWHERE, Frames, frame_of
from relive_runtime.travel.telling import Telling
from relive_runtime.travel.tracing import ROOM, TICK, Look, Own, Returned, Stop, Tick
from relive_runtime.travel.trail import LINE_BITS, NOBODY, Trail
from relive_runtime.travel.watching import Watching

__all__ = ["MonitoringTracer"]

_Callback = Callable[..., Any]
_GENERATES: Final = inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR
_NAME: Final = "relive travel"


class MonitoringTracer:
    """See `Tracer`."""

    headroom = 1

    def __init__(self, own: Own, trail: Trail, tool: int, mine: Callable[[], bool] | None) -> None:
        self._own = own
        self._trail = trail
        self._tool = tool
        self._mine = mine
        self._monitoring: Any = sys.monitoring  # type: ignore[attr-defined, unused-ignore]
        self._events = self._monitoring.events
        self._known: dict[str, bool] = {}
        self._kept: list[CodeType] = []  # what is told of; else another one could get such an id
        self._count: Callable[[], int] = trail.steps.__len__
        self._main = threading.main_thread().ident
        self._checked = threading.active_count() > 1
        self._frames = Frames(
            trail, self._known, self._is_ours, self._elsewhere, self._main, self._monitoring.DISABLE, mine
        )
        self._lines: dict[tuple[int, int], int] = {}  # of jumps, by code and offset; 0: they lead elsewhere
        self._callbacks: dict[int, _Callback | None] = {}
        self._on = False
        self.displaced = False  # nobody can

    def steps(self) -> int:
        """How many there have been."""
        return self._count()

    def number(self, frame: FrameType) -> int:
        """Of a frame that an exception has ended or passed; NOBODY: it has none."""
        return self._frames.ended.get(id(frame), NOBODY)

    def off(self) -> None:
        """It is over."""
        if not self._on:
            return
        self._on = False
        monitoring, tool = self._monitoring, self._tool
        monitoring.set_events(tool, 0)
        for event in self._callbacks:
            monitoring.register_callback(tool, event, None)
        for code in self._kept:  # freeing the tool leaves them as they are
            monitoring.set_local_events(tool, code, 0)
        monitoring.free_tool_id(tool)

    # ------------------------------------------------------------ its ways

    def trailing(self, look: Look) -> None:
        """Add each step to the trail."""
        steps, append = self._trail.steps, self._trail.steps.append
        stack, due = self._frames.stack, 0

        def line(code: CodeType, number: int) -> None:
            nonlocal due
            append(stack[-1] << LINE_BITS | number)
            if len(steps) >= due:
                try:
                    due = look(frame_of(code))
                except RecursionError:  # the code is as deep as it may go
                    due = len(steps) + 1

        self._begin(line)

    def stopping(self, target: int, tick: Tick, stop: Stop) -> None:
        """Call `stop` at the step `target`."""
        step, due = len(self._trail) - 1, 0
        get_limit, set_limit = sys.getrecursionlimit, sys.setrecursionlimit

        def line(code: CodeType, number: int) -> None:
            nonlocal step, due
            step += 1
            if step >= due:
                try:
                    if step == target:
                        stop(frame_of(code))
                    if step % TICK == TICK - 1:
                        tick()
                    due = (step + 1) // TICK * TICK + TICK - 1
                    due = target if step < target < due else due
                except RecursionError:  # the code is as deep as it may go
                    due = step + 1
                    if step == target:
                        set_limit(get_limit() + ROOM)
                        stop(frame_of(code))

        self._count = lambda: step + 1
        self._begin(line, numbered=False)

    def watching(self, watching: Watching, tick: Tick) -> None:
        """Tell `watching` of each frame and step."""
        stack = self._frames.stack

        def line(code: CodeType, number: int) -> None:
            watching.line(stack[-1])
            if watching.step % TICK == TICK - 1:
                tick()

        self._count = lambda: watching.step + 1
        self._begin(line, watching.entered, lambda number, code, value: watching.left(number, code))

    def returning(self, frames: Sequence[int], tick: Tick, returned: Returned) -> None:
        """Tell `returned` what each of `frames` gives back."""
        wanted = {number: index for index, number in enumerate(frames)}
        last = dict.fromkeys(wanted, NOBODY)
        stack, step = self._frames.stack, len(self._trail) - 1

        def line(code: CodeType, number: int) -> None:
            nonlocal step
            step += 1
            if stack[-1] in last:
                last[stack[-1]] = step
            if step % TICK == TICK - 1:
                tick()

        def left(number: int, code: CodeType, value: tuple[object, ...]) -> None:
            if value and number in wanted and not code.co_flags & _GENERATES:
                returned(wanted[number], value[0], last[number])

        self._count = lambda: step + 1
        self._begin(line, None, left)

    def recording(self, recorder: Recorder) -> None:
        """Tell a journal's `recorder` of everything."""
        events, telling = self._events, Telling(recorder, self._known, self._begins)
        self._count = recorder.count
        self._turn_on(
            {
                events.LINE: telling.line,
                events.PY_START: telling.start,
                events.PY_RESUME: telling.resume,
                events.PY_THROW: telling.throw,
                events.PY_RETURN: telling.left,
                events.PY_YIELD: telling.left,
                events.PY_UNWIND: telling.unwind,
                events.RAISE: telling.raised,
            }
        )

    def _begins(self, code: CodeType) -> tuple[bool, Any]:
        if get_ident() != self._main:
            return False, self._elsewhere(code)
        ours = self._is_ours(code)
        return ours, None if ours else self._monitoring.DISABLE

    # ------------------------------------------------------------ calls

    def _begin(
        self,
        line: _Callback,
        entered: Callable[[int, FrameType], None] | None = None,
        left: Callable[[int, CodeType, tuple[object, ...]], None] | None = None,
        *,
        numbered: bool = True,
    ) -> None:
        """Also in the middle. `left` gets what a frame has returned, in a tuple that is else empty."""
        events, frames = self._events, self._frames
        frames.count, frames.entered, frames.left = self._count, entered, left
        found: dict[int, _Callback | None] = {
            events.LINE: line if self._mine is None else self._only_mine(line),
            events.PY_START: frames.start,
            events.PY_RESUME: frames.resume,
            events.PY_THROW: frames.throw,
            events.PY_RETURN: frames.returned,
            events.PY_YIELD: frames.yields,
            events.PY_UNWIND: frames.unwind,
            events.EXCEPTION_HANDLED: frames.handled,
        }
        if not numbered and self._mine is None:
            # None is called, and all stay on: which lines are told depends on what else is.
            found = dict.fromkeys(found) | {events.LINE: line, events.PY_START: self._first}
        self._turn_on(found)

    def _turn_on(self, callbacks: dict[int, _Callback | None]) -> None:
        events = self._events
        if not self._on:
            self._monitoring.use_tool_id(self._tool, _NAME)
            self._on = True
        line = callbacks[events.LINE]
        assert line is not None
        self._callbacks = {**callbacks, events.JUMP: self._rounds(line)}
        self._register()
        wanted = events.PY_START | events.PY_UNWIND | events.PY_THROW | events.EXCEPTION_HANDLED
        self._monitoring.set_events(self._tool, wanted | (events.RAISE if events.RAISE in callbacks else 0))

    def _rounds(self, line: _Callback) -> _Callback:
        """A round of a loop that stands in one line is a step, too; LINE is told of the first one alone."""
        disable, lines = self._monitoring.DISABLE, self._lines

        def jump(code: CodeType, offset: int, to: int) -> Any:
            at = id(code), offset
            number = lines.get(at)
            if number is None:
                number = lines[at] = _line_of_round(code, offset, to)
            if not number:
                return disable
            line(code, number)
            return None

        return jump

    def _register(self) -> None:
        for event, callback in self._callbacks.items():
            if self._checked and callback is not None and event != self._events.PY_START:
                callback = self._of_main(callback)
            self._monitoring.register_callback(self._tool, event, callback)

    def _of_main(self, callback: _Callback) -> _Callback:
        main = self._main

        def checked(*told: Any) -> Any:
            return callback(*told) if get_ident() == main else None

        return checked

    def _only_mine(self, line: _Callback) -> _Callback:
        stack = self._frames.stack

        def mine(code: CodeType, number: int) -> None:
            if stack[-1] != ELSEWHERE:
                line(code, number)

        return mine

    def _is_ours(self, code: CodeType) -> bool:
        """Look at code for the first time in this process, or in this thread."""
        file = code.co_filename
        ours = self._known.get(file)
        if ours is None:
            ours = self._known[file] = self._own(file)
        if ours:
            events = self._events
            wanted = events.LINE | events.JUMP | events.PY_RETURN | events.PY_YIELD | events.PY_RESUME
            if self._monitoring.get_local_events(self._tool, code) != wanted:
                self._monitoring.set_local_events(self._tool, code, wanted)
                self._kept.append(code)
        return ours

    def _first(self, code: CodeType, offset: int) -> Any:
        if get_ident() != self._main:
            return self._elsewhere(code)
        if id(code) in self._frames.seen:
            return None
        if not self._is_ours(code):
            return self._monitoring.DISABLE
        self._frames.seen.add(id(code))
        return None

    def _elsewhere(self, code: CodeType) -> Any:
        """Another thread begins a frame: from now on each event is looked at for whose it is."""
        if not self._checked:
            self._checked = True
            self._register()
        return None if self._is_ours(code) else self._monitoring.DISABLE


def _line_of_round(code: CodeType, offset: int, to: int) -> int:
    """The line of a jump that leads back in it; 0 of any other."""
    lines = {0: 0} | {start: number or 0 for start, _, number in code.co_lines()}
    first, last = (lines[max(start for start in lines if start <= place)] for place in (to, offset))
    return last if to < offset and first == last else 0
