"""Objects that must never be asked anything: whoever calls them is caught."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any, NoReturn

from relive_capture.record.guard import Guard

__all__ = [
    "Hostile",
    "HostileDict",
    "HostileError",
    "HostileKey",
    "HostileList",
    "HostileMeta",
    "HostileStr",
    "calls",
    "printing",
]

calls: list[str] = []
printing: list[str] = []
"""Calls that were made to print an exception, guarded."""


def _trap(name: str) -> Any:
    def method(*_: object, **__: object) -> NoReturn:
        _note(name)
        raise SystemExit(f"{name} was called")

    return method


class HostileMeta(type):
    """A metaclass whose every answer is a trap."""

    __repr__ = _trap("meta.__repr__")
    __eq__ = _trap("meta.__eq__")
    __hash__ = _trap("meta.__hash__")
    __instancecheck__ = _trap("meta.__instancecheck__")
    __subclasscheck__ = _trap("meta.__subclasscheck__")
    __getattribute__ = _trap("meta.__getattribute__")


class Hostile:
    """An instance whose every answer is a trap."""

    def __init__(self) -> None:
        object.__setattr__(self, "inner", 42)

    __repr__ = _trap("__repr__")
    __str__ = _trap("__str__")
    __len__ = _trap("__len__")
    __bool__ = _trap("__bool__")
    __eq__ = _trap("__eq__")
    __hash__ = _trap("__hash__")
    __iter__ = _trap("__iter__")
    __format__ = _trap("__format__")
    __getattr__ = _trap("__getattr__")
    __getattribute__ = _trap("__getattribute__")
    __class__ = property(_trap("__class__"))  # type: ignore[assignment]
    value = property(_trap("value"))


class WithHostileMeta(metaclass=HostileMeta):
    """A class of the hostile metaclass."""


class HostileKey:
    """Can be put into a dict, and then never be touched again."""

    __repr__ = _trap("key.__repr__")
    __str__ = _trap("key.__str__")
    __eq__ = _trap("key.__eq__")

    def __hash__(self) -> int:
        return 7


class HostileDict(dict[str, Any]):
    """A dict with its own ideas."""

    items = _trap("dict.items")
    keys = _trap("dict.keys")
    values = _trap("dict.values")
    get = _trap("dict.get")
    __iter__ = _trap("dict.__iter__")
    __len__ = _trap("dict.__len__")
    __getitem__ = _trap("dict.__getitem__")
    __repr__ = _trap("dict.__repr__")


class HostileList(list[Any]):
    """A list with its own ideas."""

    __iter__ = _trap("list.__iter__")
    __len__ = _trap("list.__len__")
    __getitem__ = _trap("list.__getitem__")
    __repr__ = _trap("list.__repr__")


class HostileStr(str):
    """A string with its own ideas."""

    __len__ = _trap("str.__len__")
    __getitem__ = _trap("str.__getitem__")
    __repr__ = _trap("str.__repr__")
    __str__ = _trap("str.__str__")
    __hash__ = str.__hash__


class HostileError(Exception):
    """An exception that must not be printed."""

    __str__ = _trap("error.__str__")
    __repr__ = _trap("error.__repr__")


def endless() -> Iterator[int]:
    """A generator that must not be advanced."""
    calls.append("generator")
    yield 1


# ---------------------------------------------------------------- everything at once

armed: list[bool] = []
"""While it holds something, each call of a trap is noted, and fails."""


def _note(name: str) -> None:
    """What runs to print an exception, within the time that there is for that, is expected."""
    frame: Any = sys._getframe(2)
    while frame is not None:
        if frame.f_code is Guard.call.__code__:
            printing.append(name)
            return
        frame = frame.f_back
    calls.append(name)


def _armed(name: str, otherwise: Any = None) -> Any:
    def method(*_: object, **__: object) -> Any:
        if armed:
            _note(name)
            raise SystemExit(f"{name} was called")
        return otherwise

    return method


_EVERYTHING = (
    "__repr__", "__str__", "__bytes__", "__format__", "__len__", "__length_hint__", "__bool__", "__eq__",
    "__ne__", "__lt__", "__gt__", "__le__", "__ge__", "__iter__", "__next__", "__reversed__",
    "__contains__", "__getitem__", "__setitem__", "__delitem__", "__missing__", "__call__",
    "__getattribute__", "__getattr__", "__setattr__", "__delattr__", "__dir__", "__get__", "__index__",
    "__int__", "__float__", "__complex__", "__add__", "__radd__", "__mul__", "__mod__", "__or__",
    "__ror__", "__and__", "__hash__", "__sizeof__", "__reduce__", "__reduce_ex__", "__getstate__",
    "__copy__", "__deepcopy__", "__enter__", "__exit__", "__await__", "__aiter__", "__anext__",
    "__fspath__", "__buffer__", "__del__", "__instancecheck__", "__subclasscheck__", "__subclasshook__",
    "__array__", "__array_interface__", "items", "keys", "values", "get", "copy", "split", "join",
    "encode", "decode", "startswith", "add_note", "with_traceback", "isoformat",
)  # fmt: skip
_PROPERTIES = (
    "__notes__", "__traceback__", "__cause__", "__context__", "__suppress_context__",
    "args", "errno", "strerror", "filename", "msg", "message", "detail", "reason", "exceptions", "name",
    "value", "_mgr", "_name_", "_fields", "__version__", "__wrapped__", "pattern", "tzinfo", "year",
)  # fmt: skip


def make_hostile(base: type, metaclass: type = type) -> Any:
    """A subclass of `base` in which everything is a trap, but what makes it a class."""
    lies = {name: property(_armed(f"{base.__name__}.{name}")) for name in ("__class__", "__dict__")}
    cls = metaclass(f"Hostile{base.__name__}", (base,), lies)
    for name in _EVERYTHING:
        type.__setattr__(cls, name, _armed(f"{base.__name__}.{name}", 7 if name == "__hash__" else None))
    for name in _PROPERTIES:
        type.__setattr__(cls, name, property(_armed(f"{base.__name__}.{name}")))
    return cls


def _asked(name: str, answer: Any) -> Any:
    """A method of a metaclass that notes who asks, and answers as a class does while it is made."""

    def method(cls: type, *arguments: object) -> Any:
        if armed:
            _note(f"type.{name}")
            raise SystemExit(name)
        return answer(cls, *arguments)

    return method


_LIES = (
    "__mro__", "__bases__", "__base__", "__flags__", "__basicsize__", "__abstractmethods__", "__name__",
    "__subclasses__", "__text_signature__", "__annotations__", "__dictoffset__", "__itemsize__",
)  # fmt: skip
_ASKED = {
    "__getattribute__": type.__getattribute__,
    "__hash__": type.__hash__,
    "__eq__": lambda cls, other: cls is other,
    "__call__": type.__call__,
    "__instancecheck__": type.__instancecheck__,
    "__subclasscheck__": type.__subclasscheck__,
}
EverythingMeta: Any = type(
    "EverythingMeta",
    (type,),
    {
        **{name: _armed(f"type.{name}") for name in _EVERYTHING if name not in ("__setattr__", "__del__")},
        **{name: property(_armed(f"type.{name}", ())) for name in _LIES},
        **{name: _asked(name, answer) for name, answer in _ASKED.items()},
    },
)
"""A metaclass that lies about its classes, and notes who asks."""
