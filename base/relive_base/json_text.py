"""JSON for people, within bounds: a few bytes of deeply nested JSON are gigabytes once they are indented."""

from __future__ import annotations

import json
from typing import Any, Final

__all__ = ["depth_over", "parse_bounded", "pretty"]

MAX_VALUES: Final = 500_000
"""Containers, and a fourth of the commas, in a JSON text that is parsed at all."""
MAX_DEPTH: Final = 100


def parse_bounded(data: bytes | str) -> object:
    """Parsed JSON. Raises ValueError if it is none, or if it would take very much memory."""
    text = data.decode(json.detect_encoding(data)) if isinstance(data, bytes) else data
    if text.count("{") + text.count("[") > MAX_VALUES or text.count(",") > MAX_VALUES * 4:
        raise ValueError(f"more than {MAX_VALUES} values")
    try:
        value: object = json.loads(text)
    except RecursionError as error:
        raise ValueError(f"nested deeper than {MAX_DEPTH} levels") from error
    if "\\ud" in text or "\\uD" in text:
        json.dumps(value, ensure_ascii=False).encode()  # lone surrogates are no text that can be written
    if depth_over(value, MAX_DEPTH):
        raise ValueError(f"nested deeper than {MAX_DEPTH} levels")
    return value


def depth_over(value: object, limit: int) -> bool:
    """Whether plain data is nested deeper than `limit` levels."""
    level: list[Any] = [value] if isinstance(value, dict | list) else []
    for _ in range(limit):
        level = [
            item
            for outer in level
            for item in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(item, dict | list)
        ]
    return bool(level)


def pretty(value: object, max_chars: int) -> tuple[str, bool]:
    """(indented JSON of at most a little over `max_chars` characters, whether it was cut)."""
    parts: list[str] = []
    left = max_chars
    for part in json.JSONEncoder(indent=2, ensure_ascii=False).iterencode(value):
        parts.append(part[: left + 1])
        left -= len(part)
        if left < 0:
            return "".join(parts), True
    return "".join(parts), False
