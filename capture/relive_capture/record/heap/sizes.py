"""Shallow sizes of objects, as the built-in types tell them, never by a `__sizeof__` of the user's."""

from __future__ import annotations

from collections.abc import Callable
from types import MethodDescriptorType
from typing import Any, Final

from relive_capture.record.heap.held import HAVE_GC, base_of, flags_of
from relive_capture.record.inspection import class_dict, is_heap_type, module_name

__all__ = ["Sizes"]

_PREHEADER: Final = 1 << 4 | 1 << 3  # a managed dict, managed weak references
_POINTER_BYTES: Final = 8
_TRUSTED: Final = frozenset(
    {
        "builtins", "collections", "array", "numpy", "_io", "mmap", "itertools", "functools", "_struct",
        "_random", "_asyncio",
    }
)  # fmt: skip
_basic_size: Callable[[type], int] = type.__dict__["__basicsize__"].__get__
_item_size: Callable[[type], int] = type.__dict__["__itemsize__"].__get__


class Sizes:
    """Bytes of an object, with the collector's header. What was found out of a type is kept."""

    def __init__(self, held_bytes: int) -> None:
        self._held_bytes = held_bytes
        self._known: dict[int, tuple[Any, int]] = {}

    def of(self, value: object) -> int:
        """Never calls the user's code."""
        cls = type(value)
        known = self._known.get(id(cls))
        if known is None:
            known = self._known[id(cls)] = (_reader(cls), _bytes_before(cls))
        try:
            size: int = known[0](value)
        except Exception:
            size = _basic_size(cls)
        if size > self._held_bytes:
            size = _basic_size(cls)  # no object is larger than its process
        return size + known[1]


def _reader(cls: type) -> Any:
    base: type | None = cls
    while base is not None:
        reader = class_dict(base).get("__sizeof__")
        trusted = type(reader) is MethodDescriptorType and module_name(base) in _TRUSTED
        if trusted and (base is not object or _counts_items(cls)):
            return reader
        base = base_of(base)
    return lambda _: _basic_size(cls)


def _counts_items(cls: type) -> bool:
    """Whether the number of items in an object means what it says: a C type may keep something else there."""
    if not _item_size(cls):
        return True
    base: type | None = cls
    while base is not None:
        if not is_heap_type(base) and module_name(base) == "builtins" and _item_size(base):
            return True
        base = base_of(base)
    return False


def _bytes_before(cls: type) -> int:
    flags = flags_of(cls)
    return 2 * _POINTER_BYTES * (bool(flags & HAVE_GC) + bool(flags & _PREHEADER))
