"""What of a batch becomes rows, and of which tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from relive_platform.collector.batches import Finished
from relive_platform.collector.ingest import Ingest
from relive_store.spool import Mark
from tracer_records import MS, NOW, failed_record, record

Columns = Mapping[str, Sequence[Any]]


class Rows:
    """Keeps what a writer, or an exporter, is given."""

    def __init__(self) -> None:
        self.tables: dict[str, Columns] = {}

    def add_all(self, tables: Sequence[tuple[str, Columns]], mark: Mark | None = None) -> None:
        self.tables.update(tables)

    def submit(self, rows: Columns, signal: str = "traces") -> None:
        self.tables[signal] = rows


def batch() -> list[Finished]:
    ordinary = record(dispatched_ns=NOW + MS // 2)
    return [Finished(ordinary), Finished(failed_record())]


def test_the_spans_of_ordinary_invocations_are_left_to_the_store() -> None:
    written = Rows()

    Ingest(written).write(batch())

    assert list(written.tables["invocations"]["DerivesSpans"]) == [1, 0]
    assert set(written.tables["otel_traces"]["StatusCode"]) == {"Error", "Unset"}


def test_what_is_exported_is_made_here_and_not_again_by_the_store() -> None:
    written, exported = Rows(), Rows()

    Ingest(written, exported).write(batch())

    assert list(written.tables["invocations"]["DerivesSpans"]) == [0, 0]
    assert exported.tables["traces"] == written.tables["otel_traces"]
    assert set(exported.tables["traces"]["StatusCode"]) == {"Error", "Unset"}
