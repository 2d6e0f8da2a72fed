"""Reading fields of JSON that may come from anywhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["mapping_in", "number_in"]


def mapping_in(source: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A field that should be an object; an empty one if it is none."""
    value = source.get(name)
    return value if isinstance(value, Mapping) else {}


def number_in(source: Mapping[str, Any], name: str) -> int:
    """A field that should be a whole number; 0 if it is none."""
    value = source.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
