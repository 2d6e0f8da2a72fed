"""Reading fields of JSON that may come from anywhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["attempt_in", "mapping_in", "number_in"]


def mapping_in(source: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A field that should be an object; an empty one if it is none."""
    value = source.get(name)
    return value if isinstance(value, Mapping) else {}


def number_in(source: Mapping[str, Any], name: str) -> int:
    """A field that should be a whole number; 0 if it is none."""
    value = source.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def attempt_in(attributes: Mapping[str, Any], unknown: int = 1) -> int:
    """Which attempt wrote a span or a log line, of its attributes; `unknown` if they do not say."""
    text = str(attributes.get("relive.attempt", ""))
    return int(text) if text.isdecimal() and text.isascii() and len(text) < 6 else unknown
