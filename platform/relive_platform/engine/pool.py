"""The pool of one function version: idle workers, requests that wait, when to fork and when to let go."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final, Protocol

from relive_base.records import InvocationRecord
from relive_base.wire.messages import (
    BREAKPOINT,
    WEBSOCKET,
    Call,
    CallBegun,
    Done,
    FunctionSpec,
    InitFailed,
    Ready,
    Result,
)
from relive_runtime.adapters.table import BESIDE, GRPC

from relive_platform.engine.attempt import FINISHED, Attempt
from relive_platform.engine.clock import Clock
from relive_platform.engine.failed.aftermath import NOTHING, Aftermath, Failures
from relive_platform.engine.pace import Pace, workers_wanted
from relive_platform.engine.placing import crowded, fast_worker, service_worker
from relive_platform.engine.points import PoolPoints
from relive_platform.engine.precise import PreciseProfiles
from relive_platform.engine.runtime import Runtime
from relive_platform.engine.successes import Successes
from relive_platform.engine.supervisor.verdict import init_verdict
from relive_platform.engine.waiting import Waiting
from relive_platform.engine.warmth.keeper import Warmth
from relive_platform.engine.wires import Wires
from relive_platform.engine.workers.born import is_own
from relive_platform.engine.workers.life import BUSY, FROZEN, GONE, IDLE, STARTING
from relive_platform.engine.workers.worker import Worker
from relive_platform.evidence import HeapFound

__all__ = ["FunctionPool", "PoolHost", "PoolLimits", "PoolListener", "why_full"]

_MB: Final = 1_048_576
_BORN: Final = 10_000  # calls of gRPC that one worker runs at once
_SOON_S: Final = 60.0  # idle for less than this: several may come at once again
_LOOK_AT_MEMORY_S: Final = 5.0
_AGED_S: Final = 0.1
"""Who has waited for so long has been told wrongly that the busy ones are done soon."""


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """Limits of one function."""

    max_workers: int = 4
    capacity: int = 1  # attempts that one worker runs at once
    waiting_workers: int = 2
    reserved: bool = False  # who comes when all workers are busy is turned away at once
    provisioned: int = 0  # workers that wait, ready, whether it is used or not
    waiting_requests: int = 1_000
    wait_limit_s: float = 10.0
    idle_s: float = 300.0
    recycle_n: int = 100_000
    recycle_memory_percent: int = 80
    start_timeout_s: float = 30.0


def why_full(limits: PoolLimits, waiting: int) -> str:
    """Why a function's pool has turned away an attempt."""
    if limits.reserved:
        return f"all of its reserved concurrency of {limits.max_workers} is in use"
    return f"{waiting} requests wait for this function already"


class PoolListener(Protocol):
    """Who is told what became of the invocations."""

    def on_result(self, worker: Worker, attempt: Attempt, result: Result) -> None: ...
    def on_finished(self, worker: Worker, attempt: Attempt, done: Done) -> None: ...
    def on_worker_lost(self, worker: Worker, attempt: Attempt) -> None: ...
    def on_init_lost(self, worker: Worker, attempt: Attempt | None) -> None: ...
    def on_waited(self, pool: FunctionPool, attempt: Attempt) -> None: ...
    def on_call(self, worker: Worker, attempt: Attempt | None, call: Call) -> None: ...
    def on_call_begun(self, pool: FunctionPool, begun: CallBegun) -> Attempt: ...
    def on_telemetry(self, worker: Worker, attempt: Attempt | None, payload: bytes) -> None: ...
    def on_heap(self, attempt: Attempt, worker: Worker, found: HeapFound) -> None: ...


