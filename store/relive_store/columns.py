"""The result of a query: columns, not rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

__all__ = ["Columns"]


class Columns:
    """`names`, `types` (ClickHouse type names) and `data` (one list per column), all in the same order.

    Cells: DateTime and DateTime64 are int ns since the epoch; integers, floats, str, bool, None; Array and
    Tuple are lists,
    Map is a dict; whatever else ClickHouse has (dates, UUIDs, decimals, integers over 64 bits) is its text.
    """

    __slots__ = ("data", "names", "types")

    def __init__(self, names: Sequence[str], types: Sequence[str], data: Sequence[list[object]]) -> None:
        self.names = tuple(names)
        self.types = tuple(types)
        self.data = list(data) if data else [[] for _ in self.names]

    def __len__(self) -> int:
        """Rows."""
        return len(self.data[0]) if self.data else 0

    def __repr__(self) -> str:
        return f"<Columns {len(self)} rows of {', '.join(self.names)}>"

    def rows(self) -> Iterator[tuple[object, ...]]:
        """Row by row, as tuples in the order of `names`."""
        return zip(*self.data, strict=True)

    def dicts(self) -> Iterator[dict[str, object]]:
        """Row by row, as dicts."""
        for row in self.rows():
            yield dict(zip(self.names, row, strict=True))

    def column(self, name: str) -> list[object]:
        """All cells of one column. Raises KeyError with the names there are."""
        try:
            return self.data[self.names.index(name)]
        except ValueError:
            raise KeyError(f"no column {name!r}; there are {', '.join(self.names)}") from None

    def scalar(self) -> object:
        """The first cell. Raises LookupError if there is no row."""
        if not len(self):
            raise LookupError("the query gave no row")
        return self.data[0][0]
