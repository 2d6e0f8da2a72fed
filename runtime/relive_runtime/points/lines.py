"""Being told when certain statements are about to run.

From Python 3.12 on by `sys.monitoring`: each other line of the functions that have one is seen once and then
never again, so that it costs nothing. On 3.11 by a trace function, which every call of any function costs,
and every line of those that have a point.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from types import CodeType, FrameType, MethodType
from typing import Any, Final, Protocol

from relive_base.wire.messages import Statement

from relive_runtime.points.starts import is_code_of, starts

__all__ = ["CannotWatch", "Lines", "watched_lines"]

_NAME: Final = "relive points"
_TOOLS: Final = (4, 3)  # others have their own: 0 debuggers, 1 coverage, 2 profilers, 5 optimizers
Hit = Callable[[FrameType, str, Statement], None]
"""The frame, its file and what begins there."""
Places = Mapping[str, frozenset[Statement]]
"""By file."""
Starts = dict[int, tuple[Statement, ...]]
"""Of one code object, by the offsets of instructions."""
_NONE: Final[Starts] = {}


class CannotWatch(Exception):
    """Somebody else has what this needs; the message says who."""


class Lines(Protocol):
    """What tells."""

    def stop(self) -> None:
        """Tell nothing any more."""
        ...


def watched_lines(places: Places, hit: Hit) -> Lines:
    """Have `hit` called from now on. Raises CannotWatch."""
    return _Monitored(places, hit) if sys.version_info >= (3, 12) else _Traced(places, hit)


def _starts(code: CodeType, statements: Iterable[Statement]) -> Starts:
    found: Starts = {}
    for statement in statements:
        if is_code_of(code, statement):
            for offset in starts(code, statement):
                found[offset] = (*found.get(offset, ()), statement)
    return found


def _by_instruction(statement: Statement) -> bool:
    """Whether its lines do not say when it begins: Python 3.13 does not tell of those with the line of their
    `def` but the first time, and takes jumps for the beginning of an element."""
    return statement.part or statement.region[0] == statement.first_line


class _Monitored:
    def __init__(self, places: Places, hit: Hit) -> None:
        self._places = places
        self._hit = hit
        self._codes: list[CodeType] = []
        self._lines: dict[int, Starts] = {}  # by the id of the code: to hash it takes long
        self._instructions: dict[int, Starts] = {}
        monitoring: Any = sys.monitoring  # type: ignore[attr-defined,unused-ignore]
        self._monitoring = monitoring
        self._disable = monitoring.DISABLE
        self._tool = next((tool for tool in _TOOLS if monitoring.get_tool(tool) is None), -1)
        if self._tool < 0:
            raise CannotWatch("all tools of sys.monitoring are in use in this process")
        monitoring.use_tool_id(self._tool, _NAME)
        events = monitoring.events
        for event in (events.PY_START, events.PY_RESUME):
            monitoring.register_callback(self._tool, event, self._entered)
        monitoring.register_callback(self._tool, events.LINE, self._line)
        monitoring.register_callback(self._tool, events.INSTRUCTION, self._instruction)
        monitoring.set_events(self._tool, events.PY_START | events.PY_RESUME)
        monitoring.restart_events()  # functions that have run before are seen again

    def _entered(self, code: CodeType, _offset: int) -> Any:
        statements = self._places.get(code.co_filename)
        if statements is not None and any(is_code_of(code, statement) for statement in statements):
            events, wanted = self._monitoring.events, 0
            self._codes.append(code)
            if found := _starts(code, [one for one in statements if not _by_instruction(one)]):
                self._lines[id(code)] = found
                wanted |= events.LINE
            if found := _starts(code, [one for one in statements if _by_instruction(one)]):
                self._instructions[id(code)] = found
                wanted |= events.INSTRUCTION
            self._monitoring.set_local_events(self._tool, code, wanted)
        return self._disable

    def _line(self, code: CodeType, _line: int) -> Any:
        frame = sys._getframe(1)
        begins = self._lines.get(id(code), _NONE).get(frame.f_lasti)
        if begins is None:
            return self._disable
        for statement in begins:
            self._hit(frame, code.co_filename, statement)
        return None

    def _instruction(self, code: CodeType, offset: int) -> Any:
        begins = self._instructions.get(id(code), _NONE).get(offset)
        if begins is None:
            return self._disable
        for statement in begins:
            self._hit(sys._getframe(1), code.co_filename, statement)
        return None

    def stop(self) -> None:
        monitoring, tool = self._monitoring, self._tool
        if monitoring.get_tool(tool) != _NAME:
            return
        monitoring.set_events(tool, 0)
        for code in self._codes:
            monitoring.set_local_events(tool, code, 0)
        events = monitoring.events
        for event in (events.PY_START, events.PY_RESUME, events.LINE, events.INSTRUCTION):
            monitoring.register_callback(tool, event, None)
        monitoring.free_tool_id(tool)


class _Traced:
    def __init__(self, places: Places, hit: Hit) -> None:
        if not _is_free(sys.gettrace()):
            raise CannotWatch(
                "something else traces this process (sys.settrace), as coverage and debuggers do"
            )
        self._places = places
        self._hit = hit
        self._starts: dict[int, tuple[CodeType, Starts]] = {}  # by id: to hash code takes long
        self.on = True
        before = getattr(threading, "_trace_hook", None)
        self._threads = None if _is_free(before) else before
        sys.settrace(self._call)
        threading.settrace(self._call)

    def _call(self, frame: FrameType, event: str, _argument: Any) -> Any:
        if not self.on:  # it was stopped in another thread, which cannot take it away from this one
            if sys.gettrace() == self._call:
                sys.settrace(None)
            return None
        code = frame.f_code
        statements = self._places.get(code.co_filename)
        if statements is None:
            return None
        starts = self._starts.get(id(code))
        if starts is None:
            starts = self._starts[id(code)] = (code, _starts(code, statements))
        return self._line if starts[1] else None

    def _line(self, frame: FrameType, event: str, _argument: Any) -> Any:
        if not self.on:
            return None
        if event == "line":
            code = frame.f_code
            begins = self._starts[id(code)][1].get(frame.f_lasti)
            if begins is not None:
                again = self._line
                try:
                    for statement in begins:
                        self._hit(frame, code.co_filename, statement)
                finally:
                    # Who has read `f_locals` has them written back when this returns, and what other threads
                    # have done to shared variables since then with them: they are read again, the last thing.
                    frame.f_locals  # noqa: B018
                return again
        return self._line

    def stop(self) -> None:
        self.on = False
        if sys.gettrace() == self._call:
            sys.settrace(None)
        if getattr(threading, "_trace_hook", None) == self._call:
            threading.settrace(self._threads)


def _is_free(hook: Any) -> bool:
    """Whether nobody traces by this: it is none, or one of ours that was stopped in another thread."""
    return hook is None or (
        type(hook) is MethodType and type(hook.__self__) is _Traced and not hook.__self__.on
    )
