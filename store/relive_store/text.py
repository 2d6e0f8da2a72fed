"""Text that cannot be UTF-8 (lone surrogates) is made so; nothing else is changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

__all__ = ["clean_columns", "clean_value"]


def clean_value(value: object) -> object:
    """`value` with each lone surrogate replaced by `?`, inside lists and dicts too."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, (list, tuple)):
        return [clean_value(item) for item in value]
    if isinstance(value, dict):
        return {clean_value(key): clean_value(item) for key, item in value.items()}
    return value


def clean_columns(columns: Mapping[str, Sequence[object]]) -> dict[str, list[object]]:
    """All cells cleaned. Slow: only for columns that could not be encoded as they are."""
    return {name: [clean_value(cell) for cell in column] for name, column in columns.items()}
