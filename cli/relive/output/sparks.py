"""A series as a line of small bars."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

__all__ = ["spark"]

_BARS: Final = "▁▂▃▄▅▆▇█"


def spark(values: Sequence[float | None]) -> str:
    """A bar for each value, the tallest for the largest; "·" if nothing was measured, and "▁" for zero."""
    top = max((value for value in values if value is not None), default=0.0)
    return "".join(_bar(value, top) for value in values)


def _bar(value: float | None, top: float) -> str:
    if value is None:
        return "·"
    if value <= 0 or top <= 0:
        return _BARS[0]
    return _BARS[max(round(value / top * (len(_BARS) - 1)), 1)]
