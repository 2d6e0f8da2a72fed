"""The line of an instruction. Some have none (the jump back of a loop in Python 3.11): the nearest earlier
one that has is meant then."""

from __future__ import annotations

from types import CodeType, FrameType, TracebackType
from typing import Any, Final

__all__ = ["frame_line", "line_of", "traceback_line"]

_line: Any = FrameType.f_lineno.__get__
_LONGEST: Final = 200_000  # entries of a code object's table of lines that are looked at


def frame_line(frame: FrameType) -> int:
    """Where `frame` stands, from 1; 0 if its code has no lines at all."""
    return _line(frame) or line_of(frame.f_code, frame.f_lasti)


def traceback_line(trace: TracebackType) -> int:
    """The same of an entry of a traceback."""
    return trace.tb_lineno or line_of(trace.tb_frame.f_code, trace.tb_lasti)


def line_of(code: CodeType, lasti: int) -> int:
    """The line of the instruction at `lasti`, else of the nearest one before it."""
    found = 0
    for number, (start, _, line) in enumerate(code.co_lines()):
        if (start > lasti and found) or number > _LONGEST:
            break
        if line:
            found = line
            if start > lasti:
                break  # nothing before it has a line
    return found or code.co_firstlineno
