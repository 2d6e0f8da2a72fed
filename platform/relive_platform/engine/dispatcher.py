"""Takes an event to a worker of its function and brings the outcome back; fills in the record."""

from __future__ import annotations

import asyncio
import time
from typing import Final, Protocol, cast

from msgspec.structs import replace
from relive_base.ids import new_invocation_ids
from relive_base.records import InvocationRecord
from relive_base.wire.messages import Call, Done, ErrorInfo, FunctionSpec, HttpRequest, Result

from relive_platform.engine.errors import Stopping, UnknownFunction
from relive_platform.engine.evidence import scene_job
from relive_platform.engine.invocation import (
    InvokeRequest,
    Outcome,
    Running,
    StreamReader,
    Waiter,
)
from relive_platform.engine.pool import FunctionPool
from relive_platform.engine.supervisor.verdict import (
    condemned_verdict,
    init_verdict,
    worker_verdict,
)
from relive_platform.engine.workers.worker import Worker
from relive_platform.evidence import Finished, HeapFound, SceneJob

__all__ = ["CallHandler", "Dispatcher", "Recorder"]

_NO_KEYS: Final[list[str]] = []


class Recorder(Protocol):
    """Who keeps what was recorded (the collector)."""

    def begun(self, record: InvocationRecord) -> None: ...
    def answered(self, record: InvocationRecord, job: SceneJob | None) -> None: ...
    def abandoned(self, record: InvocationRecord) -> None: ...
    def telemetry(self, spec: FunctionSpec, record: InvocationRecord | None, payload: bytes) -> None: ...
    def finished(self, item: Finished, job: SceneJob | None, playback: bytes) -> None: ...
    def heap(self, record: InvocationRecord, found: HeapFound, redact_keys: list[str]) -> None: ...


class CallHandler(Protocol):
    """Who serves function-to-function calls."""

    def __call__(self, worker: Worker, call: Call) -> None: ...


