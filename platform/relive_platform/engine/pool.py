"""The pool of one function version: idle workers, requests that wait, when to fork and when to let go."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, replace
from typing import Final, Protocol

from relive_base.records import InvocationRecord
from relive_base.wire.messages import NOT_APPLICABLE, Call, Done, FunctionSpec, InitFailed, Ready, Result

from relive_platform.engine.failed.frozen import FrozenWorkers
from relive_platform.engine.failed.heaps import NO_HEAP, PENDING, HeapTaker
from relive_platform.engine.invocation import InvokeRequest, Running
from relive_platform.engine.scaling import FORK_COST_S, smoothed, workers_wanted
from relive_platform.engine.workers.life import BUSY, FINISHING, FROZEN, GONE, IDLE, STARTING
from relive_platform.engine.workers.worker import Worker
from relive_platform.engine.workers.zygote import ZygoteKey
from relive_platform.evidence import HeapFound

__all__ = ["FunctionPool", "PoolHost", "PoolLimits", "PoolListener"]

AHEAD_LIMIT: Final = 16
"""Events that one worker of a fast function has at once: one runs, the others wait in its socket. A worker
that never falls asleep between two of them saves two wake-ups, which cost more than a small handler."""
AHEAD_WAIT_S: Final = 0.001
"""No more than one worker gets done in this time, by its function's mean: others are woken for the rest."""
WORKER_COST_S: Final = 0.00003
"""What a worker spends on an invocation beside the handler, as measured."""
AHEAD_SERVICE_S: Final = 0.002
"""Only functions whose slowest recent invocation took less than this get events sent ahead."""
AHEAD_BYTES: Final = 16_384
HEALTHY_BYTES: Final = 65_536
"""The newest event that succeeded is kept for the scene of the next failure, if it is no larger."""
_MB: Final = 1_048_576
_DECAY: Final = 0.98
"""A slow invocation keeps events from being sent ahead for about as many invocations as it took times 50."""


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """Limits of one function."""

    max_workers: int = 4
    waiting_workers: int = 2
    waiting_requests: int = 1_000
    wait_limit_s: float = 10.0
    idle_s: float = 300.0
    recycle_n: int = 100_000
    recycle_memory_percent: int = 80
    start_timeout_s: float = 30.0


class PoolListener(Protocol):
    """Who is told what became of the invocations."""

    def on_result(self, worker: Worker, running: Running, result: Result) -> None: ...
    def on_finished(self, worker: Worker, running: Running, done: Done) -> None: ...
    def on_worker_lost(self, worker: Worker, running: Running) -> None: ...
    def on_init_lost(self, worker: Worker, running: Running | None) -> None: ...
    def on_waited(self, pool: FunctionPool, running: Running) -> None: ...
    def on_call(self, worker: Worker, call: Call) -> None: ...
    def on_telemetry(self, worker: Worker, payload: bytes) -> None: ...
    def on_heap(self, running: Running, worker: Worker, found: HeapFound) -> None: ...


class PoolHost(Protocol):
    """What a pool needs of who owns all workers."""

    frozen: FrozenWorkers
    heaps: HeapTaker

    def watch(self, worker: Worker) -> None: ...
    def fork(self, pool: FunctionPool, *, spare: bool) -> bool: ...
    def freed(self) -> None: ...
    def freeze(self, worker: Worker, running: Running) -> bool: ...
    def lost(self, worker: Worker, running: Running) -> None: ...
    def gone(self, worker: Worker) -> None: ...


def _template(spec: FunctionSpec) -> InvocationRecord:
    """What the records of a function version's invocations have in common."""
    return InvocationRecord(
        invocation_id="",
        function=spec.name,
        version=spec.version,
        trace_id="",
        span_id="",
        trigger_span_id="",
        app=spec.app,
        code_hash=spec.code_hash,
        memory_limit_bytes=spec.memory_mb * _MB,
        resource=spec.environment.get("OTEL_RESOURCE_ATTRIBUTES", ""),
    )


