"""The server's end of the collector: takes what was recorded, bounded, and hands it on in batches.

On the hot path an invocation costs a few list appends; encoding a batch costs about 3 us an invocation.
Conversion to columns, redaction, scenes and the store are the collector process's work (`process.py`).
"""

from __future__ import annotations

import asyncio
import logging
import socket
import subprocess
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec
from relive_base.frames import MAX_FRAME_BYTES, FrameError, FunctionSpec, SpanData, Spans, encode_frame
from relive_capture.explore.crash import FAULT_MEMBER
from relive_capture.explore.members import HealthyEvent

from relive_platform.collector.batches import Ack, Batch, Finished, HeapJob, SceneJob, Source, Telemetry
from relive_platform.collector.followers import Followers
from relive_platform.collector.redaction import Redactors
from relive_platform.pool.framing import FrameReader
from relive_platform.pool.function import FunctionPool
from relive_platform.pool.invocation import HeapFound, Running
from relive_platform.pool.worker import Worker

__all__ = ["Collector", "CollectorLimits", "CollectorStats", "scene_job"]

_BACKOFF_S: Final = (0.1, 0.5, 2.0, 5.0, 15.0)
_REFRESH_S: Final = 0.5  # a process that is busy for longer leaves its last word standing
_EVENT_OFF: Final = 'capture = "off" in relive.toml: no event is kept'
_log = logging.getLogger(__name__)
_encoder = msgspec.msgpack.Encoder()
_ack = msgspec.msgpack.Decoder(Ack)


@dataclass(frozen=True, slots=True)
class CollectorLimits:
    """How much may wait, and how long."""

    interval_s: float = 0.05
    batch_items: int = 1_024
    pending_bytes: int = 128 * 1_048_576  # sent and not taken over yet; more is dropped and counted
    scene_bytes: int = 8 * 1_048_576  # of one batch; with more, it is sent at once


@dataclass(slots=True)
class CollectorStats:
    """For `relive status`."""

    pid: int = 0
    pending_bytes: int = 0
    dropped_items: int = 0
    restarts: int = 0
    ack: Ack = field(default_factory=lambda: Ack(number=0))


class Collector(asyncio.Protocol):
    """Recorder of the dispatcher. Everything runs on the event loop."""

    def __init__(
        self,
        spawn: Callable[[socket.socket], subprocess.Popen[bytes]],
        limits: CollectorLimits | None = None,
        redact_keys: Sequence[str] = (),
    ) -> None:
        self.followers = Followers(Redactors(redact_keys))
        self.stats = CollectorStats()
        self._spawn = spawn
        self._limits = limits or CollectorLimits()
        self._process: subprocess.Popen[bytes] | None = None
        self._transport: asyncio.Transport | None = None
        self._reader = FrameReader(self._on_ack)
        self._timer: asyncio.TimerHandle | None = None
        self._number = 0
        self._sources: list[Source] = []
        self._source_index: dict[int, int] = {}  # id of a pool's spec -> index; the pools outlive the batch
        self._telemetry: list[Telemetry] = []
        self._finished: list[Finished] = []
        self._scenes: list[SceneJob] = []
        self._heaps: list[HeapJob] = []
        self._scene_bytes = 0
        self._pending: deque[tuple[int, bytes]] = deque()
        self._flushes: dict[int, asyncio.Future[bool]] = {}
        self._closing = False
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
        await loop.create_unix_connection(lambda: self, sock=ours)
        for _, message in self._pending:
            self._write(message)

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

    def telemetry(self, worker: Worker, payload: bytes) -> None:
        """Spans or log lines of a worker."""
        running = worker.current
        if running is None:
            invocation_id, attempt, sampled = "", 1, True
        else:
            record = running.record
            invocation_id, attempt, sampled = record.invocation_id, record.attempt, record.sampled
        self._telemetry.append(Telemetry(self._source(worker), invocation_id, attempt, payload, sampled))
        if self.followers:
            self.followers.offer(worker.spec, invocation_id, payload)
        self._arm()

    def finished(self, running: Running, worker: Worker | None) -> None:
        """An invocation with its last frame in."""
        record = running.record
        profiles = running.profiles
        if worker is not None and worker.init_profiles:
            profiles = profiles + worker.init_profiles
            worker.init_profiles = []
        self._finished.append(
            Finished(
                record,
                profiles,
                worker.spec.redact_keys if worker is not None else [],
                running.span_updates,
            )
        )
        if record.has_scene:
            job = scene_job(running, worker, profiles)
            self._scenes.append(job)
            self._scene_bytes += _size(job)
        self._arm()

    def heap(self, running: Running, worker: Worker, found: HeapFound) -> None:
        """What became of a heap snapshot, after its scene."""
        keys = worker.spec.redact_keys
        self._heaps.append(
            HeapJob(running.record, found.state, found.reason, found.folder, found.baseline, keys)
        )
        self._arm()

    def platform_span(self, spec: FunctionSpec, invocation_id: str, span: SpanData) -> None:
        """A span of the platform's own that belongs to no attempt: publishing an event."""
        payload = encode_frame(Spans(invocation_id=invocation_id, spans=[span]))[4:]
        self._sources.append(_source_of(spec))
        self._telemetry.append(Telemetry(len(self._sources) - 1, invocation_id, 1, payload))
        self._arm()

    def _source(self, worker: Worker) -> int:
        spec = worker.spec
        index = self._source_index.get(worker.worker_id)
        if index is None:
            index = self._source_index[worker.worker_id] = len(self._sources)
            self._sources.append(_source_of(spec))
        return index

    def _arm(self) -> None:
        items = len(self._finished) + len(self._telemetry)
        if items >= self._limits.batch_items or self._scene_bytes > self._limits.scene_bytes:
            self._send()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._limits.interval_s, self._send)

    # Out and in.

    def _send(self, flush_s: float = 0.0, *, empty: bool = False) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        items = len(self._telemetry) + len(self._finished) + len(self._scenes) + len(self._heaps)
        if not items and not flush_s and not empty:
            return
        self._number += 1
        batch = Batch(
            self._number, self._sources, self._telemetry, self._finished, self._scenes, flush_s, self._heaps
        )
        body = _encoder.encode(batch)
        self._sources, self._telemetry, self._finished, self._scenes = [], [], [], []
        self._source_index, self._scene_bytes, self._heaps = {}, 0, []
        stats = self.stats
        full = stats.pending_bytes + len(body) > self._limits.pending_bytes and not flush_s
        if full or len(body) > MAX_FRAME_BYTES:  # no process could read it, however often it is started
            stats.dropped_items += items
            return
        message = len(body).to_bytes(4, "big") + body
        stats.pending_bytes += len(message)
        self._pending.append((self._number, message))
        self._write(message)

    def _write(self, message: bytes) -> None:
        if self._transport is not None:
            self._transport.write(message)

    def _on_ack(self, payload: bytes) -> None:
        ack = _ack.decode(payload)
        self.stats.ack = ack
        while self._pending and self._pending[0][0] <= ack.number:
            self.stats.pending_bytes -= len(self._pending.popleft()[1])
        for number in [number for number in self._flushes if number <= ack.number]:
            future = self._flushes.pop(number)
            if not future.done():
                future.set_result(ack.flushed)

    async def flush(self, timeout_s: float = 10.0) -> bool:
        """Have everything recorded so far in the store. False where it did not get there in time."""
        self._send(flush_s=timeout_s)
        return await self._acknowledged(timeout_s + 1.0)

    async def refresh(self, timeout_s: float = _REFRESH_S) -> bool:
        """Have `stats.ack` say how things are now, also while no batches come. False: it is an old one."""
        self._send(empty=True)
        return await self._acknowledged(timeout_s)

    async def _acknowledged(self, timeout_s: float) -> bool:
        """Wait for the acknowledgement of what was sent last."""
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._flushes[self._number] = future
        try:
            return await asyncio.wait_for(future, timeout_s)
        except TimeoutError:
            return False

    async def close(self, timeout_s: float = 10.0) -> None:
        """Hand on what is left and wait until the process has it safe."""
        if self._transport is not None:
            await self.flush(timeout_s)
        self._closing = True
        if self._timer is not None:
            self._timer.cancel()
        if self._transport is not None:
            self._transport.close()
        await self._reap(timeout_s)

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


