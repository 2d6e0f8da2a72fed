"""Attribute values of spans and log records: text, numbers, truth values, and lists of one of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from math import isfinite
from typing import Any, Final, TypeAlias

__all__ = [
    "Attribute",
    "Attributes",
    "attribute_texts",
    "json_safe",
    "type_code",
    "typed_value",
    "value_text",
]

Item: TypeAlias = str | bool | int | float
Attribute: TypeAlias = str | bool | int | float | list[str | bool | int | float]
Attributes: TypeAlias = dict[str, Attribute]

_CODES: Final = {bool: "b", int: "i", float: "d", list: "a", tuple: "a"}
_SMALLEST: Final = -(1 << 63)
_LARGEST: Final = (1 << 63) - 1


def value_text(value: object) -> str:
    """As the store keeps it: text as it is, true/false, decimal numbers, JSON for lists."""
    kind = type(value)
    if kind is str:
        return value  # type: ignore[return-value]
    if kind is bool:
        return "true" if value else "false"
    if kind is int or kind is float:
        return repr(value)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def attribute_texts(attributes: Mapping[str, object]) -> dict[str, str]:
    """All values as text."""
    return {name: value if type(value) is str else value_text(value) for name, value in attributes.items()}


def type_code(value: object) -> str:
    """What the text of a value is to be read as: "b", "i", "d" or "a" (a list); "" for text."""
    return _CODES.get(type(value), "")


def typed_value(text: str, code: str) -> Attribute:
    """What `value_text` made text of. Text that is nothing of that type stays text."""
    try:
        if code == "b" and text in ("true", "false"):
            return text == "true"
        if code == "i" and _SMALLEST <= (number := int(text)) <= _LARGEST:
            return number
        if code == "d":
            return float(text)
        if code == "a":
            found = json.loads(text)
            if isinstance(found, list) and _flat(found):
                return found
    except (ValueError, RecursionError):
        pass  # as it is
    return text


def json_safe(value: Any) -> Any:
    """`value` (of dicts, lists, plain values) with what JSON has no number for as text: NaN, infinities."""
    if type(value) is float:
        return value if isfinite(value) else repr(value)
    if isinstance(value, list):
        return [json_safe(item) for item in value]
    if isinstance(value, dict):
        return {name: json_safe(item) for name, item in value.items()}
    return value


def _flat(items: Iterable[object]) -> bool:
    return all(type(item) in (str, bool, int, float) for item in items)
