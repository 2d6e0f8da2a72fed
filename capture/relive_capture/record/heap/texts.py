"""Values near the user's frames, as short texts without secrets."""

from __future__ import annotations

import time
import types
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from relive_base.redaction.names import NAME_KEYS, VALUE_KEYS
from relive_base.redaction.redactor import PLACEHOLDER, Redactor

from relive_capture.heap_format import ATTRIBUTE, INDEX, INTERNAL, ITEM, KEY, LOCAL
from relive_capture.record.heap.held import DICT_NAME, Edge, Holder
from relive_capture.record.heap.roots import Root
from relive_capture.record.inspection import static_lookup
from relive_capture.record.values import bytes_text, int_text, str_text

__all__ = ["NearTexts"]

_MAX_STEPS: Final = 5
_MAX_VALUES: Final = 20_000
_MAX_CHILDREN: Final = 1_000  # of one object
_MAX_LISTED: Final = 100_000  # entries of containers, of which only the first are looked at
_BESIDE: Final = frozenset((*NAME_KEYS, *VALUE_KEYS))
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
        self._holder = Holder()

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
                edges = self._holder.held(step.value, names=step.names)[:_MAX_CHILDREN]
                beside = self._named_beside(type(step.value), edges)
                for edge in edges:
                    if edge[0] == KEY:
                        self._reach_key(edge[2], step.secret)
                    elif beside and id(edge[2]) in beside:
                        self._reach(_Step(None, step.steps, secret=True), edge)
                    else:
                        self._reach(step, edge)

    def _named_beside(self, cls: type, edges: Sequence[Edge]) -> frozenset[int]:
        """Ids of texts that something beside them names: of a pair ("x-api-key", "..."), of what follows
        "--password", of {"name": "x-api-key", "value": "..."}, of a named tuple."""
        items = [item for kind, _, item in edges if kind == INDEX]
        found = [
            items[at + 1]
            for at in range(len(items) - 1)
            if (at == 0 and len(items) == 2) or (type(items[at]) is str and items[at][:1] == "-")
            if self._names_secret(items[at])
        ]
        named = {
            name: item
            for kind, name, item in edges
            if kind in (ITEM, ATTRIBUTE) and type(name) is str and name in _BESIDE
        }
        if any(self._names_secret(named.get(name)) for name in NAME_KEYS):
            found += [named[name] for name in VALUE_KEYS if name in named]
        fields: Any = static_lookup(cls, "_fields")[1] if issubclass(cls, tuple) and cls is not tuple else ()
        if type(fields) is tuple:
            texts = (item for name, item in zip(fields, items, strict=False) if self._names_secret(name))
            found.extend(texts)
        return frozenset(id(item) for item in found if id(type(item)) in _TEXTS)

    def _names_secret(self, name: Any) -> bool:
        if type(name) is bytes:
            name = name[:_TEXT_CHARS].decode("latin-1")
        return type(name) is str and self._redactor.secret_key(name[:_TEXT_CHARS]) in ("strong", "path")

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
        if kind not in (ATTRIBUTE, ITEM, LOCAL):
            return False
        if type(name) is bytes:
            name = name[:_TEXT_CHARS].decode("latin-1")
        if type(name) is not str:
            return False
        strength = self._redactor.secret_key(name)
        return strength in ("strong", "path") or (is_text and strength != "")

    def _text(self, value: Any) -> str:
        clean = self._redactor.text
        cls = type(value)
        if cls is str:
            return str_text(value, _TEXT_CHARS, clean)[0]
        if cls is bytes:
            return bytes_text(value, _TEXT_CHARS, clean)[0]
        return clean(int_text(value)) if cls is int else repr(value)