def _size(job: SceneJob) -> int:
    """What it is large by, bytes."""
    parts = (job.telemetry, job.profiles, job.members.values())
    body = len(job.http.body) if job.http is not None else 0
    return len(job.scene) + len(job.event) + body + sum(len(item) for part in parts for item in part)


def _source_of(spec: FunctionSpec) -> Source:
    own = spec.environment.get("OTEL_RESOURCE_ATTRIBUTES", "")
    return Source(spec.name, spec.version, spec.app, spec.code_hash, spec.redact_keys, spec.instance, own)


def scene_job(running: Running, worker: Worker | None, profiles: list[bytes]) -> SceneJob:
    """What the scene of a failed attempt is made of."""
    request = running.request
    spec = worker.spec if worker is not None else None
    parts = running.external_parts
    values = spec is None or spec.capture != "off"
    if not values:
        parts = {**parts, "event": ("missing", _EVENT_OFF)}
    if not running.record.failed:
        parts = {**parts, "healthy": ("missing", "the invocation itself succeeded")}
    if worker is not None and _lost_samples(running, worker, profiles):
        parts = {**parts, "profile": ("missing", "its samples went with the process")}
    members = running.external
    if worker is not None and running.record.status in ("crash", "init_error"):
        members = {**members, **_fault_member(worker)}
    return SceneJob(
        record=running.record,
        scene=running.scene,
        event=request.event if values else b"",
        http=request.http if values else None,
        telemetry=running.telemetry,
        profiles=profiles,
        members=members,
        parts=parts,
        redactions=running.external_redactions,
        redact_keys=spec.redact_keys if spec is not None else [],
        handler=spec.handler if spec is not None else "",
        kind=spec.kind if spec is not None else "",
        source=spec.source if spec is not None else "",
        in_app=spec.in_app if spec is not None else [],
        core=worker.core if worker is not None else "",
        healthy=_healthy(worker) if worker is not None and values and running.record.failed else None,
    )


def _lost_samples(running: Running, worker: Worker, profiles: list[bytes]) -> bool:
    """Samples leave the process with the last frame of an invocation: one that died has not sent any."""
    wanted = running.profile or worker.spec.profile
    return not profiles and worker.exited is not None and worker.ready is not None and wanted != "off"


def _healthy(worker: Worker) -> HealthyEvent | None:
    """The last event of the same function version that succeeded."""
    pool = worker.owner
    if not isinstance(pool, FunctionPool) or pool.healthy is None:
        return None
    request, record = pool.healthy
    return HealthyEvent(record.invocation_id, record.started_ns, record.trigger, request.event, request.http)


def _fault_member(worker: Worker) -> dict[str, bytes]:
    text = worker.fault_text() if worker.exited is not None else ""
    return {FAULT_MEMBER: text.encode()} if text else {}
