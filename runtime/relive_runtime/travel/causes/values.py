"""Looking into the user's objects without running the user's code: parts, contents, texts as of a moment."""

from __future__ import annotations

import ast
import enum
from collections import deque, namedtuple
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

from relive_capture.record.inspection import class_dict, in_memory, is_heap_type, mro, static_lookup
from relive_runtime.travel.causes.lookups import MISSING, is_plain, looked_up

__all__ = [
    "CODE",
    "MISSING",
    "Keyed",
    "Large",
    "attribute",
    "contents",
    "defined",
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
    "stored",
    "unchanged",
]  # fmt: skip

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


def defined(kind: type, name: str) -> Any:
    """What a class has under a name, as it stands there; MISSING: nothing. `kind.name` may run code of a
    metaclass, and so may `kind.__mro__`."""
    owner, found = static_lookup(kind, name)
    return MISSING if owner is None else found


def has_method(value: object, name: str) -> bool:
    """Whether its class has it: what hands on everything to another object has each in name only."""
    found = defined(type(value), name)
    return issubclass(type(found), (FunctionType, BuiltinFunctionType, WrapperDescriptorType, type(str.join)))


# ------------------------------------------------------------ parts


def own_dict(value: object) -> dict[str, Any] | None:
    """Of an object with attributes, also if its class has a `__dict__` of its own making."""
    kind = type(value)
    for one in mro(kind):
        place = class_dict(one).get("__dict__")
        if type(place) is GetSetDescriptorType or type(place) is MemberDescriptorType:
            found = place.__get__(value, kind)
            return found if type(found) is dict else None
    return None


def attribute(base: Any, name: str) -> Any:
    """Of a plain object; MISSING of what only code could tell."""
    if issubclass(type(base), type):
        return _of_class(mro(base), name, None)
    own = own_dict(base)
    found = MISSING if own is None else looked_up(own, name)
    if found is not MISSING or issubclass(type(base), ModuleType):
        return found
    return _of_class(mro(type(base)), name, base)


def stored(base: Any, name: str) -> Any:
    """An attribute as it stands in an object or its class, a function for a method; MISSING: nowhere."""
    if issubclass(type(base), type):
        return defined(base, name)
    own = own_dict(base)
    found = MISSING if own is None else looked_up(own, name)
    return defined(type(base), name) if found is MISSING else found


def _of_class(classes: tuple[type, ...], name: str, base: Any) -> Any:
    for one in classes:
        found = class_dict(one).get(name, MISSING)
        if found is MISSING:
            continue
        kind = type(found)
        if base is not None and (kind is MemberDescriptorType or kind is _FIELD):
            if not in_memory(type(base), one):
                return MISSING
            try:
                return kind.__get__(found, base, type(base))
            except AttributeError:
                return MISSING
        return found if defined(kind, "__get__") is MISSING else MISSING
    return MISSING


_FIELD: Final = type(namedtuple("_FIELD", "one").one)  # type: ignore[attr-defined]


def element(base: Any, key: Any) -> Any:
    """Of a plain container; MISSING if it is not there, or only code could tell."""
    kind = type(base)
    if issubclass(kind, dict):
        plain = defined(kind, "__getitem__") is _OF_DICTS
        return looked_up(base, key) if plain else MISSING
    if type(key) is not int and type(key) is not bool:
        return MISSING
    for one, takes in _INDEXED:
        if issubclass(kind, one):
            return _indexed(base, key, one, takes)
    return MISSING


def _indexed(base: Any, key: int, kind: Any, takes: Any) -> Any:
    if defined(type(base), "__getitem__") is not takes:
        return MISSING
    if kind is deque and key < 0:
        key += deque.__len__(base)  # else it asks its class
        if key < 0:
            return MISSING
    try:
        return takes(base, key)
    except IndexError:
        return MISSING


