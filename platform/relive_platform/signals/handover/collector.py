"""The server's end of the collector: takes what was recorded, bounded, and hands it on in batches.

What is recorded is encoded once, and goes into the journal at once: from there a `kill -9` of the server
loses nothing. A batch is kept until the collector's process has spooled it: a `kill -9` of that loses nothing
either. Conversion to columns, redaction, scenes and the store are the work of that process (`service.py`).
"""

from __future__ import annotations

import asyncio
import logging
import socket
import subprocess
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import msgspec
from relive_base.records import InvocationRecord
from relive_base.wire.framing import MAX_FRAME_BYTES, FrameError, FrameReader, framed
from relive_base.wire.messages import (
    FunctionSpec,
    MetricData,
    Metrics,
    SpanData,
    Spans,
    encode_payload,
)
from relive_base.within import within
from relive_tracer.explore.rows import SCOPE

from relive_platform.evidence import Finished, HeapFound, SceneJob
from relive_platform.signals.exporters.followers import Followers
from relive_platform.signals.handover.batches import (
    Ack,
    Answered,
    Batch,
    HeapJob,
    Source,
    Telemetry,
    Tentative,
    encode_begun,
    encode_finished,
    encode_item,
)
from relive_platform.signals.handover.journal import Journal
from relive_platform.signals.handover.relays import Relays
from relive_platform.signals.handover.shares import Shares
from relive_platform.signals.processors.redaction import Redactors

__all__ = ["Collector", "CollectorLimits", "CollectorStats"]

_BACKOFF_S: Final = (0.1, 0.5, 2.0, 5.0, 15.0)
_REFRESH_S: Final = 0.5  # a process that is busy for longer leaves its last word standing
_ASKED: Final = 64
_SOURCES: Final = 4_096
_ITEM_BYTES: Final = MAX_FRAME_BYTES - 65_536
_PLATFORM: Final = FunctionSpec(name=SCOPE, version=0, handler="")
_log = logging.getLogger(__name__)
_encoder = msgspec.msgpack.Encoder()
_ack = msgspec.msgpack.Decoder(Ack)


@dataclass(frozen=True, slots=True)
class CollectorLimits:
    """How much may wait, and how long."""

    interval_s: float = 0.05
    batch_items: int = 1_024
    pending_bytes: int = 128 * 1_048_576  # not spooled yet; more is dropped and counted
    batch_bytes: int = 8 * 1_048_576  # with more, a batch is sent at once
    scenes_waiting: int = 4_096  # not written yet; of more failures there is a row without a scene


@dataclass(slots=True)
class CollectorStats:
    """For `relive status`."""

    room: Shares
    pid: int = 0
    taken_items: int = 0
    dropped_items: int = 0
    dropped_scenes: Counter[str] = field(default_factory=Counter)  # by the limit that left no room
    restarts: int = 0
    ack: Ack = field(default_factory=lambda: Ack(number=0))

    @property
    def pending_bytes(self) -> int:
        """What is not spooled yet."""
        return self.room.total


@dataclass(frozen=True, slots=True)
class _Pending:
    """A message that is not spooled yet."""

    last: int  # number of its last item
    message: bytes
    amounts: dict[str, int]  # bytes by function
    items: dict[str, int]


class _Stream:
    """Items of one kind, numbered from 1: those of the next batch, and the batches not spooled yet."""

    __slots__ = ("functions", "items", "last", "pending", "size")

    def __init__(self) -> None:
        self.items: list[bytes] = []
        self.functions: list[str] = []  # of each item
        self.size = 0
        self.last = 0
        self.pending: deque[_Pending] = deque()

    def add(self, function: str, data: bytes) -> None:
        self.items.append(data)
        self.functions.append(function)
        self.size += len(data)
        self.last += 1

    def take(self) -> tuple[bytes, dict[str, int], dict[str, int]]:
        """All items, and how many bytes and items there are of each function."""
        counts = Counter(self.functions)
        amounts = dict.fromkeys(counts, self.size if len(counts) == 1 else 0)
        if len(counts) > 1:
            for function, item in zip(self.functions, self.items, strict=True):
                amounts[function] += len(item)
        data = b"".join(self.items)
        self.items.clear()
        self.functions.clear()
        self.size = 0
        return data, amounts, counts


