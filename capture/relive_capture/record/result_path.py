"""Where inside a result the value is that JSON does not have: one finder, for the message and the scene."""

from __future__ import annotations

import math
import sys
from typing import Any, Final

from relive_capture.record.inspection import dict_items, instance_dict, mro, type_name

__all__ = ["find_unserialisable"]

_MAX_VALUES: Final = 200_000
_MAX_DEPTH: Final = 200
_MAX_KEY: Final = 60
_SMALL_BITS: Final = 2_000
_FLOAT_DIGITS: Final = 308
_PLAIN_IDS: Final = frozenset(map(id, (str, int, float, bool, type(None))))
# by id: a metaclass of the user's may compare types

_Pending = tuple[Any, str, tuple[int, ...]]  # value, its path, the addresses of what it is in


def find_unserialisable(value: object, root: str = "result", *, decimals: bool = True) -> tuple[str, str]:
    """(path such as `result["items"][3]["when"]`, what is there such as "set") of the first value, in the
    order of the encoder, that it cannot write; ("", "") if every value looked at is fine.

    `decimals`: whether they are numbers to it. At most 200,000 values are looked at, none of their code is
    called. How deep a value may be depends on the stack: what is nested deeply is named only if nothing
    else is wrong.
    """
    pending: list[_Pending] = [(value, root, ())]
    deepest = ""
    looked = 0
    while pending and looked < _MAX_VALUES:
        looked += 1
        current, path, above = pending.pop()
        reason = _reason(current, above, decimals)
        if reason:
            return path, reason
        if len(above) >= _MAX_DEPTH:
            deepest = deepest or path
        if len(above) < 5 * _MAX_DEPTH:
            pending.extend(_inner(current, path, above))
    return (deepest, f"nested more than {_MAX_DEPTH} levels deep") if deepest else ("", "")


def _reason(value: Any, above: tuple[int, ...], decimals: bool) -> str:
    cls = type(value)
    if value is None or cls is bool:
        return ""
    if issubclass(cls, str):
        return _text_reason(value)
    if issubclass(cls, int):
        return _int_reason(value)
    if issubclass(cls, float):
        return "" if math.isfinite(float.__float__(value)) else "NaN or an infinity"
    if not issubclass(cls, dict | list | tuple):
        return _other_reason(value, cls, decimals)
    if id(value) in above:
        return "a reference to one of its own parents"
    if issubclass(cls, dict):
        for key, _ in dict_items(value, _MAX_VALUES):
            reason = _key_reason(key)
            if reason:
                return reason
    return ""


def _int_reason(value: int) -> str:
    """Python makes no decimal text of an int with very many digits."""
    bits, limit = int.bit_length(value), sys.get_int_max_str_digits()
    if bits <= _SMALL_BITS or not limit:
        return ""
    if bits <= 4 * limit:
        try:
            int.__repr__(value)
        except ValueError:
            pass
        else:
            return ""
    return f"int of {bits} bits"


def _key_reason(key: Any) -> str:
    cls = type(key)
    if not any(id(base) in _PLAIN_IDS for base in mro(cls)):
        return f"a key of type {type_name(cls)}"
    reason = _reason(key, (), False)
    return f"a key that is {reason}" if reason else ""


def _text_reason(value: str) -> str:
    if str.isascii(value):
        return ""
    try:
        str.encode(value)
    except UnicodeEncodeError as error:
        return f"str with a lone surrogate at index {error.start}"
    return ""


def _other_reason(value: Any, cls: Any, decimals: bool) -> str:
    decimal: Any = (instance_dict(sys.modules.get("decimal")) or {}).get("Decimal")
    if not decimals or decimal is None or not any(base is decimal for base in mro(cls)):
        return type_name(cls)
    if not decimal.is_finite(value):
        return "Decimal that is not finite"
    whole = decimal.__eq__(value, decimal.to_integral_value(value))
    most = (sys.get_int_max_str_digits() or sys.maxsize) if whole else _FLOAT_DIGITS
    return "Decimal that is too large" if decimal.adjusted(value) > most else ""


def _inner(value: Any, path: str, above: tuple[int, ...]) -> list[_Pending]:
    cls = type(value)
    if issubclass(cls, dict):
        chain = (*above, id(value))
        items = [(item, f"{path}[{_label(key)}]", chain) for key, item in dict_items(value, _MAX_VALUES)]
    elif issubclass(cls, list | tuple):
        chain = (*above, id(value))
        kind: Any = list if issubclass(cls, list) else tuple
        part = kind.__getitem__(value, slice(0, _MAX_VALUES))
        items = [(item, f"{path}[{number}]", chain) for number, item in enumerate(part)]
    else:
        return []
    items.reverse()  # the first one is looked at first
    return items


def _label(key: Any) -> str:
    if issubclass(type(key), str):
        text = str.__getitem__(key, slice(0, _MAX_KEY)).encode("utf-8", "backslashreplace").decode()
        quoted = text.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{quoted}"'
    if key is None or type(key) is bool:
        return str(key)
    base: Any = int if issubclass(type(key), int) else float
    return base.__repr__(key)[:_MAX_KEY]  # type: ignore[no-any-return]
