"""The line of an instruction. Some have none. The jump back of a loop in Python 3.11: it leads to the loop's
own line, as it has from 3.12 on; what stands before it may never have run. Else the nearest earlier one that
has is meant."""

from __future__ import annotations

import sys
from types import CodeType, FrameType, TracebackType
from typing import Any, Final

__all__ = ["frame_line", "line_of", "traceback_line"]

_line: Any = FrameType.f_lineno.__get__
_LONGEST: Final = 200_000  # entries of a code object's table of lines that are looked at
_JUMP_BACK: Final = 140 if sys.version_info[:2] == (3, 11) else -1
_EXTENDED: Final = 144  # of 3.11: the higher bytes of the next instruction's argument


def frame_line(frame: FrameType) -> int:
    """Where `frame` stands, from 1; 0 if its code has no lines at all."""
    return _line(frame) or line_of(frame.f_code, frame.f_lasti)


def traceback_line(trace: TracebackType) -> int:
    """The same of an entry of a traceback."""
    return trace.tb_lineno or line_of(trace.tb_frame.f_code, trace.tb_lasti)


def line_of(code: CodeType, lasti: int) -> int:
    """The line of the instruction at `lasti`, else of the loop that it begins again, else of the nearest one
    before it."""
    if _JUMP_BACK >= 0:
        lasti = _loop_start(code, lasti)
    found = 0
    for number, (start, _, line) in enumerate(code.co_lines()):
        if (start > lasti and found) or number > _LONGEST:
            break
        if line:
            found = line
            if start > lasti:
                break  # nothing before it has a line
    return found or code.co_firstlineno


def _loop_start(code: CodeType, lasti: int) -> int:
    """Where the jump back at `lasti` leads to; `lasti` if there is none."""
    data, jump = code.co_code, lasti
    while 0 <= jump < len(data) - 1 and data[jump] == _EXTENDED:
        jump += 2
    if not 0 <= jump < len(data) - 1 or data[jump] != _JUMP_BACK:
        return lasti
    distance, shift, at = data[jump + 1], 8, jump - 2
    while at >= 0 and shift < 32 and data[at] == _EXTENDED:
        distance |= data[at + 1] << shift
        shift += 8
        at -= 2
    return max(jump + 2 - 2 * distance, 0)
