"""How old rows may be when they come: what its table keeps no more would be gone without a word."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from relive_base.errors import ReliveError
from relive_base.shown_numbers import counted
from relive_store import DEFAULT_DAYS, Store, days_in_force

__all__ = ["DAY_NS", "MOST_DAYS", "KeptDays"]

DAY_NS: Final = 86_400 * 1_000_000_000
MOST_DAYS: Final = 90
"""However long a table keeps rows: it has a part for each day, and one request must not make thousands."""


class KeptDays:
    """By table. `days`: as the server has set them; empty: what the store says once it is open, and until
    then what it has if nobody has set anything. Thread-safe."""

    def __init__(self, days: Mapping[str, int] = {}) -> None:
        self._told = bool(days)
        self._days: Mapping[str, int] = days or DEFAULT_DAYS

    def learn(self, store: Store) -> None:
        """Of a store whose days are somebody else's to set. One that does not say them changes nothing."""
        if self._told:
            return
        try:
            self._days = days_in_force(store)
        except ReliveError:
            return

    def of(self, table: str) -> int:
        """Days; a table that keeps everything takes rows of MOST_DAYS, too."""
        return min(self._days.get(table, MOST_DAYS), MOST_DAYS)

    def ns_of(self, table: str) -> int:
        """The same in ns."""
        return self.of(table) * DAY_NS

    def too_old(self, table: str) -> str:
        """What is said of a record that is older."""
        days = self.of(table)
        kept = self._days.get(table)
        if kept is None or kept > days:
            return f"older than {counted(days, 'day')}, the most that is taken"
        return f"older than {counted(days, 'day')}, and {table} keeps no more (RELIVE_RETENTION_DAYS)"
