"""Looking into the user's objects without running the user's code: parts, contents, texts as of a moment."""

from __future__ import annotations

import ast
import enum
from collections import deque
from collections.abc import Iterator, Mapping
from itertools import islice
from types import (
    AsyncGeneratorType,
    BuiltinFunctionType,
    CodeType,
    CoroutineType,
    FrameType,
    FunctionType,
    GeneratorType,
    GetSetDescriptorType,
    MemberDescriptorType,
    MethodType,
    ModuleType,
    TracebackType,
    WrapperDescriptorType,
)
from typing import Any, Final

__all__ = [
    "CODE",
    "MISSING",
    "Large",
    "attribute",
    "contents",
    "element",
    "evaluated",
    "exactly",
    "has_contents",
    "has_method",
    "interned",
    "is_plain",
    "items_beyond",
    "kept",
    "parts",
    "same",
    "unchanged",
]  # fmt: skip

MISSING: Final[Any] = type("_Missing", (), {"__repr__": lambda _self: "(no value)"})()
_PLAIN: Final = frozenset(map(id, (type(None), bool, int, float, complex, str, bytes)))
"""By identity: what is looked up in a tuple of types is compared with them, maybe by a metaclass."""
CODE: Final = (
    ModuleType,
    FunctionType,
    BuiltinFunctionType,
    MethodType,
    type,
    CodeType,
    FrameType,
    TracebackType,
)
"""What is no data."""
_CLOSED: Final = (*CODE, GeneratorType, CoroutineType, AsyncGeneratorType, BaseException, enum.Enum)
_ITEMS: Final = 200
_LARGE_CHARS: Final = 32_768
_FLAT: Final = 1_000_000
"""Integers beyond have a size of their own."""


class Large:
    """In the place of a long text: it is not kept."""

    def __init__(self, value: str | bytes) -> None:
        self.size = len(value)
        self.type = type(value)
        self.head = value[:180]

    def __repr__(self) -> str:
        return f"{self.head!r}…"


def kept(value: Any) -> Any:
    """The value, or what stands for it."""
    kind = type(value)
    if (kind is str or kind is bytes) and len(value) > _LARGE_CHARS:
        return Large(value)
    return value


def is_plain(value: object) -> bool:
    """It cannot change, and comparing it runs nobody's code."""
    return id(type(value)) in _PLAIN


def exactly(value: object, *kinds: type) -> bool:
    """Whether it is of one of these types, and not of one made from them. Asks no metaclass as `in` does."""
    kind = type(value)
    return any(kind is one for one in kinds)


def interned(value: object) -> bool:
    """Whether equal ones may be the same object by chance, so that its identity says nothing."""
    kind = type(value)
    if value is None or kind is bool or issubclass(kind, (enum.Enum, *CODE)):
        return True
    if kind is int:
        return True
    if kind is str or kind is bytes:
        return len(value) < 2  # type: ignore[arg-type]
    return kind is tuple and not value


def same(one: object, other: object) -> bool:
    """The same object, or equal plain values of one type."""
    return one is other or (type(one) is type(other) and is_plain(one) and (one == other or one != one))


def has_method(value: object, name: str) -> bool:
    """Whether its class has it: what hands on everything to another object has each in name only."""
    found = next((vars(one)[name] for one in type(value).__mro__ if name in vars(one)), None)
    return issubclass(type(found), (FunctionType, BuiltinFunctionType, WrapperDescriptorType, type(str.join)))


# ------------------------------------------------------------ parts


def own_dict(value: object) -> dict[str, Any] | None:
    """Of an object with attributes, also if its class has a `__dict__` of its own making."""
    kind = type(value)
    for one in kind.__mro__:
        place = vars(one).get("__dict__")
        if type(place) is GetSetDescriptorType or type(place) is MemberDescriptorType:
            found = place.__get__(value, kind)
            return found if type(found) is dict else None
    return None


def attribute(base: Any, name: str) -> Any:
    """Of a plain object; MISSING of what only code could tell."""
    if issubclass(type(base), ModuleType):
        return vars(base).get(name, MISSING)
    if issubclass(type(base), type):
        return _of_class(base.__mro__, name, None)
    own = own_dict(base)
    if own is not None and name in own:
        return own[name]
    return _of_class(type(base).__mro__, name, base)


def _of_class(classes: tuple[type, ...], name: str, base: Any) -> Any:
    for one in classes:
        found = vars(one).get(name, MISSING)
        if found is MISSING:
            continue
        kind = type(found)
        if base is not None and kind.__name__ in ("member_descriptor", "_tuplegetter"):
            try:
                return kind.__get__(found, base, type(base))
            except AttributeError:
                return MISSING
        return MISSING if any("__get__" in vars(one) for one in kind.__mro__) else found
    return MISSING


def _hashes_plainly(key: object) -> bool:
    if type(key) is tuple:
        return all(map(_hashes_plainly, key))
    return is_plain(key) or issubclass(type(key), enum.Enum) or type(key).__hash__ is object.__hash__


