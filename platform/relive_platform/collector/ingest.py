"""From batches to columns of the store's tables. Runs in the collector's process, on one thread."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import msgspec
from relive_base.frames import LogLine, Logs, Profile, Spans
from relive_base.records import InvocationRecord
from relive_base.redaction import KeyBlocks
from relive_profiler.explore.rows import StackCache, profile_columns, stack_columns
from relive_tracer.explore.invocation_rows import invocation_columns
from relive_tracer.explore.platform_rows import add_spans_of, derives_spans
from relive_tracer.explore.rows import FunctionRef, SpanColumns, log_columns

from relive_platform.collector.batches import Batch, Source
from relive_platform.collector.redaction import Redactors, redact_line, redact_record, redact_span

__all__ = ["Exporter", "Ingest", "RowWriter"]

_log = logging.getLogger(__name__)
_frames: msgspec.msgpack.Decoder[Spans | Logs] = msgspec.msgpack.Decoder(Spans | Logs)
_profile = msgspec.msgpack.Decoder(Profile)

Columns = Mapping[str, Sequence[object]]


class RowWriter(Protocol):
    """Takes columns, never blocks (relive_store.writer)."""

    def add(self, table: str, columns: Columns) -> None: ...


class Exporter(Protocol):
    """Takes what is to be exported as OTLP, never blocks."""

    def submit(self, rows: Columns, signal: str = "traces") -> None: ...


class Ingest:
    """Redacts, converts and hands on. One malformed frame of a worker costs that frame, no more."""

    def __init__(
        self,
        writer: RowWriter,
        exporter: Exporter | None = None,
        redactors: Redactors | None = None,
        on_profile: Callable[[str, Profile], None] = lambda function, profile: None,
    ) -> None:
        self.malformed = 0
        self._writer = writer
        self._exporter = exporter
        self._on_profile = on_profile
        self._redactors = redactors or Redactors()
        self._blocks = KeyBlocks()
        self._stacks = StackCache()

    def write(self, batch: Batch) -> None:
        """Everything of a batch but its scenes."""
        spans = SpanColumns()
        lines: list[tuple[LogLine, FunctionRef]] = []
        self._telemetry(batch, spans, lines)
        records = [item.record for item in batch.finished]
        for item in batch.finished:
            redact_record(item.record, self._redactors.of(item.redact_keys))
        # What is exported has to be made here; else the store makes the spans of ordinary invocations itself.
        derived = [self._exporter is None and derives_spans(record) for record in records]
        add_spans_of(spans, [record for record, done in zip(records, derived, strict=True) if not done])
        if len(spans):
            self._writer.add("otel_traces", spans.columns)
        logs = log_columns(lines) if lines else None
        if logs is not None:
            self._writer.add("otel_logs", logs)
        if records:
            self._writer.add("invocations", invocation_columns(records, derived=derived))
        self._profiles(batch)
        if self._exporter is not None:
            self._exporter.submit(spans.columns)
            if logs is not None:
                self._exporter.submit(logs, "logs")

    def _telemetry(self, batch: Batch, spans: SpanColumns, lines: list[tuple[LogLine, FunctionRef]]) -> None:
        refs: dict[tuple[int, str, int], FunctionRef] = {}
        for item in batch.telemetry:
            try:
                frame = _frames.decode(item.payload)
            except (msgspec.DecodeError, msgspec.ValidationError) as error:
                self.malformed += 1
                _log.warning("a frame of %s is malformed: %s", item.invocation_id, error)
                continue
            # A frame of an earlier invocation may come late: its own id counts, where it has one.
            invocation_id = frame.invocation_id or item.invocation_id
            key = (item.source, invocation_id, item.attempt)
            ref = refs.get(key)
            if ref is None:
                ref = refs[key] = _ref(batch.sources[item.source], invocation_id, item.attempt)
            redactor = self._redactors.of(batch.sources[item.source].redact_keys)
            if isinstance(frame, Logs):
                for line in frame.lines:
                    redact_line(line, redactor, self._blocks, invocation_id)
                    lines.append((line, ref))
            else:
                for span in frame.spans:
                    redact_span(span, redactor)
                    spans.add_span(span, ref)

    def _profiles(self, batch: Batch) -> None:
        found: list[tuple[Profile, InvocationRecord]] = []
        for item in batch.finished:
            for payload in item.profiles:
                try:
                    profile = _profile.decode(payload)
                except (msgspec.DecodeError, msgspec.ValidationError):
                    self.malformed += 1
                    continue
                found.append((profile, item.record))
                if profile.new_stacks:
                    self._on_profile(item.record.function, profile)
        if found:
            self._writer.add("profiles", profile_columns(found))
            stacks = stack_columns(found, self._stacks, time.time_ns())
            if stacks["StackHash"]:
                self._writer.add("profile_stacks", stacks)


def _ref(source: Source, invocation_id: str, attempt: int) -> FunctionRef:
    return FunctionRef(source.name, source.version, source.app, source.code_hash, invocation_id, attempt)
