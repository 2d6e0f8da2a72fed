"""Takes an event to a worker of its function and brings the outcome back; fills in the record."""

from __future__ import annotations

import asyncio
import logging
from typing import Final, Protocol

from msgspec.structs import replace
from relive_base.ids import new_invocation_ids
from relive_base.records import InvocationRecord
from relive_base.wire.messages import WEBSOCKET, Call, CallBegun, Done, ErrorInfo, FunctionSpec, Result
from relive_base.within import within
from relive_runtime.adapters.table import GRPC

from relive_platform.engine.attempt import FINISHED, Attempt
from relive_platform.engine.clock import Clock
from relive_platform.engine.errors import Stopping, UnknownFunction
from relive_platform.engine.evidence import Evidence
from relive_platform.engine.hops import Hops
from relive_platform.engine.invocation import (
    InvokeRequest,
    Outcome,
    StreamReader,
    Waiter,
)
from relive_platform.engine.pool import FunctionPool, why_full
from relive_platform.engine.qualifiers import Qualifiers
from relive_platform.engine.scene_job import scene_job
from relive_platform.engine.supervisor.told import adopt_place
from relive_platform.engine.supervisor.verdict import (
    condemned_verdict,
    init_verdict,
    worker_verdict,
)
from relive_platform.engine.workers.born import Caller, request_of
from relive_platform.engine.workers.worker import Worker
from relive_platform.evidence import Finished, HeapFound, SceneJob

__all__ = ["LOOP", "QUALIFIER", "SOCKETS_FULL", "CallHandler", "Dispatcher", "Recorder"]

QUALIFIER: Final = "relive.qualifier"
"""Attribute of an invocation that asked for a version or an alias: what it asked for."""

LOOP: Final = "RecursiveLoop"
"""The error of an invocation that lies too deep below what has begun it."""

SOCKETS_FULL: Final = "sockets_full"
"""The kind of a refusal: no worker takes a further websocket."""

_SOCKET_RETRY_S: Final = 5  # those that are open may stay so for hours
_NO_KEYS: Final[list[str]] = []
_log = logging.getLogger(__name__)
_NOTHING: Final = Evidence()  # of an attempt of which nothing has come but its answer


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

    def __call__(self, worker: Worker, attempt: Attempt | None, call: Call, /) -> None: ...


