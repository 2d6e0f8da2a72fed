"""Objects of C types that nothing is known about: what they hold, as the garbage collector sees it, else
their size. An object with something inside never reads like an empty one."""

from __future__ import annotations

import gc
from collections.abc import Callable
from types import ModuleType
from typing import Any, Final

from relive_capture.record.inspection import mro, slot_readers
from relive_capture.record.values.shapes.containers import Shape
from relive_capture.record.values.shapes.descriptors import buffer

__all__ = ["has_hidden", "held_by", "hidden_shape", "size_text"]

_layout = type.__dict__
_basic_size: Callable[[type], int] = _layout["__basicsize__"].__get__
_item_size: Callable[[type], int] = _layout["__itemsize__"].__get__
_dict_offset: Callable[[type], int] = _layout["__dictoffset__"].__get__
_weak_offset: Callable[[type], int] = _layout["__weakrefoffset__"].__get__
_POINTER: Final = tuple.__itemsize__
_MAX_CHECKED: Final = 100_000
_EMPTY: Final = object.__basicsize__


def has_hidden(cls: type) -> bool:
    """Whether instances have room for more than their `__dict__`, their weak references and their slots."""
    if _item_size(cls):
        return True
    room = _basic_size(cls) - _EMPTY
    known = len(slot_readers(cls)) + (_dict_offset(cls) > 0) + (_weak_offset(cls) > 0)
    return room > known * _POINTER


def hidden_shape(obj: object, limit: int) -> Shape:
    """What an object holds, without its class and its modules; its size if that is nothing."""
    found = held_by(obj)
    if found:
        return "(", ")", "plain", len(found), found[:limit]
    return f"({size_text(obj)}", ")", "plain", -1, []


def held_by(obj: object) -> list[Any]:
    """What the garbage collector sees in an object, without its class and its modules."""
    return [
        one
        for one in gc.get_referents(obj)
        if type(one) is not ModuleType and not _is_class_of(one, obj) and _is_whole(one)
    ]


def _is_whole(one: Any) -> bool:
    """Whether no place in it is empty: C code keeps lists of its own that are filled later (such as the stack
    of an XML parser), and to read an empty place would be fatal. The collector passes over these."""
    cls = type(one)
    if cls is not list and cls is not tuple:
        return True
    return len(one) <= _MAX_CHECKED and len(gc.get_referents(one)) == len(one)


def size_text(obj: object) -> str:
    """ "… 80 bytes": of the buffer that C offers, else of the object itself."""
    size = _buffer_size(obj)
    return f"… {object.__sizeof__(obj) if size < 0 else size} bytes"


def _is_class_of(one: object, obj: object) -> bool:
    return any(one is base for base in mro(type(obj)))


def _buffer_size(obj: object) -> int:
    """Bytes in the buffer that C offers, or -1."""
    try:
        with buffer(obj) as view:
            return view.nbytes
    except Exception:  # most objects have none
        return -1
