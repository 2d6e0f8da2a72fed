"""The memory that large bodies take together."""

from __future__ import annotations

__all__ = ["BodiesFull", "BodyBudget", "BodyTooLarge"]


class BodyTooLarge(Exception):
    """The body is over the limit, which is its argument."""


class BodiesFull(Exception):
    """All bodies together are at their limit, which is its argument."""


class BodyBudget:
    """Counts what has come of each body until its request is answered. Bodies of up to 64 KiB are not among
    them: their number is limited by that of the connections."""

    def __init__(self, limit_bytes: int) -> None:
        self.held_bytes = 0
        self._limit_bytes = limit_bytes
        self._owners: dict[object, int] = {}

    def take(self, owner: object, size: int) -> None:
        """Raises BodiesFull."""
        if self.held_bytes + size > self._limit_bytes:
            raise BodiesFull(self._limit_bytes)
        self.held_bytes += size
        self._owners[owner] = self._owners.get(owner, 0) + size

    def give_back(self, owner: object) -> None:
        """All that was taken for `owner`."""
        self.held_bytes -= self._owners.pop(owner, 0)
