"""How many functions and events lie above an invocation, for what comes of it when it is over: its lines."""

from __future__ import annotations

from typing import Final

__all__ = ["Hops"]

_MOST: Final = 20_000  # some 3 MB; a line is an event within a second or two


class Hops:
    """By invocation; of those that nothing lies above nothing is kept. The oldest leave first: what they
    cause counts from 0 again."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._depths: dict[str, int] = {}

    def note(self, invocation_id: str, depth: int) -> None:
        """An invocation begins so deep."""
        if depth <= 0:
            return
        while len(self._depths) >= self._most:
            del self._depths[next(iter(self._depths))]
        self._depths[invocation_id] = depth

    def of(self, invocation_id: str) -> int:
        """How deep it lies."""
        return self._depths.get(invocation_id, 0)
