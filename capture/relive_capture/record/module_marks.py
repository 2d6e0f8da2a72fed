"""Which globals of the application's modules earlier invocations have changed, at little cost.

After the loading, and when an invocation begins, each module is marked: its names, which objects they are,
and how large those are that can change in place. The marks are compared once an invocation has failed. An
object that was changed and has the size and the parts that it had is not seen.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict, deque
from functools import lru_cache
from itertools import islice
from typing import Any, Final

from relive_base.wire.messages import FunctionSpec

from relive_capture.record.inspection import class_dict
from relive_capture.record.module_state import modules_of

__all__ = ["ModuleMarks"]

_MODULES: Final = 50
_NAMES: Final = 300  # of one module
_CHANGING: Final = 100  # of one module
_PARTS: Final = 32
_SIZED: Final = frozenset(map(id, (dict, list, set, deque, OrderedDict, defaultdict, bytearray)))
_CACHE: Final = type(lru_cache(lambda: None))
_MAPPED: Final = frozenset(map(id, (dict, OrderedDict, defaultdict)))
_Mark = tuple[Any, ...]


class ModuleMarks:
    """One per worker: `loaded`, `begin` before each invocation, and `left` if one has failed."""

    __slots__ = ("_begun", "_fresh", "_modules", "_spec")

    def __init__(self, spec: FunctionSpec) -> None:
        self._spec = spec
        self._modules: list[tuple[str, dict[str, Any], list[str]]] = []
        self._fresh: list[_Mark] = []
        self._begun: list[_Mark] = []

    def loaded(self) -> None:
        """The module is loaded: nothing has been changed yet."""
        for name, names in islice(modules_of(self._spec).items(), _MODULES):
            if len(names) <= _NAMES:
                changing = [key for key, value in names.items() if _can_change(key, value)]
                self._modules.append((name, names, changing[:_CHANGING]))
        self._fresh = self._begun = self._marks()

    def begin(self) -> None:
        """An invocation begins."""
        self._begun = self._marks()

    def _marks(self) -> list[_Mark]:
        return [
            (tuple(names), tuple(map(id, names.values())), [_mark(names.get(key)) for key in changing])
            for _, names, changing in self._modules
        ]

    def left(self) -> list[str]:
        """`module.name` of what was another one when the invocation began than right after the loading."""
        found: list[str] = []
        for (module, _, changing), fresh, begun in zip(self._modules, self._fresh, self._begun, strict=True):
            before, now = (
                dict(zip(fresh[0], fresh[1], strict=True)),
                dict(zip(begun[0], begun[1], strict=True)),
            )
            names = [key for key in now if before.get(key) != now[key]]
            names += [key for key in before if key not in now]
            marks = zip(changing, fresh[2], begun[2], strict=True)
            names += [key for key, one, other in marks if one != other and key not in names]
            found += [f"{module}.{key}" for key in names if not key.startswith("__")]
        return found


def _can_change(key: object, value: object) -> bool:
    """Whether it may be changed in place: a container, a function's cache, an object of the application's."""
    if type(key) is not str or key.startswith("__"):
        return False
    cls = type(value)
    return id(cls) in _SIZED or cls is _CACHE or _state_of(value) is not None


def _mark(value: Any) -> object:
    """How large it is, and which parts a small one has. Runs none of the application's code."""
    cls = type(value)
    kind = id(cls)
    if kind in _MAPPED:
        return len(value) if len(value) > _PARTS else tuple(map(id, value.values()))
    if kind in _SIZED:
        return len(value) if len(value) > _PARTS or cls is bytearray else tuple(map(id, value))
    if cls is _CACHE:
        return value.cache_info()[3]
    state = _state_of(value)
    return None if state is None else tuple(map(id, state.values()))


def _state_of(value: object) -> dict[str, Any] | None:
    """What an object holds, if it is a plain one."""
    cls = type(value)
    if cls.__flags__ & _HEAP_TYPE == 0 or isinstance(value, type):
        return None
    getter = class_dict(cls).get("__dict__")
    if type(getter) is not _GETTER:
        return None
    found = getter.__get__(value)
    return found if type(found) is dict else None


class _Plain: ...


_HEAP_TYPE: Final = 1 << 9
_GETTER: Final = type(class_dict(_Plain)["__dict__"])
