"""Whether there is stack enough to make a scene. Code that has none left is told nothing of ours: what runs
it has more, and sees the same failure."""

from __future__ import annotations

from typing import Final

__all__ = ["is_stack_left"]

_FRAMES: Final = 200
"""A scene takes some 60 calls inside of each other."""


def is_stack_left() -> bool:
    """For all that is done about a failure. Takes some microseconds."""
    try:
        return _goes_on(_FRAMES)
    except (RecursionError, MemoryError):
        return False


def _goes_on(left: int) -> bool:
    return left <= 0 or _goes_on(left - 1)
