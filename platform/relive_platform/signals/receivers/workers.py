"""What workers sent: frames as they wrote them, each read once. One that is malformed costs itself alone."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from functools import reduce
from operator import or_
from typing import Any

import msgspec
from relive_base.wire.messages import Frame
from relive_tracer.explore.rows import FunctionRef

from relive_platform.evidence import Finished
from relive_platform.signals.handover.batches import Source, Telemetry
from relive_platform.signals.receivers.updates import add_updates
from relive_platform.signals.signal import Arrival, Counts, Flow, Sampling, ref_of

__all__ = ["WorkerReceiver"]

_SOURCES = 10_000
_source = msgspec.msgpack.Decoder(Source)
_MALFORMED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_log = logging.getLogger(__name__)


class WorkerReceiver:
    """Reads the rows of a batch. `kinds`: the messages of all signals; `resource`: OTEL_RESOURCE_ATTRIBUTES
    of the server."""

    def __init__(self, kinds: Sequence[type[Frame]], resource: str = "") -> None:
        self.counts = Counts()
        self._kinds = tuple(kinds)
        self._frames: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(reduce(or_, kinds))
        self._resource = resource
        self._sources: dict[bytes, Source] = {}

    def receive(self, items: Iterable[Telemetry | Finished]) -> Flow:
        """All of a batch."""
        flow = Flow(self._kinds)
        arrivals, finished = flow.arrivals, flow.finished
        refs: dict[tuple[bytes, str, int], FunctionRef] = {}
        counts, read = self.counts, self._frames.decode
        for item in items:
            if isinstance(item, Finished):
                finished.append(item)
                if item.profiles or item.span_updates:
                    self._read_finished(item, flow)
                continue
            try:
                frame = read(item.payload)
            except _MALFORMED as error:
                self._drop(item.invocation_id, error)
                continue
            counts.taken += 1
            invocation_id = frame.invocation_id
            if invocation_id != item.invocation_id:
                if not invocation_id:
                    invocation_id = item.invocation_id
                elif item.invocation_id:
                    counts.late += 1  # its own id counts: the worker has another invocation by now
            raw = bytes(item.source)
            source = self._sources.get(raw) or self._source(raw)
            key = (raw, invocation_id, item.attempt)
            ref = refs.get(key)
            if ref is None:
                ref = refs[key] = self._ref(source, invocation_id, item)
            sampling = Sampling(source.span_share, source.span_slow_ms) if source.span_share < 1 else None
            arrivals[type(frame)].append(Arrival(frame, ref, source.redact_keys, sampling=sampling))
        return flow

    def _read_finished(self, item: Finished, flow: Flow) -> None:
        """What came with a record."""
        record = item.record
        if item.span_updates:
            malformed = add_updates(record, item.span_updates)
            self.counts.taken += len(item.span_updates) - malformed
            self.counts.dropped += malformed
        for payload in item.profiles:
            try:
                frame = self._frames.decode(payload)
            except _MALFORMED as error:
                self._drop(record.invocation_id, error)
                continue
            self.counts.taken += 1
            ref = ref_of(record, self._resource)
            flow.arrivals[type(frame)].append(Arrival(frame, ref, item.redact_keys, record))

    def _drop(self, invocation_id: str, error: Exception) -> None:
        self.counts.dropped += 1
        _log.warning("a frame of %s is malformed: %s", invocation_id, error)

    def _source(self, raw: bytes) -> Source:
        if len(self._sources) >= _SOURCES:
            self._sources.clear()
        found = self._sources[raw] = _source.decode(raw)
        return found

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
