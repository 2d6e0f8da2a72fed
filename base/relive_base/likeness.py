"""How much paths of requests look like each other: `/orders/17` is like `/orders/18`, and not `/users/17`."""

from __future__ import annotations

__all__ = ["path_likeness"]


def path_likeness(one: str, other: str) -> int:
    """The number of segments that they have in common, from 1; 0 if these are less than half, or the first
    one or the number of segments is another."""
    left, right = one.strip("/").split("/"), other.strip("/").split("/")
    if len(left) != len(right) or left[0] != right[0]:
        return 0
    same = sum(a == b for a, b in zip(left, right, strict=True))
    return same if 2 * same >= len(left) else 0