class Dispatcher:
    """The way in for every kind of event. Everything runs on the event loop."""

    def __init__(
        self,
        recorder: Recorder,
        versions: dict[tuple[str, int], FunctionPool],
        clock: Clock | None = None,
        qualifiers: Qualifiers | None = None,
    ) -> None:
        self.pools: dict[str, FunctionPool] = {}  # the version that is in service
        self.versions = versions  # every version that has a pool
        self.qualifiers = qualifiers or Qualifiers()
        self.hops = Hops()
        self.running = 0
        self.ended = 0
        self.stopping = False
        self.call_handler: CallHandler | None = None
        self._recorder = recorder
        clock = clock or Clock()
        self._mono, self._wall_ns = clock.mono, clock.wall_ns
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
        """Like `submit`, for any kind of waiter. Raises UnknownFunction, UnknownQualifier and Stopping."""
        pool = self.pools.get(request.function)
        if request.qualifier and pool is not None:
            request.version = self.qualifiers.version_of(request.function, request.qualifier)
        if request.version and (pool is None or pool.spec.version != request.version):
            pool = self.versions.get((request.function, request.version))
        if pool is None:
            raise UnknownFunction(request.function, self.pools)
        if self.stopping:
            raise Stopping
        attempt = self._attempt(pool, request, waiter, new_invocation_ids())
        self.running += 1
        if request.depth:
            self.hops.note(attempt.record.invocation_id, request.depth)
            if request.depth > pool.spec.call_depth:
                self._break_loop(attempt, pool.spec.call_depth)
                return
        if pool.submit(attempt):
            self._recorder.begun(attempt.record)
        else:
            self._turn_away(pool, attempt, why_full(pool.limits, len(pool.waiting)))

    def _attempt(
        self, pool: FunctionPool, request: InvokeRequest, waiter: Waiter, ids: tuple[str, str, str, str]
    ) -> Attempt:
        """`ids`: of invocation, trace, span and trigger span; those of the request come first."""
        spec = pool.spec
        timeout_s = min(request.timeout_s, spec.timeout_s) if request.timeout_s > 0 else spec.timeout_s
        http = request.http
        invocation_id, trace_id, span_id, trigger_span_id = ids
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
            accepted_ns=request.accepted_ns or self._wall_ns(),
            timeout_ns=int(timeout_s * 1e9),
            event_bytes=len(request.event) if http is None else len(http.body),
            sampled=request.sampled,
        )
        if request.qualifier:
            request.attributes = {**request.attributes, QUALIFIER: request.qualifier}
        if http is None or request.event_id or request.qualifier:
            _tell_origin(record, request)  # an answered request has no other origin
        if http is not None:
            record.http_method, record.http_route = http.method, http.route
            record.http_path = http.mount.rstrip("/") + http.path  # as the client asked for it
            record.http_query = http.query
            record.http_scheme, record.http_host = request.scheme, request.host
            record.client, record.peer, record.peer_port = request.client, request.peer, request.peer_port
            record.user_agent = request.user_agent
        return Attempt(
            request=request,
            record=record,
            waiter=waiter,
            timeout_s=timeout_s,
            accepted_mono=self._mono(),
            profile=request.profile,
        )

    def on_call_begun(self, pool: FunctionPool, begun: CallBegun) -> Attempt:
        """A worker has begun a call by itself."""
        spec = pool.spec
        request = request_of(spec.name, spec.version, begun)
        ids = begun.invocation_id, begun.trace_id, begun.span_id, begun.trigger_span_id
        attempt = self._attempt(pool, request, Caller(), ids)
        self.running += 1
        self._recorder.begun(attempt.record)
        return attempt

    def cancel_waiting(self, pool: FunctionPool, attempt: Attempt) -> bool:
        """Turn away what waits for a worker, for good. False if it has begun, or is gone."""
        if attempt not in pool.waiting:
            return False
        pool.waiting.remove(attempt)
        error = ErrorInfo(type="Cancelled", message="somebody ended it with relive cancel", kind="cancelled")
        self._fail(attempt, None, "rejected", error)
        self._finish(attempt, None)
        return True

    def _break_loop(self, attempt: Attempt, limit: int) -> None:
        record = attempt.record
        text = (
            f"{record.function} lies {attempt.request.depth} calls and events below what began this, over"
            f" RELIVE_CALL_DEPTH ({limit}): functions that set each other off in a circle end here"
        )
        _log.error("%s", text)
        self._fail(attempt, None, "rejected", ErrorInfo(type=LOOP, message=text, kind="loop"))
        self._finish(attempt, None)

    def _turn_away(self, pool: FunctionPool, attempt: Attempt, why: str) -> None:
        if attempt.request.wire == WEBSOCKET and not pool.has_socket_room():
            count = sum(worker.sockets for worker in pool.live())
            message = f"{count} websockets are open, as many as its workers take: see `websockets`"
            error = ErrorInfo(type="TooManyWebsockets", message=message, kind=SOCKETS_FULL)
            self._reject(attempt, error, _SOCKET_RETRY_S)
        else:
            error = ErrorInfo(type="Throttled", message=why, kind="throttled")
            self._reject(attempt, error, pool.retry_after_s())

    def _reject(self, attempt: Attempt, error: ErrorInfo, retry_after_s: int) -> None:
        attempt.fail("rejected", error)
        self._settle(attempt, None, retry_after_s)
        self._finish(attempt, None)

    def _settle(self, attempt: Attempt, worker: Worker | None, retry_after_s: int = 0) -> None:
        """Give the answer; the record is complete but for what still comes after it."""
        waits = not attempt.waiter.done()
        outcome = self._prepare(attempt, retry_after_s)
        record = attempt.record
        job = scene_job(attempt, worker, attempt.evidence.profiles) if record.failed else None
        self._recorder.answered(record, job)  # before anybody knows of it: it must not be lost any more
        if waits:
            attempt.waiter.set_result(outcome)

    def _prepare(self, attempt: Attempt, retry_after_s: int = 0) -> Outcome:
        """The outcome, with all in its record that the answer itself has to say."""
        record = attempt.record
        outcome = Outcome(record, attempt.result, retry_after_s)
        if attempt.request.stream and not attempt.waiter.done():
            reader: StreamReader = attempt.waiter  # type: ignore[assignment]
            reader.prepare(outcome)
        result = attempt.result
        told = attempt.request.wire == GRPC and result is not None  # its client has it by another way
        attempt.respond(result.ended_ns if told and result is not None else self._wall_ns())
        return outcome

    def _fail(self, attempt: Attempt, worker: Worker | None, status: str, error: ErrorInfo) -> None:
        attempt.fail(status, error)
        self._settle(attempt, worker)

    async def drained(self, timeout_s: float) -> bool:
        """Wait until nothing runs. False if something still does after `timeout_s`."""
        if self.running:
            self._empty.clear()
            try:
                await within(self._empty.wait(), timeout_s)
            except TimeoutError:
                return False
        return True

    def _leave(self) -> None:
        self.running -= 1
        self.ended += 1
        if not self.running and not self._empty.is_set():
            self._empty.set()

    def _finish(self, attempt: Attempt, worker: Worker | None, done: Done | None = None) -> None:
        self._leave()
        attempt.finish(done)
        record, evidence = attempt.record, attempt.gathered or _NOTHING
        profiles, keys, playback = evidence.profiles, _NO_KEYS, b""
        if worker is not None:
            if (
                worker.loading.profiles
            ):  # the first attempt tells what was sampled while the module was loaded
                profiles = profiles + worker.loading.take_profiles()
            keys, playback = worker.spec.redact_keys, worker.playback
        job = scene_job(attempt, worker, profiles) if record.has_scene else None
        self._recorder.finished(Finished(record, profiles, keys, evidence.span_updates), job, playback)
        if evidence.heap is not None:
            self._recorder.heap(record, evidence.heap, keys)

    # What the pools tell.

    def on_result(self, worker: Worker, attempt: Attempt, result: Result) -> None:
        scene = attempt.gathered is not None and attempt.gathered.scene
        if result.done is not None and not scene and result.status == "ok":
            # Nothing follows: it is recorded once and for all, which costs half of telling it in two parts.
            waits = not attempt.waiter.done()
            outcome = self._prepare(attempt)
            self._finish(attempt, worker, result.done)
            if waits:
                attempt.waiter.set_result(outcome)
        else:
            self._settle(attempt, worker)

    def on_finished(self, worker: Worker, attempt: Attempt, done: Done) -> None:
        if attempt.state != FINISHED:
            self._finish(attempt, worker, done)

    def on_condemned(self, worker: Worker, attempt: Attempt, why: str) -> None:
        """The supervisor is about to stop a worker: the caller hears it now, the scene follows."""
        if worker.ready is None:
            self._lose_start(worker, attempt)
        self._fail(attempt, worker, *condemned_verdict(worker, attempt, why))

    def on_worker_lost(self, worker: Worker, attempt: Attempt) -> None:
        if attempt.result is None:
            record = attempt.record
            status, error = worker_verdict(worker, attempt)
            if worker.serves and attempt.evidence.scene:
                adopt_place(attempt.evidence, error)  # it has told where each of them stood
            if worker.condemned and record.error is not None:
                status, error = record.status, record.error  # told already, located since
            exited, cpu_ns = worker.exited, worker.lost_cpu_ns
            attempt.lose(status, error, self._wall_ns(), exited, cpu_ns, ready=worker.ready is not None)
            self._settle(attempt, worker)
        self._finish(attempt, worker)

    def on_init_lost(self, worker: Worker, attempt: Attempt | None) -> None:
        if attempt is None:
            return
        self._lose_start(worker, attempt)
        self._fail(attempt, worker, "init_error", init_verdict(worker))
        self._finish(attempt, worker)

    def _lose_start(self, worker: Worker, attempt: Attempt) -> None:
        now_ns = self._wall_ns()
        attempt.lose_start(worker.pid, worker.worker_id, worker.requested_ns, now_ns, worker.loading)

    def on_waited(self, pool: FunctionPool, attempt: Attempt) -> None:
        if attempt.waiter.done():  # its caller has gone
            attempt.abandon()
            self._recorder.abandoned(attempt.record)
            self._leave()
            return
        limit = pool.limits.max_workers
        waited = self._mono() - attempt.accepted_mono
        self._turn_away(
            pool, attempt, f"no worker became free in {waited:.1f} s; all {limit} of its workers are busy"
        )

    def on_call(self, worker: Worker, attempt: Attempt | None, call: Call) -> None:
        if self.call_handler is not None:
            self.call_handler(worker, attempt, call)

    def on_telemetry(self, worker: Worker, attempt: Attempt | None, payload: bytes) -> None:
        self._recorder.telemetry(worker.spec, attempt.record if attempt is not None else None, payload)

    def on_heap(self, attempt: Attempt, worker: Worker, found: HeapFound) -> None:
        """After the scene: the heap is added to it."""
        if attempt.state == FINISHED:
            self._recorder.heap(attempt.record, found, worker.spec.redact_keys)
        else:
            attempt.evidence.keep_heap(found)


def _tell_origin(record: InvocationRecord, request: InvokeRequest) -> None:
    """Where a queued event or a call comes from."""
    record.link_trace_id = request.link_trace_id
    record.link_span_id = request.link_span_id
    record.event_id = request.event_id
    record.caller_invocation_id = request.caller_invocation_id
    record.enqueued_ns = request.enqueued_ns
    record.ready_ns = request.ready_ns
    record.links = request.links
    if request.attributes:
        record.attributes = dict(request.attributes)
