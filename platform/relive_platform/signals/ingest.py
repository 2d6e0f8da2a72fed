"""From batches to columns of the store's tables. Runs in the collector's process, on one thread."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import msgspec
from relive_base.attributes import attribute_texts
from relive_base.records import InvocationRecord
from relive_base.redaction.redactor import KeyBlocks
from relive_base.wire.messages import LogLine, Logs, Profile, Spans, SpanUpdate
from relive_profiler.explore.rows import StackCache, profile_columns, stack_columns
from relive_store.spool import Mark
from relive_tracer.explore.failures import OpenSpans, failure_line
from relive_tracer.explore.invocation_rows import invocation_columns
from relive_tracer.explore.invoke_spans import merged
from relive_tracer.explore.platform_rows import add_spans_of, derives_spans
from relive_tracer.explore.rows import FunctionRef, SpanColumns, log_columns

from relive_platform.evidence import Finished
from relive_platform.signals.batches import Source, Telemetry
from relive_platform.signals.redaction import Redactors, redact_line, redact_record, redact_span

__all__ = ["Columns", "Exporter", "Ingest", "RowWriter", "add_updates"]

_log = logging.getLogger(__name__)
_frames: msgspec.msgpack.Decoder[Spans | Logs] = msgspec.msgpack.Decoder(Spans | Logs)
_update = msgspec.msgpack.Decoder(SpanUpdate)
_profile = msgspec.msgpack.Decoder(Profile)
_source = msgspec.msgpack.Decoder(Source)
_SOURCES = 10_000

Columns = Mapping[str, Sequence[object]]


class RowWriter(Protocol):
    """Takes columns, never blocks (relive_store.writer)."""

    def add_all(self, tables: Sequence[tuple[str, Columns]], mark: Mark | None = None) -> None: ...


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
        resource: str = "",
    ) -> None:
        self.malformed = 0
        self._writer = writer
        self._exporter = exporter
        self._on_profile = on_profile
        self._redactors = redactors or Redactors()
        self._blocks = KeyBlocks()
        self._stacks = StackCache()
        self._resource = resource  # OTEL_RESOURCE_ATTRIBUTES of the server
        self._open = OpenSpans()
        self._sources: dict[bytes, Source] = {}

    def write(self, rows: Sequence[Telemetry | Finished], mark: Mark | None = None) -> None:
        """All rows of a batch, in one file of the spool, with the mark that says so."""
        spans = SpanColumns()
        lines: list[tuple[LogLine, FunctionRef]] = []
        tables: list[tuple[str, Columns]] = []
        finished = [item for item in rows if type(item) is Finished]
        if len(finished) < len(rows):
            self._telemetry([item for item in rows if isinstance(item, Telemetry)], spans, lines)
        records = [item.record for item in finished]
        for item in finished:
            record = item.record
            if item.span_updates:
                self.malformed += add_updates(record, item.span_updates)
            redact_record(record, self._redactors.of(item.redact_keys))
            if record.status != "ok" or self._open:
                self._conclude(record, spans, lines)
        # What is exported has to be made here; else the store makes the spans of ordinary invocations itself.
        derived = [self._exporter is None and derives_spans(record) for record in records]
        made_here = [record for record, done in zip(records, derived, strict=True) if not done]
        add_spans_of(spans, made_here, self._resource)
        if len(spans):
            tables.append(("otel_traces", spans.columns))
        logs = log_columns(lines) if lines else None
        if logs is not None:
            tables.append(("otel_logs", logs))
        if records:
            given = self._resource
            tables.append(("invocations", invocation_columns(records, derived=derived, given=given)))
        tables += self._profiles(finished)
        self._writer.add_all(tables, mark)
        if self._exporter is not None:
            self._exporter.submit(spans.columns)
            if logs is not None:
                self._exporter.submit(logs, "logs")

    def _telemetry(
        self, items: Sequence[Telemetry], spans: SpanColumns, lines: list[tuple[LogLine, FunctionRef]]
    ) -> None:
        refs: dict[tuple[bytes, str, int], FunctionRef] = {}
        for item in items:
            try:
                frame = _frames.decode(item.payload)
            except (msgspec.DecodeError, msgspec.ValidationError) as error:
                self.malformed += 1
                _log.warning("a frame of %s is malformed: %s", item.invocation_id, error)
                continue
            # A frame of an earlier invocation may come late: its own id counts, if it has one.
            invocation_id = frame.invocation_id or item.invocation_id
            raw = bytes(item.source)
            source = self._source(raw)
            key = (raw, invocation_id, item.attempt)
            ref = refs.get(key)
            if ref is None:
                ref = refs[key] = self._ref(source, invocation_id, item)
            redactor = self._redactors.of(source.redact_keys)
            if isinstance(frame, Logs):
                for line in frame.lines:
                    redact_line(line, redactor, self._blocks, invocation_id)
                    lines.append((line, ref))
            else:
                if frame.open:
                    self._open.opened(invocation_id, item.attempt, frame.open, redactor)
                for span in frame.spans:
                    redact_span(span, redactor)
                    spans.add_span(span, ref)
                    self._open.ended(invocation_id, item.attempt, span.span_id)

    def _conclude(
        self, record: InvocationRecord, spans: SpanColumns, lines: list[tuple[LogLine, FunctionRef]]
    ) -> None:
        """Of a failed one: spans that its process did not end, and the exception as a log record."""
        left = self._open.left(record)
        line = failure_line(record) if record.failed else None
        if not left and line is None:
            return
        ref = FunctionRef(
            record.function,
            record.version,
            record.app,
            record.code_hash,
            record.invocation_id,
            record.attempt,
            record.instance,
            self._resource,
            record.resource,
            record.sampled,
        )
        for span in left:
            spans.add_span(span, ref)
        if line is not None:
            lines.append((line, ref))

    def _ref(self, source: Source, invocation_id: str, item: Telemetry) -> FunctionRef:
        return FunctionRef(
            source.name,
            source.version,
            source.app,
            source.code_hash,
            invocation_id,
            item.attempt,
            source.instance,
            self._resource,
            source.resource,
            item.sampled,
        )

    def _source(self, raw: bytes) -> Source:
        found = self._sources.get(raw)
        if found is None:
            if len(self._sources) >= _SOURCES:
                self._sources.clear()
            found = self._sources[raw] = _source.decode(raw)
        return found

    def _profiles(self, finished: Sequence[Finished]) -> list[tuple[str, Columns]]:
        found: list[tuple[Profile, InvocationRecord]] = []
        for item in finished:
            for payload in item.profiles:
                try:
                    profile = _profile.decode(payload)
                except (msgspec.DecodeError, msgspec.ValidationError):
                    self.malformed += 1
                    continue
                found.append((profile, item.record))
                if profile.new_stacks:
                    self._on_profile(item.record.function, profile)
        if not found:
            return []
        tables: list[tuple[str, Columns]] = [("profiles", profile_columns(found))]
        stacks = stack_columns(found, self._stacks, time.time_ns())
        if stacks["StackHash"]:
            tables.append(("profile_stacks", stacks))
        return tables


def add_updates(record: InvocationRecord, payloads: Sequence[bytes]) -> int:
    """What the function's code put on the invoke span becomes part of the record; how many of the SpanUpdate
    frames cannot be read."""
    updates = []
    malformed = 0
    for payload in payloads:
        try:
            updates.append(_update.decode(payload))
        except (msgspec.DecodeError, msgspec.ValidationError):
            malformed += 1
    if updates:
        record.span = merged(updates)
        record.attributes = {**record.attributes, **attribute_texts(record.span.attributes)}
    return malformed