class Process(Protocol):
    """Who has the other end of the socket."""

    @property
    def pid(self) -> int: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def kill(self) -> None: ...


class Collector(asyncio.Protocol):
    """Recorder of the dispatcher. Everything runs on the event loop."""

    def __init__(
        self,
        spawn: Callable[[socket.socket], Process],
        limits: CollectorLimits | None = None,
        redact_keys: Sequence[str] = (),
        journal: Journal | None = None,
        observe: Callable[[InvocationRecord], None] | None = None,
        run: int = 0,
    ) -> None:
        """`observe` is called with the record of every attempt that has ended. `run`: of a gateway beside the
        server, whose batches the server passes on; 0: of the server."""
        self.journal = journal
        self.relays = Relays(self._write)
        self._run = run
        self._observe = observe
        self.followers = Followers(Redactors(redact_keys))
        self._spawn = spawn
        self._limits = limits or CollectorLimits()
        self._process: Process | None = None
        self._transport: asyncio.Transport | None = None
        self._reader = FrameReader(self._on_ack)
        self._timer: asyncio.TimerHandle | None = None
        self._number = 0
        self._source_bytes: dict[tuple[str, int, str], msgspec.Raw] = {}
        self._rows = _Stream()
        self._scenes = _Stream()
        self._room = Shares(self._limits.pending_bytes)
        self.stats = CollectorStats(self._room)
        self._slots = Shares(self._limits.scenes_waiting)
        self._asked: deque[tuple[int, bytes]] = deque(maxlen=_ASKED)  # not answered yet
        self._flushes: dict[int, asyncio.Future[bool]] = {}
        self._closing = False
        self._caught_up = False
        self._lost = asyncio.Event()

    async def start(self) -> None:
        """Run the collector's process."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        ours.setblocking(False)
        loop = asyncio.get_running_loop()
        try:
            self._process = await loop.run_in_executor(None, self._spawn, theirs)
        finally:
            theirs.close()
        self.stats.pid = self._process.pid
        self._lost.clear()
        self._reader = FrameReader(self._on_ack)
        self._caught_up = False
        transport, _ = await loop.create_unix_connection(lambda: self, sock=ours)
        if transport is not self._transport:
            return  # it has ended already: it is started again
        self._caught_up = True  # until here nothing was sent: what is new comes behind what waits
        done = self.stats.ack
        self._write(_framed(Batch(0, rows_done=done.rows, scenes_done=done.scenes, run=self._run)))
        for stream in (self._scenes, self._rows):
            for waiting in stream.pending:
                self._write(waiting.message)
        for _, message in self._asked:
            self._write(message)
        self.relays.begin()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        try:
            self._reader.feed(data)
        except (FrameError, msgspec.DecodeError) as error:
            _log.error("the collector's process sent nonsense: %s", error)
            if self._transport is not None:
                self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._caught_up = False
        self.relays.end()
        self._lost.set()
        if not self._closing:
            delay = _BACKOFF_S[min(self.stats.restarts, len(_BACKOFF_S) - 1)]
            self.stats.restarts += 1
            _log.error("the collector's process ended; it is started again in %g s", delay)
            loop = asyncio.get_running_loop()
            loop.call_later(delay, lambda: loop.create_task(self._restart()))

    async def _restart(self) -> None:
        if self._closing:
            return
        await self._reap(5.0)
        try:
            await self.start()
        except OSError as error:
            _log.error("the collector's process cannot be started: %s", error)
            loop = asyncio.get_running_loop()
            loop.call_later(_BACKOFF_S[-1], lambda: loop.create_task(self._restart()))

    # What the dispatcher tells.

    def begun(self, record: InvocationRecord) -> None:
        """An attempt was accepted."""
        if self.journal is not None:
            self.journal.begin(id(record), encode_begun(record))

    def answered(self, record: InvocationRecord, job: SceneJob | None) -> None:
        """Its caller is about to get the answer; its last frame is still to come. `job`: of a failure, as it
        is by now."""
        journal = self.journal
        if journal is None:
            return
        if job is not None:
            journal.add(id(record), encode_item(Tentative(job)))
        else:
            answer = Answered(
                record.invocation_id,
                record.attempt,
                record.status,
                record.dispatched_ns,
                record.started_ns,
                record.ended_ns,
                record.responded_ns,
                record.http_status,
                record.result_bytes,
                record.worker_pid,
                record.worker_id,
                record.cold,
                record.error,
            )
            journal.add(id(record), encode_item(answer))

    def abandoned(self, record: InvocationRecord) -> None:
        """Its caller has gone before it ran: there is nothing to tell of it."""
        if self.journal is not None:
            self.journal.forget(id(record))

    def telemetry(self, spec: FunctionSpec, record: InvocationRecord | None, payload: bytes) -> None:
        """Spans or log lines of a worker; `record` is of the attempt that it has."""
        if record is None:
            invocation_id, attempt, sampled = "", 1, True
        else:
            invocation_id, attempt, sampled = record.invocation_id, record.attempt, record.sampled
        taken = self._row(spec, invocation_id, attempt, payload, sampled)
        if not taken and record is not None:
            record.dropped += 1
        if self.followers:
            self.followers.offer(spec, invocation_id, payload)

    def finished(self, item: Finished, job: SceneJob | None, playback: bytes) -> None:
        """An attempt with its last frame in. Nobody replays here: there is no `playback`."""
        record = item.record
        if self._observe is not None:
            self._observe(record)
        if job is not None:
            self._scene(job)
        data = encode_finished(item)
        if self._room.total + len(data) > self._limits.pending_bytes or len(data) > _ITEM_BYTES:
            self.stats.dropped_items += 1
            if self.journal is not None:
                self.journal.forget(id(record))
            return
        if self.journal is not None:
            self.journal.end(id(record), data)
        self._take(self._rows, record.function, data)

    def heap(self, record: InvocationRecord, found: HeapFound, redact_keys: list[str]) -> None:
        """What became of a heap snapshot, after its scene."""
        self._add_scene(HeapJob(record, found.part, found.folder, found.baseline, redact_keys))

    def platform_span(self, spec: FunctionSpec, invocation_id: str, span: SpanData, sampled: bool) -> None:
        """A span of the platform's own that belongs to no attempt: publishing an event."""
        payload = encode_payload(Spans(invocation_id=invocation_id, spans=[span]))
        self._row(spec, invocation_id, 1, payload, sampled)

    def own_metrics(self, metrics: list[MetricData]) -> bool:
        """What the platform measures of itself. Whether there was room for it."""
        return self._row(_PLATFORM, "", 1, encode_payload(Metrics(invocation_id="", metrics=metrics)))

    def _source(self, spec: FunctionSpec) -> msgspec.Raw:
        key = (spec.name, spec.version, spec.instance)
        found = self._source_bytes.get(key)
        if found is None:
            if len(self._source_bytes) >= _SOURCES:
                self._source_bytes.clear()
            own = spec.environment.get("OTEL_RESOURCE_ATTRIBUTES", "")
            source = Source(
                spec.name,
                spec.version,
                spec.app,
                spec.code_hash,
                spec.redact_keys,
                spec.instance,
                own,
                spec.span_share,
                spec.span_slow_ms,
            )
            found = self._source_bytes[key] = msgspec.Raw(_encoder.encode(source))
        return found

    def _row(
        self, spec: FunctionSpec, invocation_id: str, attempt: int, payload: bytes, sampled: bool = True
    ) -> bool:
        """Whether there was room for it."""
        data = encode_item(Telemetry(self._source(spec), invocation_id, attempt, payload, sampled))
        size = len(data)
        if not (self._room.admits(spec.name, size) and self._room.paced(spec.name, size)):
            self.stats.dropped_items += 1
            return False
        if self.journal is not None:
            self.journal.row(data)
        self._take(self._rows, spec.name, data)
        return True

    def _scene(self, job: SceneJob) -> None:
        """The record says that it has a scene: not if there is no room for it among those that wait."""
        over = self._add_scene(job)
        if over:
            job.record.has_scene = False
            self.stats.dropped_scenes[over] += 1

    def _add_scene(self, job: SceneJob | HeapJob) -> str:
        """The limit that leaves no room for it, with its number; "" if it was taken."""
        data = encode_item(job)
        function = job.record.function
        limits = self._limits
        if not self._slots.admits(function, 1):
            return f"scenes_waiting {limits.scenes_waiting}"
        if not self._room.admits(function, len(data)):
            return f"pending_bytes {limits.pending_bytes}"
        if len(data) > _ITEM_BYTES:
            return f"message bytes {_ITEM_BYTES}"
        if self.journal is not None:
            self.journal.scene(data)
        self._slots.add(function, 1)
        self._take(self._scenes, function, data)
        return ""

    def _take(self, stream: _Stream, function: str, data: bytes) -> None:
        stream.add(function, data)
        self.stats.taken_items += 1
        self._room.add(function, len(data))
        self._arm()

    def _arm(self) -> None:
        rows, scenes, limits = self._rows, self._scenes, self._limits
        if len(rows.items) >= limits.batch_items or rows.size + scenes.size > limits.batch_bytes:
            self._send()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(limits.interval_s, self._send)

    # Out and in.

    def _send(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        # Scenes first: a process that dies between both leaves a scene without a row for a moment, which
        # nobody sees, and not a row that has no scene.
        for stream in (self._scenes, self._rows):
            if stream.items:
                self._send_stream(stream)

    def _send_stream(self, stream: _Stream) -> None:
        first = stream.last - len(stream.items) + 1
        data, amounts, counts = stream.take()
        scenes = stream is self._scenes
        self._number += 1
        rows, jobs = (b"", data) if scenes else (data, b"")
        message = _framed(Batch(self._number, first, rows, jobs, run=self._run))
        stream.pending.append(_Pending(stream.last, message, amounts, counts))
        self._write(message)

    def _ask(self, flush_s: float = 0.0, *, end: bool = False) -> None:
        """A batch without rows: it is answered at once, or when everything is in the store."""
        self._send()
        self._number += 1
        message = _framed(Batch(self._number, flush_s=flush_s, end=end, run=self._run))
        self._asked.append((self._number, message))
        self._write(message)

    def _write(self, message: bytes) -> None:
        if self._transport is not None and self._caught_up:
            self._transport.write(message)

    def _on_ack(self, payload: bytes) -> None:
        ack = _ack.decode(payload)
        if ack.run != self._run:
            self.relays.answer(ack.run, payload)
            return
        self.stats.ack = ack
        for stream, done in ((self._rows, ack.rows), (self._scenes, ack.scenes)):
            while stream.pending and stream.pending[0].last <= done:
                spooled = stream.pending.popleft()
                self._room.free(spooled.amounts)
                if stream is self._scenes:
                    self._slots.free(spooled.items)
        self._room.pressure = ack.spool_full
        if self.journal is not None:
            self.journal.settled(ack.rows, ack.scenes)
        while self._asked and self._asked[0][0] <= ack.number:
            self._asked.popleft()
        for number in [number for number in self._flushes if number <= ack.number]:
            future = self._flushes.pop(number)
            if not future.done():
                future.set_result(ack.flushed)

    async def flush(self, timeout_s: float = 10.0) -> bool:
        """Have everything recorded so far in the store. False if it did not get there in time."""
        self._ask(timeout_s)
        return await self._acknowledged(timeout_s + 1.0)

    async def refresh(self, timeout_s: float = _REFRESH_S) -> bool:
        """Have `stats.ack` say how things are now, also while no batches come. False: it is an old one."""
        self._ask()
        return await self._acknowledged(timeout_s)

    async def _acknowledged(self, timeout_s: float) -> bool:
        """Wait for the acknowledgement of what was sent last."""
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._flushes[self._number] = future
        try:
            return await within(future, timeout_s)
        except TimeoutError:
            return False

    async def close(self, timeout_s: float = 10.0) -> None:
        """Hand on what is left and wait until the process has it safe."""
        if self._transport is not None:
            self._ask(timeout_s, end=True)
            await self._acknowledged(timeout_s + 1.0)
        self._closing = True
        if self._timer is not None:
            self._timer.cancel()
        if self._transport is not None:
            self._transport.close()
        await self._reap(timeout_s)
        if self.journal is not None:
            spooled = not self._rows.pending and not self._scenes.pending
            self.journal.close(remove=spooled and not self.journal.attempts)

    async def _reap(self, timeout_s: float) -> None:
        process = self._process
        if process is None:
            return
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(None, process.wait, timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            await loop.run_in_executor(None, process.wait)


def _framed(batch: Batch) -> bytes:
    return framed(_encoder.encode(batch))