class FunctionPool:
    """Workers of one function version. Everything runs on the event loop."""

    def __init__(
        self,
        spec: FunctionSpec,
        zygote: ZygoteKey,
        limits: PoolLimits,
        host: PoolHost,
        listener: PoolListener,
    ) -> None:
        self.spec = spec
        self.template = _template(spec)
        self.zygote = zygote
        self.limits = limits
        self.idle: list[Worker] = []  # the newest last: it is taken first, its caches are warm
        self.workers: set[Worker] = set()
        self.waiting: deque[Running] = deque()
        self.starting = 0
        self.draining = False
        self.last_used = time.monotonic()
        self.active = False  # was invoked, or deployed just now
        self.init_failures = 0  # in a row
        self.healthy: tuple[InvokeRequest, InvocationRecord] | None = None  # the newest success
        self.profile_next = 0
        self.profile_engine = "precise"
        self.heap_next = False  # a baseline is wanted: of the next invocation that succeeds
        self._host = host
        self._listener = listener
        self.service_s = 0.0  # smoothed time from dispatch to the last frame
        self._mean_s = 1.0
        self._worn_bytes = spec.memory_mb * _MB * limits.recycle_memory_percent // 100
        self._slowest_s = 1.0  # of the recent ones, decaying; until it is known, nothing is sent ahead

    @property
    def busy(self) -> int:
        """Workers with an invocation."""
        return sum(worker.state in (BUSY, FINISHING) for worker in self.workers)

    def submit(self, running: Running) -> bool:
        """Run it now or let it wait. False: too many wait already."""
        self.active = True
        worker = self._fast_worker(running) if self._slowest_s < AHEAD_SERVICE_S else None
        if worker is not None:
            self._dispatch(worker, running)
            return True
        if self.idle:
            self._dispatch(self.idle.pop(), running)
            return True
        if len(self.waiting) >= self.limits.waiting_requests:
            return False
        self.waiting.append(running)
        self.scale()
        return True

    def _fast_worker(self, running: Running) -> Worker | None:
        """A busy worker that will begin this event in a moment, so that no idle one has to be woken."""
        request = running.request
        if request.trigger == "call" or len(request.event) > AHEAD_BYTES or self.draining:
            return None  # who calls may be whom it would wait for
        if request.http is not None and len(request.http.body) > AHEAD_BYTES:
            return None
        since = running.accepted_mono - AHEAD_SERVICE_S
        each_s = self._mean_s + WORKER_COST_S
        for worker in self.workers:
            current = worker.current
            if (
                current is not None
                and current.sent_mono > since
                and len(worker.ahead) < AHEAD_LIMIT - 1
                and len(worker.ahead) * each_s < AHEAD_WAIT_S
                and not worker.retiring
                and not worker.condemned
            ):
                return worker
        return None

    def take_back(self, worker: Worker) -> None:
        """Another worker gets what was sent ahead to one that takes longer than it used to."""
        self._slowest_s = 1.0
        for running in reversed(worker.take_back()):
            self.waiting.appendleft(running)
        while self.waiting and self.idle:
            following = self._next_waiting()
            if following is not None:
                self._dispatch(self.idle.pop(), following)
        self.scale()

    def _dispatch(self, worker: Worker, running: Running) -> None:
        record = running.record
        ready = worker.ready
        record.dispatched_ns = now = time.time_ns()
        record.worker_pid = worker.pid
        record.worker_id = worker.worker_id
        record.instance = worker.spec.instance
        if ready is not None:
            record.isolation_tier = ready.isolation_tier
        if worker.invocations == 0 and ready is not None:
            # Cold: this request saw the start. Otherwise the worker had been waiting for it.
            if worker.requested_ns >= record.accepted_ns or ready.loaded_ns > record.accepted_ns:
                record.cold = True
                record.init_started_ns = max(worker.requested_ns, record.accepted_ns)
                record.init_ended_ns = min(ready.loaded_ns, now)
            else:
                record.pooled = True
        if self.profile_next and not running.profile:
            self.profile_next -= 1
            running.profile = self.profile_engine
        worker.run(running, running.profile)
        if worker.current is running:  # else it is watched already
            self._host.watch(worker)

    def scale(self) -> None:
        """Fork if the requests that wait would wait longer than a fork takes."""
        if not self.waiting:
            return
        serving = sum(map(self._serves_soon, self.workers))
        wanted = workers_wanted(len(self.waiting), serving, self.service_s)
        self._fork(wanted - self.starting)

    def _serves_soon(self, worker: Worker) -> bool:
        """Whether it is busy, and not for much longer than this function's invocations take."""
        current = worker.current
        if current is None or worker.retiring:
            return False
        return time.monotonic() - current.sent_mono < max(FORK_COST_S, 4 * self.service_s)

    def keep_warm(self) -> None:
        """Let the waiting workers of an active function wait; send the idle ones of a quiet one home."""
        now = time.monotonic()
        if self.active and now - self.last_used > self.limits.idle_s and not self.waiting and not self.busy:
            self.active = False
        for worker in [w for w in self.idle if now - w.idle_since > self.limits.idle_s or self.draining]:
            self.remove_idle(worker)
        if self.active and not self.draining and not self.init_failures:
            wanted = min(self.limits.waiting_workers, self.limits.max_workers)
            self._fork(wanted - len(self.live()) - self.starting, spare=True)

    def live(self) -> list[Worker]:
        """Workers that serve or can serve."""
        return [w for w in self.workers if w.state in (IDLE, BUSY, FINISHING) and not w.retiring]

    def _fork(self, count: int, *, spare: bool = False) -> None:
        if count <= 0:
            return
        room = self.limits.max_workers - len(self.live()) - self.starting
        for _ in range(min(count, room)):
            if not self._host.fork(self, spare=spare):
                return
            self.starting += 1

    def remove_idle(self, worker: Worker) -> None:
        """Take an idle worker out and end it."""
        if worker in self.idle:
            self.idle.remove(worker)
        worker.retire()
        worker.kill()

    def drain(self) -> None:
        """A newer version took over: nothing new starts here, what runs is finished."""
        self.draining = True
        self.active = False
        for worker in list(self.idle):
            self.remove_idle(worker)
        for worker in self.workers:
            if worker.state == STARTING and not self.waiting:
                worker.retire()
                worker.kill()

    # What workers tell.

    def on_ready(self, worker: Worker, ready: Ready) -> None:
        self.starting -= 1
        self.init_failures = 0
        self._free(worker)

    def _free(self, worker: Worker) -> None:
        worker.become(IDLE)
        running = self._next_waiting() if self.waiting and not worker.retiring else None
        if running is not None:
            self._dispatch(worker, running)
            return
        worker.idle_since = self.last_used = time.monotonic()
        if worker.retiring or self.draining:
            worker.kill()
        else:
            self.idle.append(worker)
            self._host.freed()

    def on_init_failed(self, worker: Worker, failed: InitFailed) -> None:
        worker.fail(failed.error.fingerprint)
        self._lost_start(worker, waits=worker.exited is None)

    def _lost_start(self, worker: Worker, waits: bool = False) -> None:
        """`waits`: the process is still there, with the frames of what failed in it."""
        self.starting -= 1
        self.init_failures += 1
        if worker.state != GONE:
            worker.become(FROZEN)
        running = self._next_waiting()
        kept = heap = False
        if running is not None and waits:
            kept = self._host.freeze(worker, running)
            heap = self._has_room_for_heap(worker, running)
        self._listener.on_init_lost(worker, running)
        if running is not None and heap:
            self._take_heap(worker, running, kept)
        elif not kept:
            worker.kill()

    def _next_waiting(self) -> Running | None:
        while self.waiting:
            running = self.waiting.popleft()
            if not running.future.done():
                return running
            self._listener.on_waited(self, running)  # its caller has gone
        return None

    def on_result(self, worker: Worker, running: Running, result: Result) -> None:
        if result.status == "ok" and running.record.event_bytes <= HEALTHY_BYTES:
            self.healthy = running.request, running.record
        self._listener.on_result(worker, running, result)

    def on_done(self, worker: Worker, running: Running, done: Done) -> None:
        result = running.result
        took = worker.ended_mono - running.sent_mono
        self.service_s = smoothed(self.service_s, took)
        if result is not None:
            handler_s = (result.ended_ns - result.started_ns) / 1e9
            self._slowest_s = max(handler_s, self._slowest_s * _DECAY)
            self._mean_s = 0.9 * self._mean_s + 0.1 * handler_s
        error = running.record.error
        worker.fail(error.fingerprint if error is not None else "")
        # Before the scene is written: it says whether its process is still there.
        ok = result is not None and result.status == "ok"
        kept = not ok and self._keep(worker, running, done)
        heap = (not ok or self.heap_next) and self._wants_heap(worker, running, done)
        self._listener.on_finished(worker, running, done)
        if worker.current is not None:
            self._next_ahead(worker, done)
        elif heap:
            worker.become(FROZEN)  # another one takes its place while it walks its heap
            self._take_heap(worker, running, kept)
            self._replace()
        elif kept:
            worker.become(FROZEN)
            self._replace()
        elif self._worn(worker, done) or (result is not None and not result.reusable) or not done.reusable:
            worker.retire()
            worker.become(FROZEN)  # until it is reaped
            worker.kill()
            self._replace()
        else:
            self._free(worker)
        if worker.ahead and worker.current is None:
            self.take_back(worker)  # it failed: the process begins nothing any more

    def on_saved(self, worker: Worker, running: Running) -> None:
        """A worker at its memory limit has told all there is, and waits if its code was stopped."""
        if worker.current is not running:
            return  # it has ended meanwhile
        worker.drop()
        worker.fail(running.record.error.fingerprint if running.record.error else "")
        kept = self._host.freeze(worker, running)
        running.record.cpu_ns = worker.process.cpu_ns()
        self._listener.on_worker_lost(worker, running)
        worker.become(FROZEN)
        if not kept:
            worker.retire()
            worker.kill()
        if worker.ahead:
            self.take_back(worker)
        self._replace()

    def on_crashed(self, worker: Worker) -> None:
        """It stands still where it crashed: to be read from outside, unless nobody waits for what it did."""
        if worker.condemned:
            return  # it is being stopped already
        if worker.state == STARTING:
            worker.adopt(self._next_waiting())
            if worker.current is not None:
                self.starting -= 1
                self.init_failures += 1
        running = worker.current
        if running is None or running.result is not None:
            worker.kill()
            return
        worker.become(FROZEN)  # another one takes its place while it is read
        self._host.watch(worker)
        if worker.ahead:
            self.take_back(worker)
        self._replace()

    def _keep(self, worker: Worker, running: Running, done: Done) -> bool:
        """Whether the worker stays, frozen, as the live scene of what has just failed in it."""
        result = running.result
        if result is None or result.status == "ok" or worker.current is not None:
            return False
        if result.reusable and done.reusable:  # none of the function's code has run, or it goes on
            why = "the function answered, and goes on" if result.answered else "the handler never began"
            running.external_parts["live"] = (NOT_APPLICABLE, f"there is nothing to debug: {why}")
            return False
        return self._host.freeze(worker, running)

    def _wants_heap(self, worker: Worker, running: Running, done: Done) -> bool:
        """Whether the worker is to walk its heap before it is stopped or ended; the scene says why not."""
        result = running.result
        if result is None or worker.current is not None:
            return False
        if result.status == "ok":
            return self.heap_next and not self._host.heaps.objection(worker, "")
        if result.reusable and done.reusable:
            why = "the function answered, and goes on" if result.answered else "none of its code has run"
            running.external_parts["heap"] = (NOT_APPLICABLE, f"{NO_HEAP}: {why}")
            return False
        return self._has_room_for_heap(worker, running)

    def _has_room_for_heap(self, worker: Worker, running: Running) -> bool:
        reason = self._host.heaps.objection(worker, worker.fingerprint)
        running.external_parts["heap"] = ("missing", reason or PENDING)
        return not reason

    def _take_heap(self, worker: Worker, running: Running, kept: bool) -> None:
        baseline = running.result is not None and running.result.status == "ok"
        if baseline:
            self.heap_next = False
        if kept:
            worker.process.thaw()
        else:
            worker.retire()

        def taken(found: HeapFound) -> None:
            self._listener.on_heap(running, worker, replace(found, baseline=baseline))
            if not kept:
                worker.kill()
            else:
                self._host.frozen.stop(worker)

        self._host.heaps.take(worker, running, taken)

    def _next_ahead(self, worker: Worker, done: Done) -> None:
        """The worker has gone on by itself with what was sent ahead; keep it fed."""
        if self._worn(worker, done):
            worker.retire()  # once it has run dry
        elif self.waiting and self._slowest_s < AHEAD_SERVICE_S:
            running = self._next_waiting()
            if running is not None:
                self._dispatch(worker, running)

    def on_skipped(self, worker: Worker, running: Running) -> None:
        """Too late for it: it waited behind a slow one. Another worker gets it, or the same one anew."""
        self.waiting.appendleft(running)
        if worker.current is None:
            self._free(worker)
        self.scale()

    def _worn(self, worker: Worker, done: Done) -> bool:
        return (
            worker.retiring
            or worker.invocations >= self.limits.recycle_n
            or done.rss_bytes > self._worn_bytes
        )

    def _replace(self) -> None:
        self.last_used = time.monotonic()
        self.scale()
        if self.active and self.limits.waiting_workers and not self.live() and not self.starting:
            self._fork(1, spare=True)
        self._host.freed()

    def on_call(self, worker: Worker, call: Call) -> None:
        self._listener.on_call(worker, call)

    def on_telemetry(self, worker: Worker, payload: bytes) -> None:
        self._listener.on_telemetry(worker, payload)

    def on_gone(self, worker: Worker) -> None:
        self.workers.discard(worker)
        self._host.gone(worker)
        if worker in self.idle:
            self.idle.remove(worker)
        running = worker.drop()
        if worker.ahead:
            self.take_back(worker)  # it says that it is done before it begins the next
        if running is not None:
            self._host.lost(worker, running)
            self._listener.on_worker_lost(worker, running)
        elif (
            worker.ready is None and worker.init_failed is None and (worker.fork_error or not worker.retiring)
        ):
            self._lost_start(worker)
        elif worker.ready is None and worker.init_failed is None:
            self.starting -= 1
        self._replace()

    def expire(self, now: float) -> None:
        """Turn away requests that waited too long, and workers that cannot get ready."""
        # A cold start has a limit of its own; only waiting for busy workers is throttling.
        busy = self.starting == 0 or bool(self.live())
        while busy and self.waiting and self._waited_long(self.waiting[0], now):
            self._listener.on_waited(self, self.waiting.popleft())
        for worker in self.workers:
            if worker.state == STARTING and now - worker.requested_mono > self.limits.start_timeout_s:
                worker.condemn("timeout")
                worker.kill()

    def _waited_long(self, running: Running, now: float) -> bool:
        limit_s = self.limits.wait_limit_s
        if running.request.trigger == "call":
            limit_s = min(limit_s, running.timeout_s)
        return now - running.accepted_mono > limit_s
