"""What of a batch becomes rows, and of which tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from relive_base.wire.messages import LogLine, Logs, encode_payload
from relive_platform.evidence import Finished
from relive_platform.signals.handover.batches import Source, Telemetry
from relive_platform.signals.kinds.logs import LogSignal
from relive_platform.signals.pipeline import Pipeline
from relive_platform.signals.processors.redact import Redact
from relive_platform.signals.processors.redaction import Redactors
from relive_platform.signals.signal import Arrival, Counts, Flow
from relive_store import Mark
from relive_tracer.explore.rows import FunctionRef
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


def telemetry(payload: bytes, invocation_id: str = "i") -> Telemetry:
    return Telemetry(msgspec.Raw(msgspec.msgpack.encode(Source("f", 1))), invocation_id, 1, payload)


def logs(body: str, invocation_id: str = "i") -> bytes:
    return encode_payload(Logs(invocation_id=invocation_id, lines=[LogLine(1, "INFO", body)]))


def test_a_malformed_and_a_late_frame_are_counted_and_cost_no_other() -> None:
    # Given a frame that is none, and one of an invocation that its worker has no more
    written = Rows()
    pipeline = Pipeline(written)
    # When they come with others
    pipeline.write(
        [telemetry(logs("one")), telemetry(b"\xc1"), telemetry(logs("old", "before")), telemetry(logs("two"))]
    )
    # I expect all that can be read, each with its own invocation
    told = [found["faas.invocation_id"] for found in written.tables["otel_logs"]["LogAttributes"]]
    assert list(zip(written.tables["otel_logs"]["Body"], told, strict=True)) == [
        ("one", "i"),
        ("old", "before"),
        ("two", "i"),
    ]
    assert pipeline.counts()["workers"] == Counts(taken=3, dropped=1, late=1)


def test_a_frame_that_cannot_be_redacted_goes_no_further() -> None:
    # Given a log line whose attributes are of no kind that a worker of ours sends
    wrong = LogLine(1, "INFO", "secret")
    wrong.body = 7  # type: ignore[assignment]
    flow = Flow([Logs])
    ref = FunctionRef("f", 1)
    for line in (LogLine(1, "INFO", "fine"), wrong, LogLine(2, "INFO", "fine, too")):
        flow.arrivals[Logs].append(Arrival(Logs(invocation_id="i", lines=[line]), ref, []))
    # When it is redacted among others
    redact = Redact([LogSignal()], Redactors())
    redact(flow)
    # I expect the others, and that it was counted
    assert [arrival.frame.lines[0].body for arrival in flow.arrivals[Logs]] == ["fine", "fine, too"]
    assert redact.counts == Counts(taken=2, dropped=1)
