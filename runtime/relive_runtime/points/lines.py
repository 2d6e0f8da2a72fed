"""Being told when certain lines are about to run.

From Python 3.12 on by `sys.monitoring`: each other line of the functions that have one is seen once and then
never again, so that it costs nothing. On 3.11 by a trace function, which every call of any function costs,
and every line of those that have a point.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Mapping
from types import CodeType, FrameType, MethodType
from typing import Any, Final, Protocol

__all__ = ["CannotWatch", "Lines", "watched_lines"]

_NAME: Final = "relive points"
_TOOLS: Final = (4, 3)  # others have their own: 0 debuggers, 1 coverage, 2 profilers, 5 optimizers
Hit = Callable[[FrameType, str, int], None]
"""The frame, its file and the line."""
Places = Mapping[str, frozenset[int]]


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


def _has_line(code: CodeType, lines: frozenset[int]) -> bool:
    return any(line in lines for _, _, line in code.co_lines())


class _Monitored:
    def __init__(self, places: Places, hit: Hit) -> None:
        self._places = places
        self._hit = hit
        self._codes: list[CodeType] = []
        monitoring: Any = sys.monitoring  # type: ignore[attr-defined,unused-ignore]
        self._monitoring = monitoring
        self._tool = next((tool for tool in _TOOLS if monitoring.get_tool(tool) is None), -1)
        if self._tool < 0:
            raise CannotWatch("all tools of sys.monitoring are in use in this process")
        monitoring.use_tool_id(self._tool, _NAME)
        events = monitoring.events
        for event in (events.PY_START, events.PY_RESUME):
            monitoring.register_callback(self._tool, event, self._entered)
        monitoring.register_callback(self._tool, events.LINE, self._line)
        monitoring.set_events(self._tool, events.PY_START | events.PY_RESUME)
        monitoring.restart_events()  # functions that have run before are seen again

    def _entered(self, code: CodeType, _offset: int) -> Any:
        lines = self._places.get(code.co_filename)
        if lines is not None and _has_line(code, lines):
            self._codes.append(code)
            self._monitoring.set_local_events(self._tool, code, self._monitoring.events.LINE)
        return self._monitoring.DISABLE

    def _line(self, code: CodeType, line: int) -> Any:
        lines = self._places.get(code.co_filename)
        if lines is None or line not in lines:
            return self._monitoring.DISABLE
        self._hit(sys._getframe(1), code.co_filename, line)
        return None

    def stop(self) -> None:
        monitoring, tool = self._monitoring, self._tool
        if monitoring.get_tool(tool) != _NAME:
            return
        monitoring.set_events(tool, 0)
        for code in self._codes:
            monitoring.set_local_events(tool, code, 0)
        events = monitoring.events
        for event in (events.PY_START, events.PY_RESUME, events.LINE):
            monitoring.register_callback(tool, event, None)
        monitoring.free_tool_id(tool)
        self._codes.clear()


class _Traced:
    def __init__(self, places: Places, hit: Hit) -> None:
        if not _is_free(sys.gettrace()):
            raise CannotWatch(
                "something else traces this process (sys.settrace), as coverage and debuggers do"
            )
        self._places = places
        self._hit = hit
        self._known: dict[CodeType, bool] = {}
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
        lines = self._places.get(code.co_filename)
        if lines is None:
            return None
        has = self._known.get(code)
        if has is None:
            has = self._known[code] = _has_line(code, lines)
        return self._line if has else None

    def _line(self, frame: FrameType, event: str, _argument: Any) -> Any:
        if not self.on:
            return None
        if event == "line":
            file = frame.f_code.co_filename
            if frame.f_lineno in self._places[file]:
                again = self._line
                try:
                    self._hit(frame, file, frame.f_lineno)
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
