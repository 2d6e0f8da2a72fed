"""Numbers as people read them."""

from __future__ import annotations

__all__ = ["counted", "shown_number"]

_PLAIN = 1e15


def shown_number(value: float, digits: int = 4) -> str:
    """0.8571, 42, 1,000,000; in powers of ten only what is tiny or beyond all counting."""
    if not 10 ** (digits - 1) <= abs(value) < _PLAIN:
        return f"{value:.{digits}g}"
    return f"{round(value):,}"


def counted(count: int, noun: str) -> str:
    """`1 line`, `1,200 lines`."""
    return f"{count:,} {noun}" + "s" * (count != 1)