_OF_DICTS: Final = defined(dict, "__getitem__")
_INDEXED: Final = tuple(
    (kind, defined(kind, "__getitem__")) for kind in (list, tuple, str, bytes, deque, range)
)


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
    if is_plain(value) or issubclass(kind, _CLOSED):
        return False
    if issubclass(kind, (list, dict, set, frozenset, tuple, deque)):
        return True
    return is_heap_type(kind) and (own_dict(value) is not None or _slots(kind))


def _slots(kind: type) -> bool:
    return any("__slots__" in class_dict(one) for one in mro(kind)[:-1])


class Keyed:
    """Keys, and what stands under them. No dict: that would hash them, and compare them with each other."""

    __slots__ = ("keys", "values")

    def __init__(self, keys: tuple[Any, ...], values: tuple[Any, ...]) -> None:
        self.keys = keys
        self.values = values

    def __len__(self) -> int:
        return len(self.keys)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.keys)


def contents(value: Any) -> Any:
    """A flat copy, in a form that `unchanged` and `parts` know: a tuple of items, or keys with theirs."""
    kind = type(value)
    try:
        found = _items(kind, value)
        return _attributes(value) if found is None else found
    except (RuntimeError, TypeError):  # another thread changes it
        return ()


def _attributes(value: Any) -> Keyed:
    own = own_dict(value) or {}
    keys, values = tuple(own), tuple(own.values())
    seen = set[str]()
    for one in mro(type(value))[:-1]:
        for name, slot in class_dict(one).items():
            if type(slot) is MemberDescriptorType and type(name) is str and name not in seen:
                found = attribute(value, name)
                if found is not MISSING:
                    seen.add(name)
                    keys, values = (*keys, name), (*values, found)
    return Keyed(keys, values)


def _items(kind: type, value: Any) -> Any:
    """By the methods of the plain kinds: those of classes made from them are the user's. None of others. Of a
    large one no more than what is kept is looked at: a line may change it a million times."""
    if issubclass(kind, dict):
        if dict.__len__(value) <= _ITEMS:
            return Keyed(tuple(dict.keys(value)), tuple(dict.values(value)))
        newest = [*islice(reversed(dict.items(value)), _ITEMS)][::-1]
        return Keyed(tuple(key for key, _ in newest), tuple(part for _, part in newest))
    if issubclass(kind, list):
        return tuple(list.__getitem__(value, slice(_ITEMS * 10)))
    if issubclass(kind, tuple):
        return tuple.__getitem__(value, slice(_ITEMS * 10))
    if issubclass(kind, deque):
        return tuple(islice(deque.__iter__(value), _ITEMS * 10))
    if issubclass(kind, set):
        return _members(set.__iter__(value))
    if issubclass(kind, frozenset):
        return _members(frozenset.__iter__(value))
    return None


def items_beyond(value: Any) -> int:
    """How many items it has if they are more than are kept; else 0."""
    kind = type(value)
    plain = next((one for one in (dict, list, tuple, set, frozenset, deque) if issubclass(kind, one)), None)
    size = plain.__len__(value) if plain is not None else 0
    ordered = plain is list or plain is tuple or plain is deque
    return size if size > (_ITEMS * 10 if ordered else _ITEMS) else 0


def _members(each: Iterator[Any]) -> Keyed:
    found = tuple(islice(each, _ITEMS))
    return Keyed(found, (True,) * len(found))


def unchanged(before: Any, after: Any) -> bool:
    """Of two `contents`: the very same things are in them."""
    if type(before) is not type(after) or len(before) != len(after):
        return False
    if type(before) is tuple:
        return all(map(same, before, after))
    return all(map(same, before.values, after.values)) and all(map(same, before.keys, after.keys))


def parts(found: Any) -> Iterator[tuple[Any, Any]]:
    """(key, value) of `contents`."""
    return iter(enumerate(found)) if type(found) is tuple else zip(found.keys, found.values, strict=True)
