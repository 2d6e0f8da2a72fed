"""What goes into one file of the spool: rows that were added together stay together, and are packed here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from relive_store.chunks import chunked, row_count
from relive_store.interface import INSERT_CHUNK_ROWS, ColumnData
from relive_store.packing import pack
from relive_store.spool.files import Batch, Mark
from relive_store.text import clean_columns

__all__ = ["BATCH_BYTES", "FILE_ROWS", "Group", "Pack", "Piece", "chunks", "packed", "piece_of"]

BATCH_BYTES = 64 * 1024 * 1024
FILE_ROWS = 100_000


@dataclass(slots=True)
class Piece:
    """Rows of one table."""

    table: str
    columns: ColumnData
    rows: int

    @property
    def size(self) -> int:
        """Of its bytes cells, such as pieces of scenes; other cells are counted as rows."""
        return sum(_bytes_in(column) for column in self.columns.values())


@dataclass(slots=True)
class Group:
    """What was added at once, and is spooled at once: all of it or nothing is on disk."""

    pieces: list[Piece]
    rows: int
    size: int
    added_ns: int
    mark: Mark | None = None


@dataclass(slots=True)
class Pack:
    """What goes into one file of the spool. `lost`: rows that cannot be packed, and why."""

    batches: list[Batch]
    rows: int
    size: int
    mark: Mark | None
    groups: int
    lost: list[tuple[int, str]]


def piece_of(table: str, columns: Mapping[str, Sequence[object]]) -> Piece | None:
    """None if there are no rows. Raises StoreError, TypeError for what are no columns."""
    rows = row_count(columns)
    return Piece(table, columns, rows) if rows else None


def chunks(groups: Iterable[Group]) -> Iterator[list[Group]]:
    """What goes into one file each: not too much, and of one run of a server, in its order. Runs that are
    written at the same time do not make a file of each change from one to the other."""
    runs: dict[int, list[Group]] = {}
    run = 0
    for group in groups:
        run = group.mark.run if group.mark is not None else run
        runs.setdefault(run, []).append(group)
    if 0 in runs and len(runs) > 1:  # what came before the first mark
        first = runs.pop(0)
        runs[next(iter(runs))][:0] = first
    for of_run in runs.values():
        yield from _files(of_run)


def _files(groups: Iterable[Group]) -> Iterator[list[Group]]:
    chunk: list[Group] = []
    size, rows = 0, 0
    for group in groups:
        if chunk and (size + group.size > BATCH_BYTES or rows + group.rows > FILE_ROWS):
            yield chunk
            chunk, size, rows = [], 0, 0
        chunk.append(group)
        size += group.size
        rows += group.rows
    if chunk:
        yield chunk


def packed(groups: Sequence[Group]) -> Pack:
    """Never raises: rows that cannot be packed are `lost`."""
    tables: dict[tuple[str, tuple[str, ...]], list[Piece]] = {}
    for group in groups:
        for piece in group.pieces:
            tables.setdefault((piece.table, tuple(sorted(piece.columns))), []).append(piece)
    batches: list[Batch] = []
    lost: list[tuple[int, str]] = []
    for (table, names), pieces in tables.items():
        rows = sum(piece.rows for piece in pieces)
        try:
            batches += _batches(table, _merged(names, pieces), rows)
        except Exception as error:
            lost.append((rows, f"{table}: {type(error).__name__}: {error}"))
    mark = None
    for group in groups:
        if group.mark is not None:
            mark = group.mark if mark is None else mark.and_then(group.mark)
    rows, size = sum(group.rows for group in groups), sum(group.size for group in groups)
    return Pack(batches, rows, size, mark, len(groups), lost)


def _bytes_in(column: Sequence[object]) -> int:
    return sum(len(cell) for cell in column if isinstance(cell, bytes)) if isinstance(column[0], bytes) else 0


def _merged(names: Sequence[str], group: Sequence[Piece]) -> ColumnData:
    if len(group) == 1:
        return group[0].columns
    merged: dict[str, list[object]] = {name: [] for name in names}
    for piece in group:
        for name in names:
            merged[name].extend(piece.columns[name])
    return merged


def _batches(table: str, columns: ColumnData, rows: int) -> list[Batch]:
    try:
        data = pack(columns)
    except UnicodeEncodeError:
        data = pack(clean_columns(columns))
    # An insert is one block: of one that the store refuses, it has nothing.
    if (len(data) <= BATCH_BYTES and rows <= INSERT_CHUNK_ROWS) or rows == 1:
        return [Batch(table, rows, data)]
    halves = chunked(columns, rows, (rows + 1) // 2)
    return [batch for part in halves for batch in _batches(table, part, row_count(part))]
