"""Cutting an insert into blocks, always at the same places, so that a replay has the same tokens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from relive_store.errors import QueryError
from relive_store.interface import INSERT_CHUNK_ROWS

__all__ = ["chunk_token", "chunked", "row_count"]


def row_count(columns: Mapping[str, Sequence[object]]) -> int:
    """Rows of `columns`. Raises QueryError if they are not of one length."""
    lengths = {len(column) for column in columns.values()}
    if len(lengths) > 1:
        sizes = ", ".join(f"{name} {len(column)}" for name, column in columns.items())
        raise QueryError(f"columns of different lengths: {sizes[:500]}")
    return lengths.pop() if lengths else 0


def chunked(
    columns: Mapping[str, Sequence[object]], rows: int, size: int = INSERT_CHUNK_ROWS
) -> Iterator[Mapping[str, Sequence[object]]]:
    """`columns` in blocks of `size` rows."""
    if rows <= size:
        if rows:
            yield columns
        return
    for start in range(0, rows, size):
        yield {name: column[start : start + size] for name, column in columns.items()}


def chunk_token(token: str, index: int) -> str:
    """The token of one block of an insert."""
    return f"{token}.{index}" if token else ""
