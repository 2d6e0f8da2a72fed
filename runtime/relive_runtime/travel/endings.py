"""How a run ended, so that two of them can be compared. Runs nobody's code."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

import msgspec
from relive_capture.record.inspection import class_dict, type_name
from relive_runtime.debugger.chain import exception_chain, exception_name, user_frames
from relive_runtime.travel.causes.lookups import is_plain
from relive_runtime.travel.causes.values import exactly
from relive_runtime.worker.limits.deadline import HandlerTimeout

__all__ = ["Ending", "differing", "endings"]

_CHAIN: Final = 20
_CHARS: Final = 2_000
_ITEMS: Final = 50
_DEPTH: Final = 3
_NO_TEXT: Final = 10**600
_ADDRESS: Final = re.compile(r"\b0x[0-9a-fA-F]+\b|\b[0-9]{14,15}\b")
"""Also as `id` gives it. It is another one in each run."""
_TIMED_OUT: Final = type_name(HandlerTimeout)
"""What waits in a loop is cancelled, and only then said to be late."""
_arguments: Callable[[BaseException], Any] = class_dict(BaseException)["args"].__get__


class Ending(msgspec.Struct, array_like=True, frozen=True):
    """One exception of a chain. `told`: what it was made with; `shown`: for a person. `file`: "" if no line
    of the application's is in its traceback."""

    type: str
    told: str
    shown: str
    file: str = ""
    line: int = 0


def endings(error: BaseException, own: Callable[[str], bool]) -> list[Ending]:
    """Of an exception and of what it was raised from, the last one first."""
    found = list[Ending]()
    for one in exception_chain(error)[::-1][:_CHAIN]:
        lines = [(frame.f_code.co_filename, line) for frame, line in user_frames(one)]
        file, line = next(((file, line) for file, line in reversed(lines) if own(file)), ("", 0))
        told = _told(_arguments(one), 0)[:_CHARS]
        found.append(Ending(type_name(type(one)), told, _shown(one), file, line))
    return found


def differing(first: list[Ending], second: list[Ending]) -> tuple[Ending | None, Ending] | None:
    """The first exceptions of two chains that are not the same; None: all are, as far as both go. A run
    without any is another than one that failed in lines of the application's."""
    if not first and any(one.file for one in second) and second[0].type != _TIMED_OUT:
        return None, second[0]
    for one, other in zip(first, second, strict=False):
        if one.type != other.type or not _is_alike(one.told, other.told):
            return one, other
        if one.file and other.file and (one.file, one.line) != (other.file, other.line):
            return one, other
    return None


def _shown(error: BaseException) -> str:
    given = _arguments(error)
    if type(given) is tuple and len(given) == 1 and type(given[0]) is not str:
        return f"{type_name(type(error))}: {_told(given[0], 0)}"[:200]
    return exception_name(error)


def _told(value: Any, depth: int) -> str:
    """A plain value as it is, of others the type."""
    if exactly(value, tuple, list, dict) and depth < _DEPTH:
        items = list(value.items() if type(value) is dict else value)[:_ITEMS]
        return f"{type(value).__name__}({', '.join(_told(one, depth + 1) for one in items)})"
    if not is_plain(value) or (type(value) is int and abs(value) >= _NO_TEXT):
        return type_name(type(value))
    return repr(value[:_CHARS]) if exactly(value, str, bytes) else repr(value)


def _is_alike(one: str, other: str) -> bool:
    """But for addresses, and the order of a set."""
    one, other = _ADDRESS.sub("0x", one), _ADDRESS.sub("0x", other)
    if one == other:
        return True
    cut = max(len(one), len(other)) >= _CHARS
    return "{" in one and "{" in other and (cut or sorted(one) == sorted(other))
