"""How much paths of requests look like each other: `/orders/17` is like `/orders/18`, and not `/users/17`."""

from __future__ import annotations

__all__ = ["path_likeness"]


def path_likeness(one: str, other: str) -> int:
    """From 1, the higher the more segments they have in common, and if the others look like ids (`17`, `a8`);
    0 if less than half are the same, or the first one or the number of segments is another."""
    left, right = one.strip("/").split("/"), other.strip("/").split("/")
    if len(left) != len(right) or left[0] != right[0]:
        return 0
    pairs = list(zip(left, right, strict=True))
    same = sum(a == b for a, b in pairs)
    if 2 * same < len(left):
        return 0
    idents = all(a == b or (_has_digit(a) and _has_digit(b)) for a, b in pairs)
    return 2 * same + idents - 1


def _has_digit(segment: str) -> bool:
    return any("0" <= char <= "9" for char in segment)
