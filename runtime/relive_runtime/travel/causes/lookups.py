"""What stands under a key of a dict, without asking a key of the user's whether it is the one."""

from __future__ import annotations

import datetime
import enum
from itertools import islice
from typing import Any, Final

from relive_capture.record.inspection import static_lookup

__all__ = ["MISSING", "is_plain", "looked_up"]

MISSING: Final[Any] = type("_Missing", (), {"__repr__": lambda _self: "(no value)"})()
_PLAIN: Final = frozenset(map(id, (type(None), bool, int, float, complex, str, bytes)))
"""By identity: what is looked up in a tuple of types is compared with them, maybe by a metaclass."""
_SMALL: Final = 1_000
"""A dict with no more keys than that is looked through each time."""
_KEYS: Final = 200_000_000
"""That are looked through in a process, some 25 ns each; after that it is not known what stands in a dict."""
_SLOW: Final = 20
"""A key that is not plain takes as long as so many that are."""
_BASES: Final = tuple(map(id, (object, int, str, float, bytes)))
"""Whose comparisons and hashes run nobody's code, whatever class is made from them."""


def is_plain(value: object) -> bool:
    """It cannot change, and comparing it runs nobody's code."""
    return id(type(value)) in _PLAIN


def looked_up(held: dict[Any, Any], key: Any) -> Any:
    """MISSING if it is not there, or only code could tell. Also of a class made from `dict`, as if it were
    none."""
    try:
        if _asks_nobody(key) and _KNOWN.holds_plain(held):
            return dict.get(held, key, MISSING)
        plain = is_plain(key)
        for name, part in islice(dict.items(held), _SMALL):
            if name is key or (plain and is_plain(name) and name == key):
                return part
    except RuntimeError:  # another thread changes it
        pass
    return MISSING


def _asks_nobody(key: Any) -> bool:
    """To hash it, or to compare it with another one that is so, runs nobody's code."""
    kind = type(key)
    if id(kind) in _PLAIN or kind is datetime.date:
        return True
    if kind is tuple:
        return all(map(_asks_nobody, key))
    hashed, compared = static_lookup(kind, "__hash__")[0], static_lookup(kind, "__eq__")[0]
    if hashed is enum.Enum:  # by its name, which it reads as anybody does
        hashed = static_lookup(kind, "__getattribute__")[0]
    return id(hashed) in _BASES and id(compared) in _BASES


class _Known:
    """Of large dicts: up to which key, the newest one then, nobody is asked."""

    def __init__(self) -> None:
        self._left = _KEYS
        self._seen: dict[int, Any] = {}  # by identity: the newest key there was

    def holds_plain(self, held: dict[Any, Any]) -> bool:
        """Whether comparing something with any of its keys runs nobody's code."""
        size = dict.__len__(held)
        if not size:
            return True
        count = self._unseen(held, size) if size > _SMALL else size
        if not self._are_plain(held, count):
            return False
        if size > _SMALL:
            self._seen[id(held)] = next(reversed(dict.keys(held)))
        return True

    def _unseen(self, held: dict[Any, Any], size: int) -> int:
        """How many of its keys, the newest, were not there when it was last looked through. New ones come
        after those that were there."""
        newest = self._seen.get(id(held), MISSING)
        if newest is not MISSING:
            for count, key in enumerate(islice(reversed(dict.keys(held)), _SMALL)):
                if key is newest:
                    return count
        return size

    def _are_plain(self, held: dict[Any, Any], count: int) -> bool:
        self._left -= count
        if self._left < 0:
            return False
        if _PLAIN.issuperset(map(id, map(type, islice(reversed(dict.keys(held)), count)))):
            return True
        for key in islice(reversed(dict.keys(held)), count):
            if id(type(key)) not in _PLAIN:
                self._left -= _SLOW
                if self._left < 0 or not _asks_nobody(key):
                    return False
        return True


_KNOWN: Final = _Known()
