"""Looking at objects without running a line of their code.

`isinstance`, `len`, `getattr`, `repr` and even `type.__name__` can be overridden by the user's classes and
metaclasses. Everything here goes through the descriptors of the built-in base types, which cannot.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from types import GetSetDescriptorType, MemberDescriptorType
from typing import Any, Final

__all__ = [
    "class_dict",
    "dict_items",
    "dict_reader",
    "in_memory",
    "instance_dict",
    "is_heap_type",
    "is_immutable_type",
    "mro",
    "named_entry",
    "plain_name",
    "slot_readers",
    "static_lookup",
    "type_name",
]

_TYPE_DICT: Final = type.__dict__
_mro: Callable[[type], tuple[type, ...]] = _TYPE_DICT["__mro__"].__get__
_base: Callable[[type], type | None] = _TYPE_DICT["__base__"].__get__
_qualname: Callable[[type], object] = _TYPE_DICT["__qualname__"].__get__
_module: Callable[[type], object] = _TYPE_DICT["__module__"].__get__
_dict: Callable[[type], Any] = _TYPE_DICT["__dict__"].__get__
_flags: Callable[[type], int] = _TYPE_DICT["__flags__"].__get__
_HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE: made by a class statement, not by C
_IMMUTABLE_TYPE = 1 << 8  # Py_TPFLAGS_IMMUTABLETYPE: no class statement makes such a one
_MAX_NAME = 120
_MAX_SLOTS = 64
_OF_C = (  # what C keeps for itself and a reader has no use for
    "__vectorcalloffset__",
    "__dictoffset__",
    "__weaklistoffset__",
    "_b_base_",
    "_b_needsfree_",
    "_objects",
)


def mro(cls: type) -> tuple[type, ...]:
    """The real method resolution order of `cls`."""
    return _mro(cls)


def class_dict(cls: type) -> Any:
    """The class's own namespace, read-only."""
    return _dict(cls)


def is_heap_type(cls: type) -> bool:
    """Whether a class statement (or its equivalent) made `cls`."""
    return bool(_flags(cls) & _HEAP_TYPE)


def is_immutable_type(cls: type) -> bool:
    """Whether C made `cls`, so that nobody has put methods of their own into it."""
    return bool(_flags(cls) & _IMMUTABLE_TYPE)


def type_name(cls: type) -> str:
    """`module.Qualname`, without the module for built-ins and `__main__`; at most 120 characters."""
    name = _qualname(cls)
    module = module_name(cls)
    text = name[:_MAX_NAME] if type(name) is str else "?"
    if not module or module in ("builtins", "__main__"):
        return text
    return f"{module}.{text}"[:_MAX_NAME]


def plain_name(cls: type) -> str:
    """The name alone, without module and outer classes."""
    name = _qualname(cls)
    return name.rpartition(".")[2] if type(name) is str else "?"


def module_name(cls: type) -> str:
    """Where `cls` says that it was defined, or ""."""
    try:
        module = _module(cls)
    except AttributeError:
        return ""
    return module[:_MAX_NAME] if type(module) is str else ""


def static_lookup(cls: type, name: str) -> tuple[type | None, object]:
    """The class along the MRO that has `name` in its own namespace, and what is there."""
    for base in _mro(cls):
        namespace = _dict(base)
        if name in namespace:
            return base, namespace[name]
    return None, None


def instance_dict(obj: object) -> dict[Any, Any] | None:
    """The real `__dict__` of an instance, or None if it has none or hides it."""
    reader = dict_reader(type(obj))
    if reader is None:
        return None
    try:
        found = reader[0].__get__(obj, reader[1])
    except (AttributeError, TypeError):
        return None
    return found if issubclass(type(found), dict) else None


def named_entry(mapping: dict[Any, Any] | None, name: str) -> Any:
    """`mapping[name]` or None. Not by a lookup, which may compare `name` to a key of the user's own class
    with the same hash; the first thousand entries are looked at."""
    for key, value in dict_items(mapping, 1000) if mapping is not None else ():
        if type(key) is str and key == name:
            return value
    return None


def dict_reader(cls: type) -> tuple[Any, type] | None:
    """(descriptor, its class) of the real `__dict__` of instances, or None if they have none."""
    for base in _mro(cls):
        descriptor = _dict(base).get("__dict__")
        if type(descriptor) in (GetSetDescriptorType, MemberDescriptorType):
            return descriptor, base
    return None


def in_memory(cls: type, base: type) -> bool:
    """Whether instances of `cls` have the memory that members of `base` lie in. C code puts classes into an
    MRO that have none (asyncpg does, with uuid.UUID): their members would be read past the object."""
    found: type | None = cls
    while found is not None and found is not base:
        found = _base(found)
    return found is base


def slot_readers(cls: type) -> list[tuple[str, Any, type]]:
    """(name, descriptor, its class) of `__slots__`, base classes first, at most 64."""
    found: list[tuple[str, Any, type]] = []
    for base in reversed(_mro(cls)):
        if is_heap_type(base) and in_memory(cls, base):
            for name, descriptor in dict_items(_dict(base), 512):
                if type(descriptor) is MemberDescriptorType and type(name) is str and name not in _OF_C:
                    found.append((name, descriptor, base))
    return found[:_MAX_SLOTS]


def dict_items(mapping: Any, limit: int) -> list[tuple[Any, Any]]:
    """At most `limit` items of a dict, of a subclass, or of a class namespace, without calling its methods.

    A dict that another thread changes meanwhile gives what was read until then.
    """
    items: list[tuple[Any, Any]] = []
    view = dict.items(mapping) if issubclass(type(mapping), dict) else mapping.items()
    try:
        items.extend(islice(view, limit))
    except RuntimeError:
        pass  # "changed size during iteration": what was read is kept
    return items
