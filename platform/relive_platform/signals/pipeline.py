"""The way of all signals, wired in one place: receivers -> processors -> rows -> exporters.

Everything runs on the thread that brings a batch, and one batch is on its way at a time; what may wait, waits
in an exporter, which is bounded. Each stage counts what it has taken and dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from relive_store import Mark
from relive_tracer.explore.invocation_rows import invocation_columns

from relive_platform.evidence import Finished, StackMemory
from relive_platform.signals.exporters.otlp import OtlpExport, RowExporter
from relive_platform.signals.exporters.store import RowWriter, StoreExporter
from relive_platform.signals.handover.batches import Telemetry
from relive_platform.signals.kept import KeptDays
from relive_platform.signals.processors.dates import Dates
from relive_platform.signals.processors.derive import Derive
from relive_platform.signals.processors.learn import LearnStacks
from relive_platform.signals.processors.redact import Redact
from relive_platform.signals.processors.redaction import Redactors
from relive_platform.signals.processors.sample import TailSample
from relive_platform.signals.processors.structure import Structure
from relive_platform.signals.receivers.workers import WorkerReceiver
from relive_platform.signals.signal import Counts, Flow, Rows
from relive_platform.signals.table import SIGNALS

__all__ = ["Pipeline"]


class Processor(Protocol):
    """Changes a batch in place."""

    @property
    def counts(self) -> Counts: ...

    def __call__(self, flow: Flow) -> None: ...


class Exporter(Protocol):
    """Takes what a batch became; never waits, never raises."""

    @property
    def counts(self) -> Counts: ...

    def export(self, rows: Sequence[Rows], mark: Mark | None = None) -> None: ...


class Pipeline:
    """Of one collector's process. `resource`: OTEL_RESOURCE_ATTRIBUTES of the server. `written`: what the
    writer has counted."""

    def __init__(
        self,
        writer: RowWriter,
        otlp: RowExporter | None = None,
        redactors: Redactors | None = None,
        stacks: StackMemory | None = None,
        resource: str = "",
        written: Callable[[], Counts] = Counts,
        subscriptions: Exporter | None = None,
        kept: KeptDays | None = None,
    ) -> None:
        """`subscriptions`: what functions hear of goes there, before the store has it. `kept`: how long the
        tables keep rows."""
        self._resource = resource
        self._signals = [kind(resource) for kind in SIGNALS.values()]
        self._workers = WorkerReceiver([signal.message for signal in self._signals], resource)
        self._sample = TailSample()
        self._processors: dict[str, Processor] = {
            "structure": Structure(),
            "dates": Dates(kept=kept),
            "redact": Redact(self._signals, redactors or Redactors()),
            "derive": Derive(exported=otlp is not None, resource=resource),
            "sample": self._sample,
            "learn": LearnStacks(stacks or StackMemory()),
        }
        self._exporters: dict[str, Exporter] = {}
        if subscriptions is not None:
            self._exporters["subscriptions"] = subscriptions
        self._exporters["store"] = StoreExporter(writer, written)
        if otlp is not None:
            self._exporters["otlp"] = OtlpExport(otlp)

    def write(self, items: Sequence[Telemetry | Finished], mark: Mark | None = None) -> None:
        """All rows of a batch of the server, and the mark that says that it is spooled."""
        self.run(self._workers.receive(items), mark)

    def run(self, flow: Flow, mark: Mark | None = None) -> None:
        """What a receiver has made, from there on."""
        for process in self._processors.values():
            process(flow)
        rows = [one for signal in self._signals for one in signal.rows(flow)]
        if flow.finished:
            columns = invocation_columns(flow.records, derived=flow.derived, given=self._resource)
            rows.append(Rows("invocations", columns))
        for exporter in self._exporters.values():
            exporter.export(rows, mark)

    def close(self) -> None:
        """What waits for the end of its invocation goes out."""
        flow = Flow(signal.message for signal in self._signals)
        self._sample.release_all(flow)
        rows = [one for signal in self._signals for one in signal.rows(flow)]
        for exporter in self._exporters.values() if rows else ():
            exporter.export(rows)

    def counts(self) -> Mapping[str, Counts]:
        """Of each stage, in their order."""
        stages = {"workers": self._workers.counts}
        stages |= {name: process.counts for name, process in self._processors.items()}
        return stages | {name: exporter.counts for name, exporter in self._exporters.items()}
