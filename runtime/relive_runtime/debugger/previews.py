"""Values in a line, for panels that show them unasked: no code of the user's classes runs for it."""

from __future__ import annotations

import sys
from collections import deque
from itertools import islice
from types import (
    BuiltinFunctionType,
    EllipsisType,
    FunctionType,
    ModuleType,
    NoneType,
    NotImplementedType,
)
from typing import Any, Final

from relive_capture.record.inspection import (
    dict_items,
    instance_dict,
    named_entry,
    plain_name,
    slot_readers,
    type_name,
)

__all__ = ["fields", "is_mapping", "items", "keyed", "preview", "size"]

_DEPTH: Final = 2
_BREADTH: Final = 12
_CHARS: Final = 1_000
_PART: Final = 120
_FIELDS: Final = 1_000
_BRACKETS: Final[dict[type, tuple[str, str]]] = {
    list: ("[", "]"),
    tuple: ("(", ")"),
    set: ("{", "}"),
    frozenset: ("frozenset({", "})"),
    deque: ("deque([", "])"),
}
_INTEGER_BITS: Final = 4_000


def is_mapping(value: object) -> bool:
    """Whether it is a dict, or of a class made from it."""
    return issubclass(type(value), dict)


def size(value: Any) -> int:
    """How many items a container of Python's own has; 0 of all else."""
    for kind in (list, tuple, set, frozenset, deque, dict):
        if issubclass(type(value), kind):
            return int(kind.__len__(value))
    return 0


def items(value: Any, start: int, count: int) -> list[Any]:
    """A page of the items of a list, tuple, set or deque."""
    for kind in (list, tuple):
        if issubclass(type(value), kind):
            return list(kind.__getitem__(value, slice(start, start + count)))
    for other in (set, frozenset, deque):
        if issubclass(type(value), other):
            try:
                return list(islice(other.__iter__(value), start, start + count))
            except RuntimeError:  # another thread changes it
                return []
    return []


def keyed(value: Any, start: int, count: int) -> list[tuple[Any, Any]]:
    """A page of the items of a dict."""
    return dict_items(value, start + count)[start:]


def fields(value: object) -> list[tuple[str, Any]]:
    """The stored attributes of an instance: its `__dict__` and its slots."""
    kind = type(value)
    found = [
        (name, item) for name, item in dict_items(instance_dict(value) or {}, _FIELDS) if type(name) is str
    ]
    for name, descriptor, owner in slot_readers(kind):
        try:
            found.append((name, descriptor.__get__(value, owner)))
        except AttributeError:
            continue  # nothing has been put there
    return found


def preview(value: object) -> str:
    """At most a thousand characters."""
    text = _text(value, _DEPTH, _CHARS)
    return text if len(text) <= _CHARS else text[: _CHARS - 1] + "…"


def _text(value: Any, depth: int, room: int) -> str:
    kind = type(value)
    if kind is str:
        return repr(value) if len(value) <= room else repr(value[:room]) + "…"
    if kind in (bytes, bytearray):
        return repr(bytes(value[:room])) + ("…" if len(value) > room else "")
    if kind is int:
        return repr(value) if value.bit_length() <= _INTEGER_BITS else f"<int of {value.bit_length():,} bits>"
    if kind is dict:
        return _dict_text(value, depth)
    if kind in _BRACKETS:
        return _sequence_text(value, depth)
    if issubclass(kind, type):
        return f"<class {plain_name(value)!r}>"
    if kind in _PLAIN or _has_known_repr(value):
        return _cut(repr(value), room)
    if kind is ModuleType:
        return f"<module {named_entry(instance_dict(value), '__name__')!r}>"
    return _object_text(value, depth)


_PLAIN: Final = frozenset((
    float, complex, bool, NoneType, EllipsisType, NotImplementedType, range, FunctionType,
    BuiltinFunctionType,
))  # fmt: skip
_KNOWN: Final = frozenset((
    "datetime.date", "datetime.datetime", "datetime.time", "datetime.timedelta", "datetime.timezone",
    "decimal.Decimal", "fractions.Fraction", "pathlib.PosixPath", "pathlib._local.PosixPath", "uuid.UUID",
    "zoneinfo.ZoneInfo",
))  # fmt: skip


def _has_known_repr(value: Any) -> bool:
    """Whether it is of one of the standard library's own plain types, whatever others call themselves."""
    kind = type(value)
    name = type_name(kind)
    if name not in _KNOWN:
        return False
    module, _, plain = name.rpartition(".")
    found = sys.modules.get(module)
    if type(found) is not ModuleType or found.__dict__.get(plain) is not kind:
        return False
    zone = value.tzinfo if name in ("datetime.datetime", "datetime.time") else None
    return zone is None or _has_known_repr(zone)


def _cut(text: str, room: int) -> str:
    return text if len(text) <= room else text[: room - 1] + "…"


def _dict_text(value: dict[Any, Any], depth: int) -> str:
    if not depth:
        return "{…}" if value else "{}"
    parts = [
        f"{_text(key, 0, _PART)}: {_text(item, depth - 1, _PART)}" for key, item in keyed(value, 0, _BREADTH)
    ]
    return "{" + ", ".join(parts) + _rest(len(value)) + "}"


def _sequence_text(value: Any, depth: int) -> str:
    count = size(value)
    if type(value) in (set, frozenset) and not count:
        return f"{plain_name(type(value))}()"
    begin, end = _BRACKETS[type(value)]
    if not depth:
        return f"{begin}…{end}" if count else begin + end
    parts = [_text(item, depth - 1, _PART) for item in items(value, 0, _BREADTH)]
    comma = "," if type(value) is tuple and count == 1 else ""
    return begin + ", ".join(parts) + comma + _rest(count) + end


def _rest(count: int) -> str:
    return f", … {count - _BREADTH:,} more" if count > _BREADTH else ""


def _object_text(value: object, depth: int) -> str:
    name = plain_name(type(value))
    count = size(value)
    if count:
        return f"<{name} of {count:,} items>"
    stored = fields(value)
    if not stored:
        return f"<{name} object>"
    if not depth:
        return f"{name}(…)"
    parts = [f"{key}={_text(item, depth - 1, _PART)}" for key, item in stored[:_BREADTH]]
    return f"{name}({', '.join(parts)}{_rest(len(stored))})"
