"""What is inside objects of ctypes: only memory that the object owns is read, and no pointer is followed."""

from __future__ import annotations

from typing import Any, Final

from relive_capture.record.inspection import class_dict, module_name, mro, static_lookup, type_name
from relive_capture.record.values.shapes.containers import Shape
from relive_capture.record.values.shapes.descriptors import buffer, call

__all__ = ["array_shape", "fields_shape", "pointer_shape", "simple_shape"]

_FOLLOWED: Final = "zZOX"  # types of a value whose getter reads what it points to
_MAX_BASES: Final = 20
_MAX_FIELDS: Final = 1000


def _owns(obj: Any) -> bool:
    """Whether the memory belongs to `obj` or to what it is a part of."""
    for _ in range(_MAX_BASES):
        base = _member(obj, "_b_base_")
        if base is None:
            return bool(_member(obj, "_b_needsfree_"))
        obj = base
    return False


def _member(obj: Any, name: str) -> Any:
    for base in mro(type(obj)):
        if type_name(base) == "_ctypes._CData" and class_dict(base).get(name) is not None:
            return class_dict(base)[name].__get__(obj, base)
    return None


def _foreign(obj: Any) -> Shape:
    with buffer(obj) as view:  # asks for the size, reads nothing
        return f"(… {view.nbytes} bytes of memory that is not its own", ")", "plain", -1, []


def _points(cls: Any) -> bool:
    """Whether getting a value of this type would read what it points to."""
    kind = static_lookup(cls, "_type_")[1] if module_name(type(cls)) == "_ctypes" else None
    return type(kind) is str and kind in _FOLLOWED


def fields_shape(obj: Any, limit: int) -> Shape:
    """Of a Structure or Union."""
    if not _owns(obj):
        return _foreign(obj)
    found: list[tuple[str, Any]] = []
    total = 0
    for base in reversed(mro(type(obj))):
        declared = class_dict(base).get("_fields_")
        for one in declared[:_MAX_FIELDS] if type(declared) in (list, tuple) else ():
            name, kind = one[0], one[1]
            descriptor = class_dict(base).get(name)
            if module_name(type(descriptor)) != "_ctypes":
                continue
            total += 1
            if len(found) < limit:
                found.append(
                    (
                        name,
                        _address(obj, descriptor.offset) if _points(kind) else descriptor.__get__(obj, base),
                    )
                )
    return "(", ")", "fields", total, found


def array_shape(obj: Any, limit: int) -> Shape:
    """Of an Array: items, or the bytes of an array of characters."""
    length = call(obj, "__len__")
    if not _owns(obj):
        return _foreign(obj)
    kind = static_lookup(type(obj), "_type_")[1]
    if _points(kind):
        return f"(… {length} pointers", ")", "plain", -1, []
    part = call(obj, "__getitem__", slice(0, 600 if _is_char(kind) else limit))
    if type(part) in (bytes, str):
        return "(", ")", "fields", 2, [("value", part), ("length", length)][:limit]
    return "([", "])", "plain", length, list(part)


def _is_char(kind: Any) -> bool:
    code = static_lookup(kind, "_type_")[1]
    return type(code) is str and code in "cu"


def simple_shape(obj: Any, limit: int) -> Shape:
    """Of c_int and the like; the address of what points to something."""
    if _points(type(obj)) or not _owns(obj):
        return pointer_shape(obj, limit)
    for base in mro(type(obj)):
        if type_name(base) == "_ctypes._SimpleCData":
            return "(", ")", "plain", 1, [class_dict(base)["value"].__get__(obj, base)][:limit]
    return _foreign(obj)


def pointer_shape(obj: Any, limit: int) -> Shape:
    """Of a pointer: where to."""
    if not _owns(obj):
        return _foreign(obj)
    address = _address(obj, 0)
    return f"({f'to {address:#x}' if address else 'NULL'}", ")", "plain", -1, []


def _address(obj: Any, offset: int) -> int:
    with buffer(obj) as view, view.cast("B") as data:
        return int.from_bytes(data[offset : offset + 8], "little")
