"""Where inside a result the value is that cannot be sent."""

from __future__ import annotations

import math
from typing import Any

from relive_capture.record.inspection import mro, type_name

__all__ = ["find_unserialisable"]

_MAX_VALUES = 200_000
_MAX_DEPTH = 1000
_PLAIN = (str, int, float, bool, type(None))
_PLAIN_IDS = frozenset(map(id, _PLAIN))  # a metaclass of the user's may compare types


def find_unserialisable(value: object) -> tuple[str, str]:
    """(path such as "result.items[3].when", reason) of the first value that JSON cannot hold; ("", "")
    where every
    value looked at can. At most 200,000 values are looked at, and none of their code is called."""
    pending: list[tuple[object, str, tuple[int, ...]]] = [(value, "result", ())]
    looked = 0
    while pending and looked < _MAX_VALUES:
        looked += 1
        current, path, above = pending.pop()
        reason = _reason(current, above)
        if reason:
            return path, reason
        pending.extend(_inner(current, path, above))
    return "", ""


def _reason(value: Any, above: tuple[int, ...]) -> str:
    cls = type(value)
    if cls is float and not math.isfinite(value):
        return f"{value!r} is not JSON"
    if cls is str:
        return "" if value.isascii() or _encodes(value) else "a string with lone surrogates is not UTF-8"
    if any(id(base) in _PLAIN_IDS for base in mro(cls)):
        return ""
    if not issubclass(cls, dict | list | tuple):
        return f"{type_name(cls)} is not JSON"
    if id(value) in above:
        return f"this {type_name(cls)} contains itself"
    if len(above) >= _MAX_DEPTH:
        return f"nested deeper than {_MAX_DEPTH} levels"
    if issubclass(cls, dict):
        for key in dict.keys(value):
            if id(type(key)) not in _PLAIN_IDS:
                return f"a key of type {type_name(type(key))} is not JSON"
    return ""


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _inner(value: Any, path: str, above: tuple[int, ...]) -> list[tuple[object, str, tuple[int, ...]]]:
    cls = type(value)
    if issubclass(cls, dict):
        chain = (*above, id(value))
        items = [(item, f"{path}.{str(key)[:60]}", chain) for key, item in dict.items(value)]
    elif issubclass(cls, list | tuple):
        chain = (*above, id(value))
        items = [(item, f"{path}[{number}]", chain) for number, item in enumerate(_listed(value, cls))]
    else:
        return []
    items.reverse()  # the first one is looked at first
    return items


def _listed(value: Any, cls: type) -> Any:
    return list.__iter__(value) if issubclass(cls, list) else tuple.__iter__(value)
