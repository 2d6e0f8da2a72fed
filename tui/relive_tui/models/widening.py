"""A time range in which there is nothing: the next wider one in which there is something."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from relive_tui.models.layout.format import range_label
from relive_tui.models.navigation.scope import RANGES_NS

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Widening"]

Value = TypeVar("Value")
SEARCH_NS = 30_000_000_000
"""Between two searches in vain: who has recorded nothing is not asked six questions a second."""


@dataclass(slots=True)
class Widening(Generic[Value]):
    """Of one list. `range_ns`: the range that was found; None while the chosen one has something, or no
    range has."""

    range_ns: int | None = None
    searched_ns: int = -SEARCH_NS

    def find(
        self,
        chosen_ns: int,
        now_ns: int,
        ask: Callable[[int], Value],
        something: Callable[[Value], bool],
    ) -> Value:
        """The answer of `chosen_ns`, else of the narrowest usual range that is wider and has something.
        Called by one worker at a time."""
        found = ask(chosen_ns)
        if something(found) or not chosen_ns:
            self.range_ns = None
            return found
        ranges = [each for each in RANGES_NS if each == 0 or each > chosen_ns]
        if self.range_ns is not None:
            ranges = ranges[ranges.index(self.range_ns) :] if self.range_ns in ranges else ranges
        elif now_ns - self.searched_ns < SEARCH_NS:
            return found
        self.searched_ns = now_ns
        for range_ns in ranges:
            wider = ask(range_ns)
            if something(wider):
                self.range_ns = range_ns
                return wider
        self.range_ns = None
        return found

    def told(self, chosen_ns: int, what: str) -> str:
        """`none in 15m, so of the last 24h`; "" if the range is the chosen one."""
        if self.range_ns is None:
            return ""
        last = f"the last {range_label(self.range_ns)}" if self.range_ns else "all that is kept"
        return f"{what} in {range_label(chosen_ns)}, so of {last}"
