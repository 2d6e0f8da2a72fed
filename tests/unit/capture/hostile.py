"""Objects that must never be asked anything: whoever calls them is caught."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NoReturn

__all__ = [
    "Hostile",
    "HostileDict",
    "HostileError",
    "HostileKey",
    "HostileList",
    "HostileMeta",
    "HostileStr",
    "calls",
]

calls: list[str] = []


def _trap(name: str) -> Any:
    def method(*_: object, **__: object) -> NoReturn:
        calls.append(name)
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