def element(base: Any, key: Any) -> Any:
    """Of a plain container; MISSING if it is not there, or only code could tell."""
    kind = type(base)
    if issubclass(kind, dict):
        if kind.__getitem__ is not dict.__getitem__ or not _hashes_plainly(key):
            return MISSING
        return dict.get(base, key, MISSING)
    if type(key) is not int and type(key) is not bool:
        return MISSING
    plain = next((one for one in _INDEXED if issubclass(kind, one)), None)
    if plain is None or kind.__getitem__ is not plain.__getitem__:
        return MISSING
    try:
        return base[key]
    except IndexError:
        return MISSING


_INDEXED: Final = (list, tuple, str, bytes, deque, range)


def evaluated(node: ast.expr, names: Mapping[str, Any], outer: Mapping[str, Any]) -> Any:
    """Of names, attributes and elements; MISSING of others."""
    if isinstance(node, ast.Name):
        found = names.get(node.id, MISSING)
        return outer.get(node.id, MISSING) if found is MISSING else found
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Attribute):
        base = evaluated(node.value, names, outer)
        return MISSING if base is MISSING else attribute(base, node.attr)
    if isinstance(node, ast.Subscript):
        base = evaluated(node.value, names, outer)
        key = MISSING if base is MISSING else evaluated(node.slice, names, outer)
        return MISSING if key is MISSING else element(base, key)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        number = evaluated(node.operand, names, outer)
        return -number if exactly(number, int, float) else MISSING
    if isinstance(node, ast.Tuple):
        items = [evaluated(item, names, outer) for item in node.elts]
        return MISSING if MISSING in map(_or_missing, items) else tuple(items)
    return MISSING


def _or_missing(value: Any) -> Any:
    return MISSING if value is MISSING else None


# ------------------------------------------------------------ contents


def has_contents(value: Any) -> bool:
    """Whether it is a container or an object with attributes, which may change inside."""
    kind = type(value)
    if id(kind) in _PLAIN or issubclass(kind, _CLOSED):
        return False
    if issubclass(kind, (list, dict, set, frozenset, tuple, deque)):
        return True
    return bool(kind.__flags__ & (1 << 9)) and (  # a class that Python code has made
        own_dict(value) is not None or _slots(kind)
    )


def _slots(kind: type) -> bool:
    return any("__slots__" in vars(one) for one in kind.__mro__[:-1])


def contents(value: Any) -> Any:
    """A flat copy, in a form that `unchanged` and `parts` know: a tuple of items, or a dict."""
    kind = type(value)
    try:
        found = _items(kind, value)
    except (RuntimeError, TypeError):  # another thread changes it
        return ()
    if found is not None:
        return found
    own = dict(own_dict(value) or {})
    for one in type(value).__mro__[:-1]:
        for name, slot in vars(one).items():
            if type(slot).__name__ == "member_descriptor":
                found = attribute(value, name)
                if found is not MISSING:
                    own[name] = found
    return own


def _items(kind: type, value: Any) -> Any:
    """By the methods of the plain kinds: those of classes made from them are the user's. None of others. Of a
    large one no more than what is kept is looked at: a line may change it a million times."""
    if issubclass(kind, dict):
        if dict.__len__(value) <= _ITEMS and kind.__iter__ is dict.__iter__:
            return dict.copy(value)
        newest = islice(reversed(dict.items(value)), _ITEMS)
        return {key: part for key, part in [*newest][::-1] if _hashes_plainly(key)}
    if issubclass(kind, list):
        return tuple(list.__getitem__(value, slice(_ITEMS * 10)))
    if issubclass(kind, tuple):
        return tuple.__getitem__(value, slice(_ITEMS * 10))
    if issubclass(kind, deque):
        return tuple(islice(deque.__iter__(value), _ITEMS * 10))
    if issubclass(kind, set):
        return _members(value, set.__len__(value), set.__iter__(value))
    if issubclass(kind, frozenset):
        return _members(value, frozenset.__len__(value), frozenset.__iter__(value))
    return None


def items_beyond(value: Any) -> int:
    """How many items it has if they are more than are kept; else 0."""
    kind = type(value)
    plain = next((one for one in (dict, list, tuple, set, frozenset, deque) if issubclass(kind, one)), None)
    size = plain.__len__(value) if plain is not None else 0
    ordered = plain is list or plain is tuple or plain is deque
    return size if size > (_ITEMS * 10 if ordered else _ITEMS) else 0


def _members(value: Any, size: int, each: Iterator[Any]) -> dict[Any, Any]:
    if size <= _ITEMS:
        return dict.fromkeys(set[Any]().union(value), True)
    return {item: True for item in islice(each, _ITEMS) if _hashes_plainly(item)}


def unchanged(before: Any, after: Any) -> bool:
    """Of two `contents`: the very same things are in them."""
    if type(before) is not type(after) or len(before) != len(after):
        return False
    if type(before) is tuple:
        return all(map(same, before, after))
    return all(map(same, before.values(), after.values())) and all(map(same, before, after))


def parts(found: Any) -> Iterator[tuple[Any, Any]]:
    """(key, value) of `contents`."""
    return iter(enumerate(found)) if type(found) is tuple else iter(found.items())
