"""What an object holds, under which name: asked of the interpreter itself, never of the object.

The same as `expand` in _heapwalk.c, in the same order. One difference: attributes that an instance keeps
without a dict have names only once it has one, so it gets one here; the C walker reads them in place.
"""

from __future__ import annotations

import gc
import types
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Final

from relive_capture.heap_format import ATTRIBUTE, INDEX, INTERNAL, ITEM, KEY
from relive_capture.record.inspection import class_dict, dict_reader, is_heap_type

__all__ = ["DICT_NAME", "GLOBALS_NAME", "Edge", "base_of", "flags_of", "held"]

Edge = tuple[int, Any, Any]
"""(kind of the label, its name or position, the object). The name of an ITEM is the key itself."""

DICT_NAME: Final = "__dict__"
GLOBALS_NAME: Final = "__globals__"

flags_of: Callable[[type], int] = type.__dict__["__flags__"].__get__
base_of: Callable[[type], type | None] = type.__dict__["__base__"].__get__
_MANAGED_DICT: Final = 1 << 4
_FUNCTION_NAMES: Final = (
    "__code__", "__globals__", "__module__", "__defaults__", "__kwdefaults__", "__doc__", "__name__",
    "__closure__", "__qualname__", "__builtins__",
)  # fmt: skip
_CODE_NAMES: Final = (
    "co_consts", "co_names", "co_filename", "co_name", "co_qualname", "co_linetable", "co_exceptiontable",
)  # fmt: skip
_TYPE_NAMES: Final = tuple((name, type.__dict__[name]) for name in ("__mro__", "__bases__", "__base__"))
_ERROR_NAMES: Final = ("args", "__traceback__", "__cause__", "__context__")
_Expected = list[tuple[Any, int, Any]]


def held(value: Any, *, names: bool = False) -> list[Edge]:
    """Everything that `value` holds. `names`: it is a dict of attributes, so its keys are names."""
    cls = type(value)
    if cls is types.CodeType:
        return [(INTERNAL, name, getattr(value, name)) for name in _CODE_NAMES]
    if cls is dict:
        return _entries(value, names)
    if cls is list or cls is tuple:
        return [(INDEX, place, item) for place, item in enumerate(list(value))]
    if cls is set or cls is frozenset or cls is deque:
        return list(_members_of_set(cls, gc.get_referents(value)))
    if issubclass(cls, dict):
        return _subclass(value, _entries(value, names), pairs=True)
    if issubclass(cls, list):
        return _subclass(value, [(INDEX, at, item) for at, item in enumerate(list.__iter__(value))])
    if issubclass(cls, tuple):
        return _subclass(value, [(INDEX, at, item) for at, item in enumerate(tuple.__iter__(value))])
    return _subclass(value, [])


def _entries(value: Any, names: bool) -> list[Edge]:
    edges: list[Edge] = []
    for place, (key, item) in enumerate(list(dict.items(value))):
        edges.append((KEY, place, key))
        edges.append((ATTRIBUTE if names and type(key) is str else ITEM, key, item))
    return edges


def _members_of_set(cls: type, children: list[Any]) -> Iterator[Edge]:
    place = 0
    for at, child in enumerate(children):
        if child is cls and at == 0:
            yield INTERNAL, "__class__", child
        else:
            yield INDEX, place, child
            place += 1


def _subclass(value: object, own: list[Edge], *, pairs: bool = False) -> list[Edge]:
    """`own` is what a container has told; the rest comes from the interpreter."""
    expected = _by_identity(_expected(value))  # first: it may give the instance a dict
    told = 0
    edges = list(own)
    for child in gc.get_referents(value):
        if told < len(own) and pairs and child is own[told][2]:
            continue  # a key; its value follows
        if told < len(own) and child is own[told + pairs][2]:
            told += 1 + pairs
            continue
        labels = expected.get(id(child))
        kind, name = labels.pop(0) if labels else (INTERNAL, "")
        edges.append((kind, name, child))
    return edges


def _by_identity(expected: _Expected) -> dict[int, list[tuple[int, Any]]]:
    labels: dict[int, list[tuple[int, Any]]] = {}
    for child, kind, name in expected:
        labels.setdefault(id(child), []).append((kind, name))
    return labels


def _expected(value: Any) -> _Expected:
    cls = type(value)
    if cls is types.FunctionType:
        return [(getattr(value, name), INTERNAL, name) for name in _FUNCTION_NAMES]
    if cls is types.CellType:
        return _cell(value)
    if issubclass(cls, type) and not is_heap_type(value):
        return []  # one of C's, perhaps not even ready: it tells nothing
    if cls is types.TracebackType:
        return [(value.tb_next, INTERNAL, "tb_next"), (value.tb_frame, INTERNAL, "tb_frame")]
    expected = list(_members(value, cls))
    if issubclass(cls, type):
        expected += _namespace_of_type(value)
        expected += [(reader.__get__(value), INTERNAL, name) for name, reader in _TYPE_NAMES]
    elif issubclass(cls, BaseException):
        readers = ((name, BaseException.__dict__[name]) for name in _ERROR_NAMES)
        expected += [(reader.__get__(value), INTERNAL, name) for name, reader in readers]
    expected += _attributes(value, cls)
    expected.append((cls, INTERNAL, "__class__"))
    return expected


def _cell(value: Any) -> _Expected:
    try:
        return [(value.cell_contents, INTERNAL, "cell_contents")]
    except ValueError:
        return []  # it is empty


def _namespace_of_type(cls: type) -> _Expected:
    return [
        (found, INTERNAL, DICT_NAME) for found in gc.get_referents(class_dict(cls)) if type(found) is dict
    ]


def _members(value: object, cls: type) -> Iterator[tuple[Any, int, Any]]:
    """`__slots__`, and the members of C types."""
    base: type | None = cls
    while base is not None:
        kind = ATTRIBUTE if is_heap_type(base) else INTERNAL
        for name, descriptor in list(class_dict(base).items()):
            if type(descriptor) is types.MemberDescriptorType:
                try:
                    yield descriptor.__get__(value, cls), kind, name
                except (AttributeError, TypeError):
                    continue  # an empty slot
        base = base_of(base)


def _attributes(value: object, cls: type) -> _Expected:
    reader = dict_reader(cls)
    if reader is None or issubclass(cls, type) or type(reader[0]) is not types.GetSetDescriptorType:
        return []
    if not flags_of(cls) & _MANAGED_DICT and not any(
        type(found) is dict for found in gc.get_referents(value)
    ):
        return []  # asking would make a dict
    try:
        found = reader[0].__get__(value, reader[1])
    except (AttributeError, TypeError):
        return []
    if type(found) is not dict:
        return []
    return [(found, INTERNAL, DICT_NAME), *((item, ATTRIBUTE, key) for key, item in list(found.items()))]
