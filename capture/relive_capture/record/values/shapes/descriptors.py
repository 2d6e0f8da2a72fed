"""Reading objects of C types through what C put into their class, and nothing else.

What a class statement of the user's added, or put over it, is never found here: only descriptors that C made
count.
"""

from __future__ import annotations

from types import GetSetDescriptorType, MemberDescriptorType, MethodDescriptorType, WrapperDescriptorType
from typing import Any, Final

from relive_capture.record.inspection import class_dict, in_memory, mro, plain_name

__all__ = ["buffer", "call", "field", "fields"]

_READABLE: Final = frozenset(map(id, (GetSetDescriptorType, MemberDescriptorType)))
_CALLABLE: Final = frozenset(map(id, (MethodDescriptorType, WrapperDescriptorType)))
"""By address: to compare types may be code of a metaclass."""
_BUFFERS_SHOW: Final = hasattr(bytes, "__buffer__")
_CYTHON: Final = "cython_function_or_method"


def field(obj: object, name: str) -> Any:
    """The value of an attribute that C made. Raises AttributeError if there is none, or no value."""
    for base in mro(type(obj)):
        found = class_dict(base).get(name)
        if id(type(found)) in _READABLE and in_memory(type(obj), base):
            return found.__get__(obj, base)
    raise AttributeError(name)


def buffer(obj: Any) -> memoryview:
    """The memory of an object of a C type. Raises TypeError if C does not offer it: from Python 3.12 on a
    class may offer some with a method of its own."""
    return call(obj, "__buffer__", 0) if _BUFFERS_SHOW else memoryview(obj)


def fields(obj: object, names: tuple[str, ...]) -> list[tuple[str, Any]]:
    """(name, value) of those attributes that C made and that have a value."""
    found: list[tuple[str, Any]] = []
    for name in names:
        try:
            found.append((name, field(obj, name)))
        except Exception:  # another version of the library, or an object in an odd state
            continue
    return found


def call(obj: object, name: str, *arguments: Any, **options: Any) -> Any:
    """What a method that C made gives. Raises AttributeError if there is none."""
    for base in mro(type(obj)):
        found = class_dict(base).get(name)
        if id(type(found)) in _CALLABLE or plain_name(type(found)) == _CYTHON:
            return found(obj, *arguments, **options)
    raise AttributeError(name)
