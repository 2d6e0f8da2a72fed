"""The locals of a frame, even if `f_locals` would end the process.

In Python 3.13.0 to 3.13.2 it takes what a comprehension has put into its own variable for a cell, if a
function in the same frame shares a variable of that name (CPython's issue 128396).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import CodeType, FrameType
from typing import Any, Final

__all__ = ["locals_of"]

_BROKEN: Final = (3, 13) <= sys.version_info < (3, 13, 3)
_BEGINS: Final = 86
"""LOAD_FAST_AND_CLEAR of 3.13, which a comprehension begins with."""


def locals_of(frame: FrameType) -> Any:
    """`frame.f_locals`. If that cannot be read, a dict of what the frame has now; what is put into it
    is put into the frame, too."""
    if _BROKEN and _mixes(frame.f_code):
        return _Read(frame)
    return frame.f_locals


def _mixes(code: CodeType) -> bool:
    """Whether a variable that is shared is also one of a comprehension."""
    shared = code.co_cellvars
    return bool(shared) and not set(shared).isdisjoint(code.co_varnames) and _BEGINS in code.co_code[::2]


class _Read(dict[str, Any]):
    """What it has when it is made."""

    def __init__(self, frame: FrameType) -> None:
        super().__init__(_variables(frame))
        self._frame = frame

    def __setitem__(self, name: str, value: Any) -> None:
        self._frame.f_locals[name] = value
        super().__setitem__(name, value)


def _variables(frame: FrameType) -> Iterator[tuple[str, Any]]:
    import ctypes

    read = ctypes.pythonapi.PyFrame_GetVar
    read.argtypes, read.restype = [ctypes.py_object, ctypes.py_object], ctypes.py_object
    code = frame.f_code
    for name in dict.fromkeys((*code.co_varnames, *code.co_cellvars, *code.co_freevars)):
        try:
            value = read(frame, name)
        except NameError:  # nothing is bound to it
            continue
        yield name, value
