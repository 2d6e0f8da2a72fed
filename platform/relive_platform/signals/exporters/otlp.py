"""Rows to others over OTLP, by way of a queue that is bounded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from relive_store import Mark

from relive_platform.signals.signal import Columns, Counts, Rows

if TYPE_CHECKING:
    from relive_tracer.explore.otlp import OtlpStats

__all__ = ["OtlpExport", "RowExporter"]


class RowExporter(Protocol):
    """Queues columns of a signal's table (relive_tracer.explore.otlp.OtlpExporter)."""

    def submit(self, rows: Columns, signal: str = "traces") -> None: ...

    def stats(self) -> OtlpStats: ...


class OtlpExport:
    """Of a batch, what has a signal in OpenTelemetry."""

    def __init__(self, exporter: RowExporter) -> None:
        self._exporter = exporter

    @property
    def counts(self) -> Counts:
        """Spans and log records. What the collector has no service for is none of them: `otlp` says that."""
        stats = self._exporter.stats()
        return Counts(stats.sent, stats.dropped + stats.failed)

    def export(self, rows: Sequence[Rows], mark: Mark | None = None) -> None:
        """Take what one batch became."""
        for one in rows:
            if one.otlp:
                self._exporter.submit(one.columns, one.otlp)
