"""Secrets in values that a capture has no room or time to show.

What is secret by its name is hidden in messages and logs too. That must not depend on how far the walk came,
so what it cut is searched for names, in a small reserve beyond the capture's budget.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from types import FunctionType, ModuleType
from typing import Any, Final

from relive_capture.record.budget import Budget
from relive_capture.record.inspection import dict_items, instance_dict

__all__ = ["UnseenSecrets"]

_DEPTH: Final = 3
_ENTRIES: Final = 300  # of one local
_ALL_ENTRIES: Final = 3_000
_VALUES: Final = 16  # of one list
_LEAVES: Final = frozenset(
    map(id, (str, int, float, bytes, bool, type(None), type, ModuleType, FunctionType))
)
"""By address: to compare types, or to hash them, may be code of a metaclass."""
_LOOKS: Final = 16  # values between two looks at the clock
_RESERVE_NS: Final = 1_000_000  # at least


class UnseenSecrets:
    """Looks through dicts, and the attributes of objects, without calling their code. `is_secret(name,
    value)` judges an entry, `found(name, value)` is told."""

    def __init__(
        self, is_secret: Callable[[str, Any], bool], found: Callable[[str, Any], None], budget: Budget
    ) -> None:
        self._is_secret = is_secret
        self._found = found
        self._left_ns = max(budget.cpu_ns // 5, _RESERVE_NS)
        self._left = _ALL_ENTRIES
        self._done: set[int] = set()  # by address: what is handed from frame to frame is searched once

    def search(self, value: Any) -> None:
        """Search one value, breadth first: three levels, up to 300 entries."""
        if self._left <= 0 or self._left_ns <= 0 or id(type(value)) in _LEAVES or id(value) in self._done:
            return
        self._done.add(id(value))
        started = time.thread_time_ns()
        left = min(self._left, _ENTRIES)
        self._left -= left
        level, seen = [value], {id(value)}
        for depth in range(1, _DEPTH + 1):
            below: list[Any] = []
            for number, one in enumerate(level):
                if left <= 0 or (not number % _LOOKS and time.thread_time_ns() - started > self._left_ns):
                    break
                values = self._inside(one, left, named=depth == _DEPTH)
                left -= len(values)
                for inner in values:
                    if id(type(inner)) not in _LEAVES and id(inner) not in seen:
                        seen.add(id(inner))
                        below.append(inner)
            level = below
        self._left += max(left, 0)
        self._left_ns -= time.thread_time_ns() - started

    def _inside(self, value: Any, limit: int, *, named: bool) -> Sequence[Any]:
        """What is inside, without the secrets; `named`: only what has a name is of interest."""
        cls = type(value)
        if cls is list or cls is tuple:
            return () if named else value[: min(_VALUES, limit)]
        mapping = value if issubclass(cls, dict) else instance_dict(value)
        inside: list[Any] = []
        for key, item in dict_items(mapping, limit) if mapping is not None else ():
            if type(key) is str and self._is_secret(key, item):
                self._found(key, item)
            else:
                inside.append(item)
        return inside
