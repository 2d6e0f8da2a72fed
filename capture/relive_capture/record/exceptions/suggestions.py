"""What Python adds to the message of a NameError, AttributeError or ImportError: "Did you mean: 'x'?"

From Python 3.12 on the traceback module knows; 3.11 has it in C, where nothing but its own printing reaches
it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Final

from relive_capture.record.inspection import class_dict

__all__ = ["suggestion", "without_suggestion"]

_MAX_CANDIDATES: Final = 750
_MAX_CHARS: Final = 40
_MOVE_COST: Final = 2
_CASE_COST: Final = 1
_MARKS: Final = (". Did you mean: '", ". Did you forget to import '")
_traceback: Callable[[BaseException], TracebackType | None] = class_dict(BaseException)[
    "__traceback__"
].__get__


def suggestion(error: BaseException) -> str:
    """ ". Did you mean: 'total'?", or "". May run the user's code (`__dir__`); may raise anything."""
    cls = type(error)
    if issubclass(cls, NameError):
        name: Any = class_dict(NameError)["name"].__get__(error)
        twin: Any = NameError("", name=name)
    elif issubclass(cls, AttributeError):
        name = class_dict(AttributeError)["name"].__get__(error)
        twin = AttributeError("", name=name, obj=class_dict(AttributeError)["obj"].__get__(error))
    elif issubclass(cls, ImportError) and sys.version_info >= (3, 12):
        name = class_dict(ImportError)["name_from"].__get__(error)
        twin = ImportError("", name=class_dict(ImportError)["name"].__get__(error), name_from=name)
    else:
        return ""
    if type(name) is not str:
        return ""
    return _added(twin, _traceback(error))


def without_suggestion(message: str) -> str:
    """The message as the error itself has it."""
    cut = min((at for at in map(message.find, _MARKS) if at >= 0), default=len(message))
    return message[:cut]


def _added(twin: Any, trace: TracebackType | None) -> str:
    """What the traceback module adds to an error without a message, a chain and frames."""
    if sys.version_info < (3, 12):
        found = _guess(twin, trace)
        return f". Did you mean: '{found}'?" if found else ""
    import traceback  # here: few failures need it

    shown = traceback.TracebackException(type(twin), twin, trace, limit=0, lookup_lines=False)
    text = "".join(shown.format_exception_only())
    return text.removeprefix(type(twin).__name__).removeprefix(": ").rstrip("\n")


def _guess(twin: Any, trace: TracebackType | None) -> str | None:
    """As Python/suggestions.c of Python 3.11."""
    if isinstance(twin, AttributeError):
        return _closest(dir(twin.obj), str(twin.name))
    if trace is None:
        return None
    while trace.tb_next is not None:
        trace = trace.tb_next
    frame = trace.tb_frame
    known: tuple[Iterable[Any], ...] = (frame.f_code.co_varnames, frame.f_globals, frame.f_builtins)
    return next((found for found in (_closest(list(names), twin.name) for names in known) if found), None)


def _closest(names: list[Any], wrong: str) -> str | None:
    if len(names) >= _MAX_CANDIDATES:
        return None
    best, found = sys.maxsize, None
    for name in names:
        if type(name) is not str or name == wrong:
            continue
        # no more than a third of the characters may differ
        limit = min((len(name) + len(wrong) + 3) * _MOVE_COST // 6, best - 1)
        distance = _distance(wrong, name, limit)
        if distance <= limit:
            found, best = name, distance
    return found


def _distance(first: str, second: str, limit: int) -> int:
    """Levenshtein's distance, if another case costs half; more than `limit` if it is over that."""
    while first and second and first[0] == second[0]:
        first, second = first[1:], second[1:]
    while first and second and first[-1] == second[-1]:
        first, second = first[:-1], second[:-1]
    if not first or not second:
        return _MOVE_COST * (len(first) + len(second))
    if len(first) > _MAX_CHARS or len(second) > _MAX_CHARS:
        return limit + 1
    if abs(len(first) - len(second)) * _MOVE_COST > limit:
        return limit + 1
    row = [_MOVE_COST * index for index in range(len(second) + 1)]
    for line, left in enumerate(first):
        diagonal, row[0] = row[0], _MOVE_COST * (line + 1)
        for index, right in enumerate(second):
            swapped = diagonal + _swap_cost(left, right)
            diagonal = row[index + 1]
            row[index + 1] = min(swapped, diagonal + _MOVE_COST, row[index] + _MOVE_COST)
    return row[-1]


def _swap_cost(left: str, right: str) -> int:
    if left == right:
        return 0
    return _CASE_COST if left.lower() == right.lower() else _MOVE_COST
