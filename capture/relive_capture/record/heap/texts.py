"""Values near the user's frames, as short texts without secrets."""

from __future__ import annotations

import time
import types
from collections import deque
from dataclasses import dataclass
from typing import Any, Final

from relive_base.redaction import PLACEHOLDER, Redactor

from relive_capture.heap_format import ATTRIBUTE, INTERNAL, ITEM, KEY, LOCAL
from relive_capture.record.heap.held import DICT_NAME, Edge, held
from relive_capture.record.heap.roots import Root
from relive_capture.record.leaves import bytes_text, int_text, str_text

__all__ = ["NearTexts"]

_MAX_STEPS: Final = 5
_MAX_VALUES: Final = 20_000
_MAX_CHILDREN: Final = 1_000  # of one object
_MAX_LISTED: Final = 100_000  # entries of containers, of which only the first are looked at
_CPU_NS: Final = 500_000_000
_TEXT_CHARS: Final = 100
# By id: a metaclass of the user's may compare types.
_TEXTS: Final = frozenset(map(id, (str, bytes, int)))
_SCALARS: Final = _TEXTS | frozenset(map(id, (float, bool, complex)))
_CONTAINERS: Final = (dict, list, tuple, set, frozenset, deque)
_PROGRAM: Final = frozenset(
    map(
        id,
        (types.ModuleType, types.FunctionType, types.CodeType, types.BuiltinFunctionType, types.FrameType),
    )
)
"""What programs are made of; there is no data behind them that belongs to the failure."""


@dataclass(slots=True)
class _Step:
    """An object on the way, and how it was reached."""

    value: Any
    steps: int
    secret: bool = False
    names: bool = False  # a dict of attributes


class NearTexts:
    """What can be shown of the values near the user's frames: at most 20,000 of them, five steps away."""

    def __init__(self, redactor: Redactor) -> None:
        self.values: dict[int, tuple[Any, str]] = {}
        """By id: the object, which keeps its id that way, and its text."""
        self._redactor = redactor
        self._secret: dict[int, bool] = {}  # id of what was reached -> whether through a secret's name
        self._kept: list[Any] = []  # what has an entry there
        self._key_secret: dict[int, bool] = {}
        self._queue: deque[_Step] = deque()
        self._listed = 0

    def shows_key(self, key: Any) -> bool:
        """Whether the key is one of a dict near the user's frames, and of no secret one."""
        return not self._key_secret.get(id(key), True)

    def look(self, roots: list[Root]) -> None:
        """From the locals of the user's own frames."""
        end_ns = time.thread_time_ns() + _CPU_NS
        for root in roots:
            if root.in_app:
                for edge in root.targets:
                    self._reach(_Step(None, -1), edge)
        while self._queue and len(self._kept) < _MAX_VALUES and time.thread_time_ns() < end_ns:
            step = self._queue.popleft()
            if step.steps < _MAX_STEPS and self._may_list(step.value):
                for edge in held(step.value, names=step.names)[:_MAX_CHILDREN]:
                    if edge[0] == KEY:
                        self._reach_key(edge[2], step.secret)
                    else:
                        self._reach(step, edge)

    def _may_list(self, value: Any) -> bool:
        """A giant is listed whole, which costs more than its first entries are worth."""
        for base in _CONTAINERS:
            if issubclass(type(value), base):
                self._listed += base.__len__(value)
        return self._listed <= _MAX_LISTED

    def _reach_key(self, key: Any, secret: bool) -> None:
        before = self._key_secret.get(id(key))
        if before is None:
            self._kept.append(key)
        self._key_secret[id(key)] = secret or bool(before)

    def _reach(self, parent: _Step, edge: Edge) -> None:
        kind, name, value = edge
        cls = type(value)
        secret = parent.secret or self._is_secret(kind, name, id(cls) in _TEXTS)
        before = self._secret.get(id(value))
        if before is not None and (before or not secret):
            return  # known as it is; what was shown before and is secret here is hidden
        if before is None:
            self._kept.append(value)
        self._secret[id(value)] = secret
        if id(cls) in _SCALARS:
            hidden = secret and cls is not bool
            self.values[id(value)] = (value, PLACEHOLDER if hidden else self._text(value))
        elif id(cls) not in _PROGRAM and not issubclass(cls, type):
            names = kind == INTERNAL and name == DICT_NAME
            self._queue.append(_Step(value, parent.steps + 1, secret, names))

    def _is_secret(self, kind: int, name: Any, is_text: bool) -> bool:
        if kind not in (ATTRIBUTE, ITEM, LOCAL) or type(name) is not str:
            return False
        strength = self._redactor.secret_key(name)
        return strength == "strong" or (is_text and strength != "")

    def _text(self, value: Any) -> str:
        clean = self._redactor.text
        cls = type(value)
        if cls is str:
            return str_text(value, _TEXT_CHARS, clean)[0]
        if cls is bytes:
            return bytes_text(value, _TEXT_CHARS, clean)[0]
        return clean(int_text(value)) if cls is int else repr(value)
