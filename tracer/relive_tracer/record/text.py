"""Turning values of the user's into bounded text that the wire can carry, without calling the user's code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import cast

from relive_base.attributes import Attribute
from relive_base.escapes import encodable

__all__ = ["attribute_text", "bounded", "encodable", "log_value", "plain_value", "typed_list"]

_ITEMS = 1_000  # of a sequence or mapping in an attribute, over all its levels
_DEPTH = 16
_PLAIN_IDS = frozenset(map(id, (str, bool, float)))
_SMALLEST = -(1 << 63)
_LARGEST = (1 << 63) - 1


def bounded(text: str, limit: int) -> str:
    """`encodable(text)`, cut to `limit` characters; the cut ends with an ellipsis."""
    if type(text) is not str:
        text = str.__str__(text)
    if len(text) > limit:
        text = text[: limit - 1] + "…"
    return encodable(text)


def plain_value(value: object) -> str | None:
    """A str, bool, int or float (exact types) as text, anything else as None."""
    kind = type(value)
    if kind is str:
        return cast(str, value)
    if kind is bool:
        return "true" if value else "false"
    if kind is int:
        number = cast(int, value)
        # Python refuses to write more digits than this by default; hexadecimal has no such limit.
        return int.__repr__(number) if number.bit_length() < 10_000 else hex(number)
    if kind is float:
        return float.__repr__(cast(float, value))
    return None


def attribute_text(value: object, limit: int) -> str:
    """An attribute's value as the store keeps it: text as it is, true/false, decimal numbers, else JSON."""
    text = plain_value(value)
    if text is None:
        if isinstance(value, str):
            text = str.__str__(value)
        else:
            text = json.dumps(_jsonable(value, [_ITEMS], 0), ensure_ascii=False, separators=(",", ":"))
    return bounded(text, limit)


def typed_list(
    values: list[object] | tuple[object, ...], limit: int
) -> list[str | bool | int | float] | None:
    """The values if all are text, numbers or truth values and their text is at most `limit` characters
    long; None if the list is to go as (cut) text."""
    if len(values) > _ITEMS:
        return None
    result: list[str | bool | int | float] = []
    room = limit
    for value in values:
        kind = type(value)
        if kind is str:
            text = encodable(cast(str, value))
            room -= len(text)
            result.append(text)
        elif kind is bool or kind is float or (kind is int and _SMALLEST <= cast(int, value) <= _LARGEST):
            result.append(cast(float, value))
        else:
            return None
        room -= 4
        if room < 0:
            return None
    return result


def log_value(value: object, limit: int) -> Attribute | None:
    """An extra field of a log record: plain values and flat lists as they are; None for anything else."""
    kind = type(value)
    if kind is bool or kind is float:
        return cast(float, value)
    if kind is int and _SMALLEST <= cast(int, value) <= _LARGEST:
        return cast(int, value)
    if kind is list or kind is tuple:
        return typed_list(cast("list[object]", value), limit)
    text = plain_value(value)
    return bounded(text, limit) if text is not None else None


def _jsonable(value: object, budget: list[int], depth: int) -> object:
    """`value` made of plain types only, with at most `budget[0]` items in all."""
    if value is None or id(type(value)) in _PLAIN_IDS:
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int(value) if value.bit_length() < 64 else plain_value(int.__index__(value))
    if isinstance(value, float):
        return float.__repr__(value)
    if isinstance(value, (bytes, bytearray)):
        return bytes(value[:_ITEMS]).decode("utf-8", "backslashreplace")
    if depth >= _DEPTH:
        return "…"
    if isinstance(value, (list, tuple)):
        return _list(value, budget, depth)
    if type(value) is dict:
        return _dict(value, budget, depth)
    return f"<{type(value).__name__}>"


def _list(values: list[object] | tuple[object, ...], budget: list[int], depth: int) -> list[object]:
    result: list[object] = []
    for item in values:
        budget[0] -= 1
        if budget[0] < 0:
            result.append("…")
            break
        result.append(_jsonable(item, budget, depth + 1))
    return result


def _dict(values: Mapping[object, object], budget: list[int], depth: int) -> dict[str, object]:
    result: dict[str, object] = {}
    for key, item in values.items():
        budget[0] -= 1
        if budget[0] < 0:
            result["…"] = "…"
            break
        name = str.__str__(key) if isinstance(key, str) else f"<{type(key).__name__}>"
        result[name] = _jsonable(item, budget, depth + 1)
    return result
