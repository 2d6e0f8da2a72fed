"""The exceptions of a failure that have frames, as a debugger goes through them."""

from __future__ import annotations

from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Final

from relive_base.code_lines import frame_line, traceback_line
from relive_base.own_code import is_own
from relive_capture.record.inspection import class_dict, type_name

__all__ = [
    "cause_of",
    "exception_chain",
    "exception_name",
    "group_members",
    "stack_frames",
    "traceback_of",
    "user_frames",
]

MAX_EXCEPTIONS: Final = 999
_SKIPPED_FRAMES: Final = 64
_base = class_dict(BaseException)
cause_of: Callable[[BaseException], BaseException | None] = _base["__cause__"].__get__
_context: Callable[[BaseException], BaseException | None] = _base["__context__"].__get__
traceback_of: Callable[[BaseException], TracebackType | None] = _base["__traceback__"].__get__
_members: Callable[[BaseExceptionGroup[Any]], tuple[BaseException, ...]] = class_dict(BaseExceptionGroup)[
    "exceptions"
].__get__
_args: Callable[[BaseException], Any] = _base["args"].__get__
_RUNPY: Final = "<frozen runpy>"


def exception_chain(error: BaseException) -> list[BaseException]:
    """`error` last, before it what it was raised from or while handling: the order of Python's own pdb."""
    found: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and len(found) < MAX_EXCEPTIONS and all(current is not seen for seen in found):
        found.append(current)
        current = cause_of(current) or _context(current)
    return found[::-1]


def group_members(chain: list[BaseException]) -> list[tuple[str, BaseException]]:
    """(how it came there, exception) of what the exception groups of a chain hold and of what that was raised
    from, the groups in these too; none that is in the chain itself."""
    found: list[tuple[str, BaseException]] = []
    known = {id(error) for error in chain}
    pending = list(chain)
    while pending:
        error = pending.pop(0)
        members = _members(error) if issubclass(type(error), BaseExceptionGroup) else ()  # type: ignore[arg-type]
        for member in members:
            relation = "in the group"
            for link in reversed(exception_chain(member)):
                if id(link) in known:
                    break
                if len(found) >= MAX_EXCEPTIONS:
                    return found
                known.add(id(link))
                found.append((relation, link))
                pending.append(link)
                relation = "  while handling" if cause_of(link) is None else "  caused by"
    return found


def user_frames(error: BaseException) -> list[tuple[FrameType, int]]:
    """(frame, line) of its traceback, outermost first, without the frames of Relive that called the user's
    code."""
    stack: list[tuple[FrameType, int]] = []
    trace = traceback_of(error)
    while trace is not None:
        stack.append((trace.tb_frame, traceback_line(trace)))
        trace = trace.tb_next
    return _without_ours(stack)


def stack_frames(innermost: FrameType) -> list[tuple[FrameType, int]]:
    """The same of code that was stopped where it is."""
    stack: list[tuple[FrameType, int]] = []
    frame: FrameType | None = innermost
    while frame is not None:
        stack.append((frame, frame_line(frame)))
        frame = frame.f_back
    return _without_ours(stack[::-1])


def _without_ours(stack: list[tuple[FrameType, int]]) -> list[tuple[FrameType, int]]:
    start = 0
    for index, (frame, _) in enumerate(stack[:_SKIPPED_FRAMES]):
        file = frame.f_code.co_filename
        if file.startswith(_RUNPY) or is_own(file):
            start = index + 1
    return stack[start:] or stack


def exception_name(error: BaseException) -> str:
    """Type and message for a list; the message only if it is plain text, so that nobody's code runs."""
    arguments = _args(error)
    alone = type(arguments) is tuple and (
        len(arguments) == 1 or (len(arguments) == 2 and issubclass(type(error), BaseExceptionGroup))
    )
    text = arguments[0] if alone else ""
    name = type_name(type(error))
    if type(text) is not str or not text:
        return name
    # As Python prints them: the message of a KeyError is the key.
    return f"{name}: {text[:200]!r}" if issubclass(type(error), KeyError) else f"{name}: {text[:200]}"
