"""A window on a long list: pages of 256 rows, fetched when they are looked at, the least used forgotten."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

__all__ = ["PAGE_ROWS", "Pager"]

PAGE_ROWS = 256
MAX_PAGES = 64

Row = TypeVar("Row")


class Pager(Generic[Row]):
    """Rows by index, of which only some pages are here.

    `total` rows exist. `generation` grows with every reset: a page that was asked for before is then refused,
    so that a slow answer never lands in a newer list.
    """

    def __init__(self, page_rows: int = PAGE_ROWS, max_pages: int = MAX_PAGES) -> None:
        self.page_rows = page_rows
        self.max_pages = max_pages
        self.total = 0
        self.generation = 0
        self._pages: OrderedDict[int, list[Row]] = OrderedDict()

    def reset(self, total: int) -> int:
        """Start again with a list of `total` rows; returns the new generation."""
        self.total = total
        self.generation += 1
        self._pages.clear()
        return self.generation

    def __len__(self) -> int:
        return self.total

    def get(self, index: int) -> Row | None:
        """The row, or None if its page is not here (or there is no such row)."""
        number, offset = divmod(index, self.page_rows)
        page = self._pages.get(number)
        if page is None or offset >= len(page) or index < 0:
            return None
        self._pages.move_to_end(number)
        return page[offset]

    def put(self, number: int, rows: list[Row], generation: int) -> bool:
        """A page that was fetched; False if it belongs to an older list."""
        if generation != self.generation:
            return False
        self._pages[number] = rows
        self._pages.move_to_end(number)
        while len(self._pages) > self.max_pages:
            self._pages.popitem(last=False)
        return True

    def missing(self, first: int, last: int) -> list[int]:
        """Numbers of the pages between two rows (both included) that are not here."""
        if self.total <= 0:
            return []
        low = max(first, 0) // self.page_rows
        high = min(max(last, 0), self.total - 1) // self.page_rows
        return [number for number in range(low, high + 1) if number not in self._pages]

    def last_row_before(self, number: int) -> Row | None:
        """The last row of the page before `number`, if that page is here: where a keyset query goes on."""
        page = self._pages.get(number - 1)
        return page[-1] if page else None
