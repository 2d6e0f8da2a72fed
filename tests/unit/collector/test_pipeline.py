"""What of a batch becomes rows, and of which tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from relive_platform.evidence import Finished
from relive_platform.signals.pipeline import Pipeline
from relive_store import Mark
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

    Pipeline(written).write(batch())

    assert list(written.tables["invocations"]["DerivesSpans"]) == [1, 0]
    assert set(written.tables["otel_traces"]["StatusCode"]) == {"Error", "Unset"}


def test_what_is_exported_is_made_here_and_not_again_by_the_store() -> None:
    written, exported = Rows(), Rows()

    Pipeline(written, exported).write(batch())

    assert list(written.tables["invocations"]["DerivesSpans"]) == [0, 0]
    assert exported.tables["traces"] == written.tables["otel_traces"]
    assert set(exported.tables["traces"]["StatusCode"]) == {"Error", "Unset"}


def test_a_path_that_comes_again_is_redacted_again_by_its_functions_own_names() -> None:
    # Given one path, often: of functions to which "colour" is nothing special, and of one whose secret it is
    path = "/paint?colour=teal-1234&token=abc123def456"
    finished = [Finished(record(http_path=path), [], keys) for keys in ([], ["colour"], [], ["colour"])]
    written = Rows()
    # When they are written
    Pipeline(written).write(finished)
    # I expect each without what is a secret of its function
    plain, own = "/paint?colour=teal-1234&token=[redacted]", "/paint?colour=[redacted]&token=[redacted]"
    assert list(written.tables["invocations"]["HttpPath"]) == [plain, own, plain, own]
