"""Looking into the user's objects without running the user's code: parts, contents, texts as of a moment."""

from __future__ import annotations

import ast
import enum
from collections import deque
from collections.abc import Iterator, Mapping
from types import (
    AsyncGeneratorType,
    BuiltinFunctionType,
    CodeType,
    CoroutineType,
    FrameType,
    FunctionType,
    GeneratorType,
    MethodType,
    ModuleType,
    TracebackType,
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
    "has_contents",
    "interned",
    "is_plain",
    "kept",
    "parts",
    "same",
    "unchanged",
]  # fmt: skip

MISSING: Final[Any] = type("_Missing", (), {"__repr__": lambda _self: "(no value)"})()
_PLAIN: Final = (type(None), bool, int, float, complex, str, bytes)
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
    if type(value) in (str, bytes) and len(value) > _LARGE_CHARS:
        return Large(value)
    return value


def is_plain(value: object) -> bool:
    """It cannot change, and comparing it runs nobody's code."""
    return type(value) in _PLAIN


def interned(value: object) -> bool:
    """Whether equal ones may be the same object by chance, so that its identity says nothing."""
    kind = type(value)
    if value is None or kind is bool or issubclass(kind, (enum.Enum, *CODE)):
        return True
    if kind is int:
        return True
    if kind in (str, bytes):
        return len(value) < 2  # type: ignore[arg-type]
    return value == () if kind is tuple else False


def same(one: object, other: object) -> bool:
    """The same object, or equal plain values of one type."""
    return one is other or (type(one) is type(other) and type(one) in _PLAIN and (one == other or one != one))


# ------------------------------------------------------------ parts


def own_dict(value: object) -> dict[str, Any] | None:
    """Of an object with attributes."""
    try:
        found = object.__getattribute__(value, "__dict__")
    except (AttributeError, TypeError):
        return None
    return found if type(found) is dict else None


def attribute(base: Any, name: str) -> Any:
    """Of a plain object; MISSING of what only code could tell."""
    if isinstance(base, ModuleType):
        return vars(base).get(name, MISSING)
    if isinstance(base, type):
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
        return MISSING if hasattr(kind, "__get__") else found
    return MISSING


def _hashes_plainly(key: object) -> bool:
    if type(key) is tuple:
        return all(map(_hashes_plainly, key))
    return type(key) in _PLAIN or issubclass(type(key), enum.Enum) or type(key).__hash__ is object.__hash__


def element(base: Any, key: Any) -> Any:
    """Of a plain container; MISSING if it is not there, or only code could tell."""
    kind = type(base)
    if issubclass(kind, dict):
        if kind.__getitem__ is not dict.__getitem__ or not _hashes_plainly(key):
            return MISSING
        return dict.get(base, key, MISSING)
    if issubclass(kind, (list, tuple, str, bytes, deque, range)) and type(key) in (int, bool):
        if "__getitem__" in vars(kind) and kind not in (list, tuple, str, bytes, deque, range):
            return MISSING
        try:
            return base[key]
        except IndexError:
            return MISSING
    return MISSING


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
        return -number if type(number) in (int, float) else MISSING
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
    if kind in _PLAIN or issubclass(kind, _CLOSED):
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
        if issubclass(kind, dict):
            found: Any = dict(value.items()) if kind is not dict else value.copy()
            return found if len(found) <= _ITEMS else dict(list(found.items())[-_ITEMS:])
        if issubclass(kind, (list, tuple, deque)):
            return tuple(value) if len(value) <= _ITEMS * 10 else tuple(list(value)[: _ITEMS * 10])
        if issubclass(kind, (set, frozenset)):
            return dict.fromkeys(list(value)[:_ITEMS], True)
    except (RuntimeError, TypeError):  # another thread changes it
        return ()
    own = dict(own_dict(value) or {})
    for one in type(value).__mro__[:-1]:
        for name, slot in vars(one).items():
            if type(slot).__name__ == "member_descriptor":
                found = attribute(value, name)
                if found is not MISSING:
                    own[name] = found
    return own


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