class PoolHost(Failures, Protocol):
    """What a pool needs of who owns all workers."""

    def watch(self, worker: Worker) -> None: ...
    def fork(self, pool: FunctionPool, *, spare: bool) -> bool: ...
    def freed(self) -> None: ...
    def lost(self, worker: Worker, attempt: Attempt) -> None: ...
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
        runtime: Runtime,
        limits: PoolLimits,
        host: PoolHost,
        listener: PoolListener,
        clock: Clock | None = None,
        warmth: Warmth | None = None,
    ) -> None:
        self.spec = spec
        self.template = _template(spec)
        self.serves = spec.kind in BESIDE or limits.capacity > 1  # attempts run beside each other
        self.runtime = runtime
        self.limits = limits
        self.idle: list[Worker] = []  # the newest last: it is taken first, its caches are warm
        self.workers: set[Worker] = set()
        self.waiting = Waiting(
            limits.waiting_requests, limits.wait_limit_s, lambda attempt: listener.on_waited(self, attempt)
        )
        self.starting = 0
        self.draining = False
        clock = clock or Clock()
        self._mono, self._wall_ns = clock.mono, clock.wall_ns
        self.last_used = self._mono()
        self.active = False  # was invoked, or deployed just now
        self.warmth = warmth or Warmth(0.0, clock)
        self.in_service = False  # events that name no version are its own
        self._came = False  # an event, since it was looked at last
        self.arrived = 0  # events
        self.by_http = 0  # of these, requests that any process with the function could have taken
        self._invoked = False  # by an event, ever
        self._used = False  # invoked or deployed since this server has it
        self._last_busy = self._mono()
        self._idle_s = 0.0  # when it was looked at last
        self._looked_s = 0.0
        self.init_failures = 0  # in a row
        self.healthy = Successes()
        self.pace = Pace(ahead=not self.serves)
        self.wires = Wires(self.live, lambda: self._fork(1), self._unwired, limits.wait_limit_s, clock)
        self.aftermath = Aftermath(host, listener.on_heap)
        self.precise = PreciseProfiles(spec)
        self.points = PoolPoints(self._mono)
        self._host = host
        self._listener = listener
        self._worn_bytes = spec.memory_mb * _MB * limits.recycle_memory_percent // 100

    @property
    def busy(self) -> int:
        """Workers with an invocation."""
        return sum(worker.state == BUSY for worker in self.workers)

    @property
    def kept(self) -> int:
        """Workers that others cannot take: reserved or provisioned."""
        return self.limits.max_workers if self.limits.reserved else self.limits.provisioned

    def submit(self, attempt: Attempt) -> bool:
        """Run it now or let it wait. False: too many wait already."""
        self.active = self._came = True
        self.arrived += 1
        request = attempt.request
        if request.http is not None and not request.event_id and not request.qualifier:
            self.by_http += 1
        if self.serves:
            worker = service_worker(self.workers, attempt, idle=bool(self.idle))
        elif self.pace.ahead_limit and not self.draining:
            worker = fast_worker(self.workers, attempt, self.pace.ahead_limit)
        else:
            worker = None
        if worker is not None:
            if worker.lags:
                self._fork(1 - self.starting)
            self._dispatch(worker, attempt)
            return True
        if self.idle:
            self._dispatch(self.idle.pop(), attempt)
            return True
        if self.limits.reserved and self.busy + len(self.waiting) >= self.limits.max_workers:
            return False
        socket = attempt.request.wire == WEBSOCKET
        if (socket and not self.has_socket_room()) or not self.waiting.join(attempt):
            return False
        if socket:
            self._fork(1 - self.starting)  # none of those that are open ends soon
        self.scale()
        return True

    def has_socket_room(self) -> bool:
        """Whether a further websocket has a worker, or would get one."""
        live = self.live()
        if any(worker.socket_room > 0 for worker in live) or not all(one.socket_capacity for one in live):
            return True  # those of no number of their own wait as all requests do
        return self.starting > 0 or len(live) < self.limits.max_workers

    def take_back(self, worker: Worker) -> None:
        """Another worker gets what was sent ahead to one that takes longer than it used to."""
        self.pace.turned_slow()
        self.waiting.rejoin(worker.take_back())
        while self.waiting and self.idle:
            following = self.waiting.next()
            if following is not None:
                self._dispatch(self.idle.pop(), following)
        self.scale()

    def _dispatch(self, worker: Worker, attempt: Attempt) -> None:
        ready = worker.ready
        now = self._wall_ns()
        tier = ready.isolation_tier if ready is not None else 0
        attempt.dispatch(now, worker.pid, worker.worker_id, worker.spec.instance, tier)
        if worker.invocations == 0 and ready is not None:
            # Cold: this request saw the start. Otherwise the worker had been waiting for it.
            accepted_ns = attempt.record.accepted_ns
            if worker.requested_ns >= accepted_ns or ready.loaded_ns > accepted_ns:
                attempt.started_cold(worker.requested_ns, min(ready.loaded_ns, now))
            else:
                attempt.found_waiting()
        if not attempt.profile and (engine := self.precise.choose()):
            attempt.use_profile(engine)
        if worker.points_version != self.points.version:
            self._tell_points(worker)
        if worker.run(attempt, attempt.profile):  # else it is watched already
            self._host.watch(worker)

    def _tell_points(self, worker: Worker) -> None:
        self.points.look()
        worker.tell_points(self.points.message(), self.points.version, self.points.judge)

    def scale(self) -> None:
        """Fork if the requests that wait would wait longer than a fork takes."""
        if not self.waiting:
            return
        serving = sum(map(self._serves_soon, self.workers))
        wanted = workers_wanted(len(self.waiting), serving, self.pace.service_s)
        if self._mono() - self.waiting[0].accepted_mono > _AGED_S:
            wanted = max(wanted, 1)  # whatever was expected of those that are busy
        self._fork(wanted - self.starting)

    def _serves_soon(self, worker: Worker) -> bool:
        """Whether it is busy, and not for much longer than this function's invocations take."""
        if not worker.begun or worker.retiring:
            return False
        return self._mono() - worker.began_mono < self.pace.soon_s()

    def keep_warm(self) -> None:
        """Let the waiting workers of an active function wait; send the idle ones of a quiet one home."""
        idle_s = self._look()
        spares = self._spares(idle_s)
        limits = self.limits
        self._let_go(spares)
        if (self.active or limits.provisioned) and not self.draining and not self.init_failures:
            wanted = max(min(spares, limits.max_workers), limits.provisioned)
            live = self.live()
            if self.serves and all(crowded(worker) for worker in live):
                wanted = len(live) + 1  # before they are full
            self._fork(wanted - len(live) - self.starting, spare=True)

    def _look(self) -> float:
        """For how long it has been idle. An idle time that has ended since the last look is learned from."""
        if self.points.version:
            self.points.look()
        came, self._came = self._came, False
        now = self._mono()
        if came and self._invoked and self.warmth.learns:
            self.warmth.seen(self.spec.name, self._idle_s)
        self._invoked = self._invoked or came
        self._used = self._used or came or self.active
        if came or self.waiting or self.busy:
            self._last_busy = now
        self._idle_s = now - self._last_busy
        if self.idle and self.warmth.learns and abs(self._idle_s - self._looked_s) > _LOOK_AT_MEMORY_S:
            self._looked_s = self._idle_s
            self.warmth.holds(self.spec.name, self.idle[-1].process.held_bytes())
        return self._idle_s

    def _spares(self, idle_s: float) -> int:
        """How many workers may wait after so long an idle time; it is active if any may."""
        waiting = self.limits.waiting_workers
        if self.in_service and not self.draining and self.warmth.timer_comes(self.spec.name):
            self.active = True
            return max(waiting, 1) if idle_s < _SOON_S else 1
        if not self.warmth.learns:
            if self.active and idle_s > self.limits.idle_s:
                self.active = False
            return waiting
        self.active = self._used and not self.draining and self.warmth.is_wanted(self.spec.name, idle_s)
        return waiting if idle_s < _SOON_S else min(waiting, 1)

    def _let_go(self, spares: int) -> None:
        """End idle workers that are too many, or idle for too long; not those that are provisioned."""
        now, kept, longest_s = self._mono(), self.limits.provisioned, self.limits.idle_s
        if self.draining:
            kept, longest_s = 0, -1.0
        elif self.warmth.learns:
            kept, longest_s = (max(kept, spares, 1), _SOON_S) if self.active else (kept, -1.0)
        for worker in list(self.idle):
            connected_s = self.limits.idle_s if worker.wires and not self.draining else longest_s
            if now - worker.idle_since <= connected_s:
                continue
            if kept and len(self.live()) <= kept:
                return
            self.remove_idle(worker)

    def why_warm(self) -> dict[str, Any]:
        """What its idle workers are judged by, and how it stands."""
        name = self.spec.name
        idle_s = 0.0 if self.waiting or self.busy or self._came else self._mono() - self._last_busy
        lag_s = max((worker.lag_s for worker in self.workers), default=0.0)
        counts = {"idle": len(self.idle), "busy": self.busy, "starting": self.starting}
        counts |= {"lagging": sum(worker.lags for worker in self.workers)}
        return {
            **self.warmth.explain(name),
            "version": self.spec.version,
            "workers": counts,
            "lag_s": round(lag_s, 3),
            "used": self._used,
            "idle_s": round(idle_s, 3),
            "idle_limit_s": self.limits.idle_s,
            "min_workers": self.limits.provisioned,
            "draining": self.draining,
            "wanted": self.active,
            "timer": self.warmth.timer_comes(name),
        }

    def retry_after_s(self) -> int:
        """When somebody who was turned away may come again, by how long its invocations take: what runs has
        to end, and what waits comes first. 1 as long as nothing is known of it."""
        service_s, now = self.pace.service_s, self._mono()
        ends_s = [max(service_s - (now - worker.began_mono), 0.0) for worker in self.workers if worker.begun]
        slots = max(sum(worker.capacity for worker in self.live()), 1)
        waits_s = len(self.waiting) * service_s / slots
        return max(math.ceil(min(ends_s, default=0.0) + waits_s), 1)

    def limit(self, limits: PoolLimits) -> None:
        """From now on it has these limits; workers that are too many leave when they are idle."""
        self.limits = limits
        while self.idle and len(self.live()) > limits.max_workers:
            self.remove_idle(self.idle[0])

    def wake(self) -> None:
        """Events are about to come: workers are to wait for them, however long it has been idle."""
        self.active = True
        self._last_busy = self._mono()

    def shed(self) -> None:
        """Busy workers that are too many leave once they are done with what they have."""
        live = self.live()
        busy = [worker for worker in live if worker.state == BUSY]
        for worker in busy[: max(len(live) - max(self.limits.max_workers, 1), 0)]:
            worker.retire()

    @property
    def held(self) -> int:
        """Processes that it has, but for frozen ones."""
        return sum(worker.state in (STARTING, IDLE, BUSY) for worker in self.workers)

    @property
    def is_watched(self) -> bool:
        """Whether somebody waits for the next ones of its attempts: their profiles, or a heap."""
        return self.precise.asked or self.aftermath.baseline_next

    def live(self) -> list[Worker]:
        """Workers that serve or can serve."""
        return [w for w in self.workers if w.state in (IDLE, BUSY) and not w.retiring]

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
        self._dismiss(worker)

    def _dismiss(self, worker: Worker) -> None:
        """It leaves, but not before the clients whose connections it has were told to go elsewhere."""
        if not worker.wires:
            worker.dismiss()
        elif not worker.retiring:
            worker.retire()
            worker.dismiss_later(self.spec.timeout_s + self.spec.stop_timeout_s)

    def _unwired(self, worker: Worker) -> None:
        """A connection of it has gone."""
        if worker.retiring and not worker.wires and worker.state == IDLE:
            worker.dismiss()

    def drain(self) -> None:
        """A newer version took over: nothing new starts here, what runs is finished."""
        self.draining = True
        self.active = False
        self.points.clear()
        for worker in list(self.idle):
            self.remove_idle(worker)
        for worker in [one for one in self.workers if one.wires]:
            self._dismiss(worker)
        for worker in self.workers:
            if worker.state == STARTING and not self.waiting:
                worker.retire()
                worker.kill()

    # What workers tell.

    def on_ready(self, worker: Worker, ready: Ready) -> None:
        self.starting -= 1
        self.init_failures = 0
        self.warmth.started(self.spec.name, max(ready.loaded_ns - worker.requested_ns, 0) / 1e9)
        self._free(worker)
        self.wires.on_ready(worker)

    def _free(self, worker: Worker) -> None:
        worker.become(IDLE)
        while self.waiting and self._has_room(worker) and not worker.retiring and self._give_next(worker):
            pass
        if worker.begun:
            return
        worker.idle_since = self.last_used = self._mono()
        if worker.retiring or self.draining:
            self._dismiss(worker)
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
        attempt = self.waiting.next()
        self.wires.on_lost(init_verdict(worker).message)
        stays = self.aftermath.of_process(worker, attempt) if attempt is not None and waits else NOTHING
        self._listener.on_init_lost(worker, attempt)
        if attempt is not None and stays.heap:
            self.aftermath.take_heap(worker, attempt, stays.kept)
        elif not stays.kept:
            worker.kill()

    def _give_next(self, worker: Worker) -> bool:
        """Give it the first one that waits and that it has room for. False if there is none, or it still has
        another attempt at that invocation."""
        attempt = self.waiting.next()
        if attempt is not None and worker.socket_capacity and worker.room_for(attempt) <= 0:
            self.waiting.rejoin([attempt])
            attempt = self.waiting.first(lambda one: worker.room_for(one) > 0)
        if attempt is None:
            return False
        if attempt.record.invocation_id in worker.attempts:
            self.waiting.rejoin([attempt])
            return False
        self._dispatch(worker, attempt)
        return True

    def on_result(self, worker: Worker, attempt: Attempt, result: Result) -> None:
        self.precise.ended(result, attempt.profile)
        if result.status == "ok":
            self.healthy.add(attempt.request, attempt.record)
        self._listener.on_result(worker, attempt, result)

    def on_done(self, worker: Worker, attempt: Attempt, done: Done) -> None:
        result = attempt.result
        ok = result is not None and result.status == "ok"
        self._learn(worker, attempt)
        error = attempt.record.error
        if error is not None or worker.fingerprint:
            held = error is not None and error.kind == BREAKPOINT  # each of these is meant to stay
            worker.fail(error.fingerprint if error is not None and not held else "")
        # Before the scene is written: it says whether its process is still there.
        wanted = not ok or self.aftermath.baseline_next
        stays = self.aftermath.of(worker, attempt, done) if wanted else NOTHING
        if attempt.state != FINISHED:
            self._listener.on_finished(worker, attempt, done)
        if worker.begun:
            self._feed(worker, done, result)
        elif stays.heap:
            worker.become(FROZEN)  # another one takes its place while it walks its heap
            self.aftermath.take_heap(worker, attempt, stays.kept)
            self._replace()
        elif stays.kept:
            worker.become(FROZEN)
            self._replace()
        elif self._worn(worker, done) or (result is not None and not result.reusable) or not done.reusable:
            if worker.serves and worker.state == BUSY:
                worker.become(IDLE)  # for nobody: it shuts down
                self._dismiss(worker)
            else:
                worker.retire()
                worker.become(FROZEN)  # until it is reaped
                worker.kill()
            self._replace()
        else:
            self._free(worker)
        if worker.attempts and not worker.begun:
            self.take_back(worker)  # it failed: the process begins nothing any more

    def _learn(self, worker: Worker, attempt: Attempt) -> None:
        """How long it took; how long a websocket was open says nothing."""
        result = attempt.result
        if result is not None and attempt.request.wire != WEBSOCKET:
            handler_s = (result.ended_ns - result.started_ns) / 1e9
            self.pace.took(worker.ended_mono - attempt.began_mono, handler_s)

    def on_saved(self, worker: Worker, attempt: Attempt) -> None:
        """A worker at its memory limit has told all there is, and waits if its code was stopped."""
        if worker.find(attempt.record.invocation_id) is not attempt:
            return  # it has ended meanwhile
        worker.drop(attempt)
        worker.fail(attempt.record.error.fingerprint if attempt.record.error else "")
        kept = self._host.freeze(worker, attempt)
        attempt.used(worker.untold_cpu_ns(worker.process.cpu_ns(), worker.begun + 1))
        self.precise.lost()
        self._listener.on_worker_lost(worker, attempt)
        for other in worker.begun_attempts():  # of a service: all of them end with their process
            worker.drop(other)
            self._host.lost(worker, other)
            self._listener.on_worker_lost(worker, other)
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
            waiting = self.waiting.next()
            if waiting is not None:
                worker.adopt(waiting, self._mono())
                self.starting -= 1
                self.init_failures += 1
        if not worker.running():
            worker.kill()
            return
        worker.become(FROZEN)  # another one takes its place while it is read
        self._host.watch(worker)
        if worker.ahead:
            self.take_back(worker)
        self._replace()

    def on_orphaned(self, worker: Worker) -> None:
        """What started it has died: it leaves now, or after what it runs."""
        worker.retire()
        if worker.state == IDLE:
            self.remove_idle(worker)
        if worker.state != BUSY or not worker.running():
            worker.handle.lose()

    def _feed(self, worker: Worker, done: Done, result: Result | None) -> None:
        """The worker has gone on by itself with others that it has; keep it fed."""
        if self._worn(worker, done) or not done.reusable or (result is not None and not result.reusable):
            worker.retire()  # once it has run dry
        elif self.serves:
            while self.waiting and self._has_room(worker) and self._give_next(worker):
                pass
        elif self.waiting and (worker.room or self.pace.ahead_limit):
            self._give_next(worker)

    @staticmethod
    def _has_room(worker: Worker) -> bool:
        return worker.room > 0 or worker.socket_room > 0

    def on_skipped(self, worker: Worker, attempt: Attempt) -> None:
        """Too late for it: it waited behind a slow one. Another worker gets it, or the same one anew."""
        self.waiting.rejoin([attempt])
        if not worker.begun:
            self._free(worker)
        self.scale()

    def _worn(self, worker: Worker, done: Done) -> bool:
        return (
            worker.retiring
            or worker.invocations >= self.limits.recycle_n
            or done.rss_bytes > self._worn_bytes
        )

    def _replace(self) -> None:
        self.last_used = self._mono()
        self.scale()
        if self.active and self.limits.waiting_workers and not self.live() and not self.starting:
            self._fork(1, spare=True)
        self._host.freed()

    def on_call(self, worker: Worker, attempt: Attempt | None, call: Call) -> None:
        self._listener.on_call(worker, attempt, call)

    def on_call_begun(self, worker: Worker, begun: CallBegun) -> None:
        """A call has come to a worker by a connection that is joined to it."""
        if worker.state not in (IDLE, BUSY) or worker.condemned or begun.invocation_id in worker.attempts:
            return
        now_ns = self._wall_ns()
        if self.spec.kind != GRPC or worker.begun >= _BORN or not is_own(begun, worker.spec.instance, now_ns):
            return  # no honest server tells of that
        attempt = self._listener.on_call_begun(self, begun)
        if worker in self.idle:
            self.idle.remove(worker)
        self.active = self._came = True
        tier = worker.ready.isolation_tier if worker.ready is not None else 0
        attempt.dispatch(begun.began_ns, worker.pid, worker.worker_id, worker.spec.instance, tier)
        worker.bear_call(attempt)
        self._host.watch(worker)

    def on_telemetry(self, worker: Worker, attempt: Attempt | None, payload: bytes) -> None:
        self._listener.on_telemetry(worker, attempt, payload)

    def on_gone(self, worker: Worker) -> None:
        self.workers.discard(worker)
        self._host.gone(worker)
        if worker in self.idle:
            self.idle.remove(worker)
        if worker.ahead:
            self.take_back(worker)  # it says that it is done before it begins the next
        lost = worker.begun_attempts()
        for attempt in lost:
            worker.drop(attempt)
            self._host.lost(worker, attempt)
            self.precise.lost()
            self._listener.on_worker_lost(worker, attempt)
        if not lost and worker.ready is None and worker.init_failed is None:
            if worker.start_error or not worker.retiring:
                self._lost_start(worker)
            else:
                self.starting -= 1
        self._replace()

    def expire(self, now: float) -> None:
        """Turn away requests that waited too long, and workers that cannot get ready."""
        if self.wires:
            self.wires.expire(now)
            self._fork(1 - self.starting)
        # A cold start has a limit of its own; only waiting for busy workers is throttling.
        if self.starting == 0 or self.live():
            self.waiting.expire(now)
        for worker in self.workers:
            if worker.state == STARTING and now - worker.requested_mono > self.limits.start_timeout_s:
                worker.condemn("timeout")
                worker.kill()
