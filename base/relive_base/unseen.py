"""Frames of ours that no traceback of the user's has: not what is logged, printed, or sent to a tracker."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Final

__all__ = ["UNSEEN", "without_our_frames", "without_this_frame"]

_PACKAGES: Final = ("relive_base", "relive_capture", "relive_outside", "relive_runtime", "relive_tracer")
_trace: Final[Any] = BaseException.__dict__["__traceback__"].__get__
_context: Final[Any] = BaseException.__dict__["__context__"].__get__
_with_trace: Final[Any] = BaseException.with_traceback


def without_this_frame(error: BaseException) -> None:
    """Take the calling function's frame off the traceback, and those right below it whose code is in the same
    folder. Call it in an `except` clause that ends with a bare `raise`, which adds no frame. Nothing of the
    error's own class is called."""
    trace = _trace(error)
    if trace is not None:
        below = trace.tb_next
        if below is not None:
            folder = _folder(trace)
            while below is not None and _folder(below) == folder:
                below = below.tb_next
        _with_trace(error, below)


def without_our_frames(error: BaseException) -> None:
    """Take all frames of ours off the traceback of a RecursionError: at the end of the stack nothing can be
    called that takes them off one by one. What was caught in one of them meanwhile is not its context."""
    if type(error) is not RecursionError:
        return
    last, trace = None, error.__traceback__
    while trace is not None:
        if not _is_ours(trace):
            last = trace
        elif last is None:
            error.__traceback__ = trace.tb_next
        else:
            last.tb_next = trace.tb_next
        trace = trace.tb_next
    context = error.__context__
    while context is not None and (caught := _trace(context)) is not None and _is_ours(caught):
        context = error.__context__ = _context(context)


def _is_ours(trace: TracebackType) -> bool:
    name = trace.tb_frame.f_globals.get("__name__")
    return type(name) is str and name.partition(".")[0] in _PACKAGES


def _folder(trace: TracebackType) -> str:
    return str.rpartition(trace.tb_frame.f_code.co_filename, "/")[0]


class _Unseen:
    __slots__ = ()

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if error is not None:
            without_this_frame(error)


UNSEEN: Final = _Unseen()
"""`with UNSEEN:` around a call does the same."""
