"""What is bad about a value, so that it can be told whether what it was made of is bad in the same way."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from relive_runtime.travel.causes.values import MISSING, Large, defined, exactly, same

__all__ = ["Bad", "alike", "any_of", "bad_of", "contains", "is_empty"]

_SIZED: Final = (list, dict, set, frozenset, tuple, str, bytes, bytearray)
_NUMBERS: Final = (int, float, complex)


@dataclass(frozen=True, slots=True)
class Bad:
    """`carried`: whether an operand is bad in this way, so that the result is no worse than it was."""

    name: str
    carried: Callable[[Any], bool]
    open: bool = False
    """Nothing tells good from bad: any operand may be to blame."""


def is_empty(value: Any) -> bool:
    """A plain container or text without anything in it."""
    if not issubclass(type(value), _SIZED):
        return False
    measures = defined(type(value), "__len__")
    return any(measures is one for one in _LENGTHS) and len(value) == 0


_LENGTHS: Final = tuple(defined(kind, "__len__") for kind in _SIZED)


def contains(whole: Any, part: Any) -> bool:
    """A text has another one in it, not cut in the middle of a word."""
    if isinstance(whole, Large) or type(whole) is not type(part) or type(part) is not str or not part:
        return False
    at = -1
    while (at := whole.find(part, at + 1)) >= 0:
        before, after = whole[at - 1 : at], whole[at + len(part) : at + len(part) + 1]
        if not (before.isalnum() and part[0].isalnum()) and not (after.isalnum() and part[-1].isalnum()):
            return True
    return False


def bad_of(value: Any, *, whole: bool = False) -> Bad:
    """Of a value that a failing line has stumbled over. `whole`: a text is bad as it is, not because of what
    is in it."""
    kind = type(value)
    if value is None:
        return Bad("None", lambda one: one is None)
    if kind is float and value != value:
        return Bad("nan", lambda one: type(one) is float and one != one)
    if kind is bool:
        return Bad("flag", lambda one: False, open=True)
    if exactly(value, *_NUMBERS):
        return Bad("number", lambda one: same(one, value), open=True)
    if is_empty(value):
        return Bad("empty", is_empty)
    if kind is str:
        odd = (not whole and not value.isprintable()) or not value.isascii()
        return Bad("text", lambda one: same(one, value) or (odd and contains(one, value)))
    if issubclass(kind, (datetime.date, datetime.time, datetime.timedelta)):
        return Bad("moment", lambda one: one is value, open=True)
    return Bad("thing", lambda one: one is value, open=issubclass(kind, _SIZED))


def any_of(value: Any) -> Bad:
    """Of what may be wrong in any way."""
    if type(value) is str:
        return Bad("text", lambda one: same(one, value), open=True)
    return bad_of(value)


_WORDS: Final = re.compile(r"\w+")


def alike(one: Any, other: Any) -> bool:
    """Keys that somebody took for the same: other case, blanks, type, or one in the other."""
    if type(one) is tuple and type(other) is tuple and len(one) == len(other):
        return all(same(a, b) or alike(a, b) for a, b in zip(one, other, strict=True))
    if one is MISSING or other is MISSING:
        return False
    first, second = _words(one), _words(other)
    if not first or not second:
        return False
    return first == second or (len(first) > 1 and first in second) or (len(second) > 1 and second in first)


def _words(key: Any) -> str:
    kind = type(key)
    if kind is not str and (kind is not float) and (kind is not int or abs(key) >= _NO_TEXT):
        return ""
    return "".join(_WORDS.findall(str(key))).casefold()


_NO_TEXT: Final = 10**600
"""Of integers as long as that nobody reads the digits, and Python refuses to write out longer ones."""
