"""Rows to the store, by way of the writer's buffer and its spool, which are bounded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from relive_store import Mark

from relive_platform.signals.signal import Columns, Counts, Rows

__all__ = ["RowWriter", "StoreExporter"]


class RowWriter(Protocol):
    """Takes columns, never blocks (relive_store.Writer)."""

    def add_all(self, tables: Sequence[tuple[str, Columns]], mark: Mark | None = None) -> None: ...


class StoreExporter:
    """All tables of a batch go into one file of the spool, with the mark that says so. `written`: what the
    writer has counted."""

    def __init__(self, writer: RowWriter, written: Callable[[], Counts] = Counts) -> None:
        self._writer = writer
        self._written = written

    @property
    def counts(self) -> Counts:
        """Rows."""
        return self._written()

    def export(self, rows: Sequence[Rows], mark: Mark | None = None) -> None:
        """Take what one batch became."""
        self._writer.add_all([(one.table, one.columns) for one in rows], mark)