class Dispatcher:
    """The way in for every kind of event. Everything runs on the event loop."""

    def __init__(self, recorder: Recorder, versions: dict[tuple[str, int], FunctionPool]) -> None:
        self.pools: dict[str, FunctionPool] = {}  # the version that is in service
        self.versions = versions  # every version that has a pool
        self.running = 0
        self.stopping = False
        self.call_handler: CallHandler | None = None
        self._recorder = recorder
        self._empty = asyncio.Event()
        self._empty.set()

    def serve(self, pool: FunctionPool) -> FunctionPool | None:
        """Put a function version in service; gives the pool that it replaces."""
        previous = self.pools.get(pool.spec.name)
        self.pools[pool.spec.name] = pool
        return previous if previous is not pool else None

    def submit(self, request: InvokeRequest) -> asyncio.Future[Outcome]:
        """Run one event; the future is set when the answer is there. Raises UnknownFunction and Stopping; all
        else is in the outcome."""
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self.begin(request, future)
        return future

    def begin(self, request: InvokeRequest, waiter: Waiter) -> None:
        """Like `submit`, for any kind of waiter. Raises UnknownFunction and Stopping."""
        pool = self.pools.get(request.function)
        if request.version and (pool is None or pool.spec.version != request.version):
            pool = self.versions.get((request.function, request.version))
        if pool is None:
            raise UnknownFunction(request.function, self.pools)
        if self.stopping:
            raise Stopping
        spec = pool.spec
        timeout_s = min(request.timeout_s, spec.timeout_s) if request.timeout_s > 0 else spec.timeout_s
        http = request.http
        invocation_id, trace_id, span_id, trigger_span_id = new_invocation_ids()
        record = replace(
            pool.template,
            invocation_id=request.invocation_id or invocation_id,
            trace_id=request.trace_id or trace_id,
            span_id=span_id,
            trigger_span_id=trigger_span_id,
            attempt=request.attempt,
            trigger=request.trigger,
            parent_span_id=request.parent_span_id,
            trace_state=request.trace_state,
            accepted_ns=request.accepted_ns or time.time_ns(),
            timeout_ns=int(timeout_s * 1e9),
            event_bytes=len(request.event),
            sampled=request.sampled,
        )
        if http is None or request.event_id:
            _tell_origin(record, request)  # an answered request has no other origin
        if http is not None:
            record.http_method, record.http_route = http.method, http.route
            record.http_path = http.mount.rstrip("/") + http.path  # as the client asked for it
            record.event_bytes = len(http.body)
            _tell_client(record, request, http)
        running = Running(
            request=request,
            record=record,
            future=waiter,
            timeout_s=timeout_s,
            accepted_mono=time.monotonic(),
            profile=request.profile,
        )
        self.running += 1
        if pool.submit(running):
            self._recorder.begun(record)
        else:
            self._reject(running, f"{len(pool.waiting)} requests wait for this function already")

    def cancel_waiting(self, pool: FunctionPool, running: Running) -> bool:
        """Turn away what waits for a worker, for good. False if it has begun, or is gone."""
        if running not in pool.waiting:
            return False
        pool.waiting.remove(running)
        error = ErrorInfo(type="Cancelled", message="somebody ended it with relive cancel", kind="cancelled")
        self._fail(running, None, "rejected", error)
        self._finish(running, None)
        return True

    def _reject(self, running: Running, message: str) -> None:
        error = ErrorInfo(type="Throttled", message=message, kind="throttled")
        self._fail(running, None, "rejected", error)
        self._finish(running, None)

    def _settle(self, running: Running, worker: Worker | None) -> None:
        """Give the answer; the record is complete but for what still comes after it."""
        waits = not running.future.done()
        outcome = self._prepare(running)
        record = running.record
        job = scene_job(running, worker, running.profiles) if record.failed else None
        self._recorder.answered(record, job)  # before anybody knows of it: it must not be lost any more
        if waits:
            running.future.set_result(outcome)

    def _prepare(self, running: Running) -> Outcome:
        """The outcome, with all in its record that the answer itself has to say."""
        record = running.record
        outcome = Outcome(record, running.result)
        if running.request.stream and not running.future.done():
            cast("StreamReader", running.future).prepare(outcome)
        record.responded_ns = time.time_ns()
        return outcome

    def _fail(self, running: Running, worker: Worker | None, status: str, error: ErrorInfo) -> None:
        running.record.status = status
        running.record.error = error
        self._settle(running, worker)

    async def drained(self, timeout_s: float) -> bool:
        """Wait until nothing runs. False if something still does after `timeout_s`."""
        if self.running:
            self._empty.clear()
            try:
                await asyncio.wait_for(self._empty.wait(), timeout_s)
            except TimeoutError:
                return False
        return True

    def _leave(self) -> None:
        self.running -= 1
        if not self.running and not self._empty.is_set():
            self._empty.set()

    def _finish(self, running: Running, worker: Worker | None) -> None:
        self._leave()
        record = running.record
        if running.rss_peak > record.peak_rss_bytes:
            record.peak_rss_bytes = running.rss_peak
        # An invocation that succeeded has one if a thread or a task of it failed.
        record.has_scene = bool(running.scene) or record.failed
        running.finished = True
        profiles, keys, playback = running.profiles, _NO_KEYS, b""
        if worker is not None:
            profiles = worker.with_init_profiles(profiles)
            keys, playback = worker.spec.redact_keys, worker.playback
        job = scene_job(running, worker, profiles) if record.has_scene else None
        self._recorder.finished(Finished(record, profiles, keys, running.span_updates), job, playback)
        if running.heap is not None:
            self._recorder.heap(record, running.heap, keys)

    # What the pools tell.

    def on_result(self, worker: Worker, running: Running, result: Result) -> None:
        record = running.record
        record.status = result.status
        record.error = result.error
        record.started_ns = result.started_ns
        record.ended_ns = result.ended_ns
        record.result_bytes = len(result.body) + result.streamed_bytes
        if record.http_method and (result.status == "ok" or result.answered):
            record.http_status = result.http_status
        if result.done is not None and not running.scene and not record.failed:
            # Nothing follows: it is recorded once and for all, which costs half of telling it in two parts.
            waits = not running.future.done()
            outcome = self._prepare(running)
            self._conclude(running, worker, result.done)
            if waits:
                running.future.set_result(outcome)
        else:
            self._settle(running, worker)

    def on_finished(self, worker: Worker, running: Running, done: Done) -> None:
        if not running.finished:
            self._conclude(running, worker, done)

    def _conclude(self, running: Running, worker: Worker, done: Done) -> None:
        record = running.record
        record.cpu_ns = done.cpu_ns
        record.peak_rss_bytes = done.peak_rss_bytes
        record.spans = done.spans
        record.logs = done.logs
        record.dropped += done.dropped  # to what the server itself refused
        self._finish(running, worker)

    def on_condemned(self, worker: Worker, running: Running, why: str) -> None:
        """The supervisor is about to stop a worker: the caller hears it now, the scene follows."""
        if worker.ready is None:
            _tell_init(worker, running)
        self._fail(running, worker, *condemned_verdict(worker, running, why))

    def on_worker_lost(self, worker: Worker, running: Running) -> None:
        if running.result is None:
            record = running.record
            status, error = worker_verdict(worker, running)
            if worker.condemned and record.error is not None:
                status, error = record.status, record.error  # told already, located since
            if worker.ready is not None:
                record.started_ns = record.started_ns or record.dispatched_ns
                record.ended_ns = record.ended_ns or time.time_ns()
            if worker.exited is not None:
                record.cpu_ns = record.cpu_ns or worker.exited.cpu_ns
                if not running.rss_peak:  # the system's own figure has the pages of mapped files in it
                    record.peak_rss_bytes = max(record.peak_rss_bytes, worker.exited.peak_rss_bytes)
            record.status, record.error = status, error
            self._settle(running, worker)
        self._finish(running, worker)

    def on_init_lost(self, worker: Worker, running: Running | None) -> None:
        if running is None:
            return
        _tell_init(worker, running)
        self._fail(running, worker, "init_error", init_verdict(worker))
        self._finish(running, worker)

    def on_waited(self, pool: FunctionPool, running: Running) -> None:
        if running.future.done():  # its caller has gone
            self._recorder.abandoned(running.record)
            self._leave()
            return
        limit = pool.limits.max_workers
        waited = time.monotonic() - running.accepted_mono
        self._reject(running, f"no worker became free in {waited:.1f} s; all {limit} of its workers are busy")

    def on_call(self, worker: Worker, call: Call) -> None:
        if self.call_handler is not None:
            self.call_handler(worker, call)

    def on_telemetry(self, worker: Worker, payload: bytes) -> None:
        running = worker.current
        self._recorder.telemetry(worker.spec, running.record if running is not None else None, payload)

    def on_heap(self, running: Running, worker: Worker, found: HeapFound) -> None:
        """After the scene: the heap is added to it."""
        if running.finished:
            self._recorder.heap(running.record, found, worker.spec.redact_keys)
        else:
            running.heap = found


def _tell_init(worker: Worker, running: Running) -> None:
    """An invocation that waited for a worker whose module could not be loaded."""
    record = running.record
    record.cold = True
    record.worker_pid, record.worker_id = worker.pid, worker.worker_id
    record.init_started_ns = max(worker.requested_ns, record.accepted_ns)
    record.init_ended_ns = time.time_ns()
    running.scene = worker.scene
    running.telemetry = list(worker.init_telemetry)


def _tell_client(record: InvocationRecord, request: InvokeRequest, http: HttpRequest) -> None:
    """Where an HTTP request comes from."""
    record.http_query = http.query
    record.http_scheme, record.http_host = request.scheme, request.host
    record.client, record.peer, record.peer_port = request.client, request.peer, request.peer_port
    record.user_agent = request.user_agent


def _tell_origin(record: InvocationRecord, request: InvokeRequest) -> None:
    """Where a queued event or a call comes from."""
    record.link_trace_id = request.link_trace_id
    record.link_span_id = request.link_span_id
    record.event_id = request.event_id
    record.caller_invocation_id = request.caller_invocation_id
    record.enqueued_ns = request.enqueued_ns
    record.ready_ns = request.ready_ns
    if request.attributes:
        record.attributes = dict(request.attributes)
