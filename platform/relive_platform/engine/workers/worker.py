"""One worker as the engine sees it: events out, answers in, and why it came to its end."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections import deque
from collections.abc import Callable, Sequence
from math import inf
from typing import Final, Protocol

import msgspec
from relive_base.wire.messages import (
    Call,
    CallBegun,
    CallResult,
    Crashed,
    Done,
    Exited,
    Frame,
    FunctionSpec,
    Gone,
    InitFailed,
    LogLine,
    PointHit,
    Points,
    Ready,
    Result,
    Skipped,
    Stop,
    Wired,
    encode_frame,
    encode_invoke,
    frame_kind,
)
from relive_base.wire.sink import BELL
from relive_runtime.adapters.service.capacity import ASGI_CAPACITY, ASGI_SOCKETS
from relive_runtime.adapters.table import BESIDE
from relive_runtime.worker.faults import FAULTS

from relive_platform.engine.attempt import ANSWERED, RUNNING, Attempt
from relive_platform.engine.clock import Clock
from relive_platform.engine.runtime import Runtime
from relive_platform.engine.successes import Successes
from relive_platform.engine.workers.born import BornAttempts
from relive_platform.engine.workers.life import BUSY, GONE, IDLE, STARTING, WorkerLife
from relive_platform.engine.workers.reports import Reports
from relive_platform.engine.workers.requests import WorkerRequests
from relive_platform.engine.workers.sockets import WorkerSockets
from relive_platform.engine.workers.streams import WorkerStreams
from relive_platform.evidence import LOGS, SPANS, Take

__all__ = ["Worker", "WorkerOwner"]

AHEAD_S: Final = 0.020
"""How long an event that was sent ahead may wait for the one before it; then another worker gets it."""

PROBE_S: Final = 0.1
"""Between two looks whether the loop of a busy service turns, if no request has shown it meanwhile."""

SLOW_S: Final = 0.020
"""To look at the cgroup takes 20 us: not after each fast invocation. To fill it takes longer."""
_WHY_CHARS: Final = 300
_STOP_GRACE_S: Final = 1.0
_log = logging.getLogger(__name__)
_RESULT: Final = b"\xa6result"  # the tag, behind the array's length
_result = msgspec.msgpack.Decoder(Result)
_done = msgspec.msgpack.Decoder(Done)
_ready = msgspec.msgpack.Decoder(Ready)
_init_failed = msgspec.msgpack.Decoder(InitFailed)
_call = msgspec.msgpack.Decoder(Call)
_skipped = msgspec.msgpack.Decoder(Skipped)
_crashed = msgspec.msgpack.Decoder(Crashed)
_point_hit = msgspec.msgpack.Decoder(PointHit)


class WorkerOwner(Protocol):
    """What a worker tells; all of it on the event loop."""

    @property
    def healthy(self) -> Successes | None:
        """What went well last; None of a worker that has no events."""

    def on_ready(self, worker: Worker, ready: Ready) -> None: ...
    def on_init_failed(self, worker: Worker, failed: InitFailed) -> None: ...
    def on_result(self, worker: Worker, attempt: Attempt, result: Result) -> None: ...
    def on_done(self, worker: Worker, attempt: Attempt, done: Done) -> None: ...
    def on_saved(self, worker: Worker, attempt: Attempt) -> None: ...
    def on_skipped(self, worker: Worker, attempt: Attempt) -> None: ...
    def on_crashed(self, worker: Worker) -> None: ...
    def on_orphaned(self, worker: Worker) -> None: ...
    def take_back(self, worker: Worker) -> None: ...
    def scale(self) -> None: ...
    def on_call(self, worker: Worker, attempt: Attempt | None, call: Call) -> None: ...
    def on_call_begun(self, worker: Worker, begun: CallBegun) -> None: ...
    def on_telemetry(self, worker: Worker, attempt: Attempt | None, payload: bytes) -> None: ...
    def on_gone(self, worker: Worker) -> None: ...


class Worker(WorkerLife):
    """One worker of one function version; it runs `capacity` attempts at once. Hears what its runtime tells
    (`WorkerEvents`)."""

    def __init__(
        self,
        worker_id: int,
        spec: FunctionSpec,
        owner: WorkerOwner,
        runtime: Runtime,
        capacity: int = 1,
        takes: Sequence[Take] = (SPANS, LOGS),
        clock: Clock | None = None,
    ) -> None:
        """Begins to start it. `takes`: the telemetry that it may send while it runs."""
        super().__init__(capacity)
        clock = clock or Clock()
        self._mono, self._wall_ns = clock.mono, clock.wall_ns
        self.worker_id = worker_id
        self.owner = owner
        self.pid = 0
        self.requested_ns = clock.wall_ns()
        self.requested_mono = self._mono()
        self.idle_since = 0.0
        self.ready: Ready | None = None
        self.invocations = 0
        self.slow_since = 0.0  # what was sent ahead was seen to be late; a second look takes it back
        self.ended_for = ""  # why the server ended it, if that is something its code has done
        self.crashed: Crashed | None = None  # it has stopped itself at a fatal signal
        self.start_error = ""  # why there was never a process
        self.init_failed: InitFailed | None = None
        self.playback = b""  # payload of a Playback message: this worker replays
        self.exited: Exited | None = None
        self.lost_cpu_ns = 0  # of each attempt that its process had begun when it ended
        self._told_cpu_ns = 0  # that the process had used when it told of one last
        self.core = ""  # the core file that it left
        self.rss_bytes = 0
        self.heap: Callable[[bytes], None] | None = None  # who waits for a snapshot of its heap
        self.walk_ceiling_bytes = 0  # it is walked while it serves: it may hold so much, and deadlines wait
        self.debug: Callable[[bytes], None] | None = None  # the debugging session that its messages go to
        self.points_version = 0  # of breakpoints and logpoints, as it was told
        self._on_point: Callable[[PointHit, Callable[[bool], None]], None] | None = None
        self._taken_back: deque[str] = deque()  # invocations whose Skipped message is still to come
        self._reports = Reports(self, spec, takes, self._on_telemetry, self._on_flood, clock)
        self.serves = (
            spec.kind in BESIDE
        )  # its attempts run beside each other, and it outlives their failures
        self._requests = WorkerRequests(self, self._send_frame, self._mono)
        self._streams = WorkerStreams(self, self.answer, self._leave, self._moves if self.serves else None)
        self._probed = 0.0
        self._ending: asyncio.TimerHandle | None = None
        self._later: asyncio.TimerHandle | None = None  # when it is to leave
        self._takes: dict[str, Callable[[bytes], None]] = {
            **self._reports.takes,
            **self._streams.takes,
            **WorkerSockets(self, self._opened).takes,
            **BornAttempts(lambda begun: owner.on_call_begun(self, begun), self.find).takes,
            **self._requests.takes,
            "left": self._on_left,
            "result": self._on_result,
            "done": self._on_done,
            "skipped": self._on_skipped,
            "crashed": self._on_crashed,
            "ready": self._on_ready,
            "init_failed": self._on_init_failed,
            "call": self._on_call,
            "heap_taken": self._on_heap,
            "debug_text": self._on_debug,
            "debug_offer": self._on_debug,
            "debug_ended": self._on_debug,
            "playback": self._on_playback,
            "point_hit": self._on_point_hit,
        }
        self.on_console = self._reports.on_console
        self.loading = self._reports.loading  # what came of its module's loading
        self.handle = runtime.start(worker_id, spec, self)
        self.process = self.handle.process
        self.spec = self.handle.spec

    # ------------------------------------------------------------ out

    def run(self, attempt: Attempt, profile: str) -> bool:
        """Send the event. The caller has taken the worker out of the idle list, or sends it ahead: then
        False."""
        request, record = attempt.request, attempt.record
        self.invocations += 1
        self._reports.begin(record.invocation_id)
        begins = self.take(attempt, self._mono(), AHEAD_S)
        message = encode_invoke(
            record.invocation_id,
            record.trace_id,
            record.span_id,
            int(attempt.deadline_mono * 1e9),
            request.event,
            request.http,
            request.attempt,
            request.trigger,
            request.trace_state,
            request.sampled,
            profile,
            request.depth,
            int(attempt.start_before_mono * 1e9) if attempt.start_before_mono else 0,
            request.baggage,
            request.stream,
            request.context,
            request.more,
            request.wire,
            int(attempt.began_mono * 1e9) if self.serves else 0,
        )
        if self.serves:
            self._send_request(attempt, message)
        elif begins:
            self.handle.send_now(message)
        else:
            self.handle.send_soon(message)
        return begins

    def tell_points(
        self, points: Points, version: int, on_hit: Callable[[PointHit, Callable[[bool], None]], None]
    ) -> None:
        """Breakpoints and logpoints for what it runs from now on. `on_hit` says whether a hit is meant, at
        once or later."""
        self.points_version, self._on_point = version, on_hit
        self.handle.send_now(encode_frame(points))

    def _on_point_hit(self, payload: bytes) -> None:
        hit = _point_hit.decode(payload)
        attempt = self.attempts.get(hit.invocation_id)
        hit.attempt = attempt.record.attempt if attempt is not None else 1
        if self._on_point is not None:
            self._on_point(hit, lambda meant: self._judged(hit, meant))

    def _judged(self, hit: PointHit, meant: bool) -> None:
        if hit.call_id and self.state != GONE:
            self.answer(CallResult(call_id=hit.call_id, ok=meant))

    def _send_request(self, attempt: Attempt, message: bytes) -> None:
        if self.begun == 1:
            self.handle.send_now(message)
        else:
            self.handle.send_soon(message)  # it is awake: requests of one turn leave together
        self._requests.begin(attempt)

    def _send_frame(self, frame: Frame) -> None:
        self.handle.send_soon(encode_frame(frame))

    def _leave(self, attempt: Attempt) -> None:
        """Its client has gone in the middle of the answer."""
        self._send_frame(Gone(invocation_id=attempt.record.invocation_id))

    def _moves(self, attempt: Attempt, waits: bool) -> None:
        """A part of its answer has come: the worker keeps the idle limit, and this is when it must have. It
        has none while it `waits` for the client."""
        attempt.moves(inf if waits else self._mono() + self.spec.idle_timeout_s)

    def _opened(self, attempt: Attempt) -> None:
        """Its websocket is open, and has no time limit any more."""
        attempt.moves(inf)

    def cancel(self, attempt: Attempt) -> None:
        """Have a service end one attempt, and go on with the others."""
        self._requests.cancel(attempt)

    def bear_call(self, attempt: Attempt) -> None:
        """It has begun an attempt by itself: a call of gRPC."""
        self.invocations += 1
        self._reports.begin(attempt.record.invocation_id)
        self.bear(attempt, self._mono())

    def look_at_loop(self, now_mono: float) -> None:
        """Whether the event loop of a service turns. Who has run something for a while is sent an empty
        message: a loop that turns has read it by the next look."""
        unread = self.handle.unread()
        self.look_at_lag(unread, now_mono)
        if not unread and now_mono - max(self._probed, self.began_mono) > PROBE_S:
            self._probed = now_mono
            self.handle.send_now(BELL)

    def tell_wired(self, from_port: int, *, made: bool) -> None:
        """A client's connection to it comes from this port of ours, or has gone. It is told at once: before
        there is a connection."""
        self.handle.send_now(encode_frame(Wired(port=from_port, made=made)))

    def dismiss_later(self, after_s: float) -> None:
        """It leaves after so long, if it has not by then."""
        if self._later is None:
            self._later = asyncio.get_running_loop().call_later(after_s, self.dismiss)

    def dismiss(self) -> None:
        """It leaves: a service once it has shut down, within its limit."""
        self.retire()
        if not self.serves or self.ready is None or self.state not in (IDLE, BUSY) or self.process.killed:
            self.kill()
        elif self._ending is None:
            self.handle.send(encode_frame(Stop()))
            loop = asyncio.get_running_loop()
            limit_s = self.spec.stop_timeout_s + _STOP_GRACE_S
            self._ending = loop.call_later(limit_s, self.kill)

    def _on_left(self, _payload: bytes) -> None:
        if self._ending is not None:
            self.kill()  # with what it has started

    def take_back(self) -> list[Attempt]:
        """Give up what was sent ahead; the caller knows that none of it has begun."""
        taken = self.give_up_ahead()
        self._taken_back.extend(attempt.record.invocation_id for attempt in taken)
        return taken

    def answer(self, result: CallResult) -> None:
        """Give a function-to-function call its result."""
        self.handle.send(encode_frame(result))

    def end(self, why: str) -> None:
        """End it for what its code has done, which its failure says."""
        if not self.process.killed:
            self.ended_for = why[:_WHY_CHARS]
        self.kill()

    def kill(self) -> None:
        """End it now with all it has started, also outside its group; on_gone follows when it was reaped."""
        self.process.kill()

    def is_ended_by_kernel(self) -> bool:
        """Whether there was no memory left for it, and it died as the kernel ends processes then."""
        if self.exited is None or self.exited.status != signal.SIGKILL or self.ended_for or self.condemned:
            return False
        return self.handle.kernel_limit_mb() > 0

    def untold_cpu_ns(self, cpu_ns: int, attempts: int) -> int:
        """What each of so many attempts that cannot tell it any more has used, if its process has used
        `cpu_ns` so far: the same."""
        return max(cpu_ns - self._told_cpu_ns, 0) // max(attempts, 1)

    def look_at_group(self) -> None:
        """Tell what runs if the kernel has ended a process that it has started."""
        limit_mb = self.handle.look_at_group(busy=self.begun > 0)
        if limit_mb and self.begun:
            limit = f"all of them may hold {limit_mb} MB"
            text = f"the kernel ended a process of this worker (SIGKILL): {limit}"
            self.on_console([LogLine(self._wall_ns(), "WARN", text, source="console")])

    # ------------------------------------------------------------ what its runtime tells

    def on_started(self, pid: int, error: str) -> None:
        self.pid, self.start_error = pid, error

    def on_broken(self, why: str) -> None:
        self.end(why)

    def on_exited(self, exited: Exited) -> None:
        self.exited = exited
        self.lost_cpu_ns = self.untold_cpu_ns(exited.cpu_ns, self.begun)

    def on_orphaned(self) -> None:
        self.owner.on_orphaned(self)

    def on_gone(self) -> None:
        for timer in (self._ending, self._later):
            if timer is not None:
                timer.cancel()
        self.become(GONE)
        self.core = self.handle.take_core()
        self.owner.on_gone(self)

    def on_message(self, payload: bytes) -> None:
        if payload[1:8] == _RESULT:  # nearly all
            self._on_result(payload)
            return
        take = self._takes.get(frame_kind(payload))
        if take is not None:
            take(payload)

    # ------------------------------------------------------------ messages

    def _on_result(self, payload: bytes) -> None:
        result = _result.decode(payload)
        attempt = self.attempts.get(result.invocation_id)
        if attempt is None or attempt.state != RUNNING or self.condemned:
            return
        attempt.answer(result)
        if self.serves:
            attempt.waited_in_worker()
        self.owner.on_result(self, attempt, result)
        if result.done is not None:
            self._over(attempt, result, result.done)

    def _on_done(self, payload: bytes) -> None:
        done = _done.decode(payload)
        attempt = self.attempts.get(done.invocation_id)
        if attempt is None or attempt.state != ANSWERED or attempt.result is None or self.condemned:
            return
        self._over(attempt, attempt.result, done)

    def _over(self, attempt: Attempt, result: Result, done: Done) -> None:
        """The invocation is over; on with what was sent ahead."""
        now = self._mono()
        self._told_cpu_ns = done.process_cpu_ns or self._told_cpu_ns + done.cpu_ns
        if now - attempt.began_mono > SLOW_S:
            self.look_at_group()
        self.finish(attempt, now)
        if self._streams.open:
            self._streams.end(result.invocation_id)
        if self.serves:
            self._requests.end(result.invocation_id)
        self.rss_bytes = done.rss_bytes
        if self.attempts and done.reusable and result.reusable:
            self.go_on(now)
        self.owner.on_done(self, attempt, done)

    def _on_skipped(self, payload: bytes) -> None:
        """An event that was sent ahead came too late: it should run by now, or was taken back."""
        invocation_id = _skipped.decode(payload).invocation_id
        if self._taken_back and self._taken_back[0] == invocation_id:
            self._taken_back.popleft()  # this very worker may have got it anew: that sending still counts
            return
        attempt = self.attempts.get(invocation_id)
        if attempt is None or attempt.state != RUNNING or self.condemned:
            return
        self.drop(attempt)
        attempt.give_back()
        self.go_on(self._mono())
        self.owner.on_skipped(self, attempt)

    def _on_telemetry(self, attempt: Attempt | None, payload: bytes) -> None:
        self.owner.on_telemetry(self, attempt, payload)

    def _on_flood(self, why: str) -> None:
        if not self.process.killed:
            _log.error("worker %d of %s floods its channel: it is ended", self.pid, self.spec.name)
            self.end(why)

    def _on_crashed(self, payload: bytes) -> None:
        crashed = _crashed.decode(payload)
        if crashed.signal in FAULTS and self.crashed is None and self.state != GONE:
            self.crashed = crashed
            self.owner.on_crashed(self)

    def _on_playback(self, payload: bytes) -> None:
        self.playback = payload

    def _on_ready(self, payload: bytes) -> None:
        if self.state != STARTING or self.ready is not None:
            return  # its code has written that
        self.ready = _ready.decode(payload)
        self._told_cpu_ns = self.ready.cpu_ns
        self.process.own_tmp = self.ready.own_tmp
        if self.serves:
            sockets = (self.spec.websockets or ASGI_SOCKETS) if self.ready.websockets else 0
            self.widen(self.spec.capacity or min(self.ready.capacity, ASGI_CAPACITY), sockets)
        self.owner.on_ready(self, self.ready)

    def _on_init_failed(self, payload: bytes) -> None:
        if self.state != STARTING or self.ready is not None:
            return
        self.init_failed = _init_failed.decode(payload)
        self.owner.on_init_failed(self, self.init_failed)

    def _on_heap(self, payload: bytes) -> None:
        if self.heap is not None:
            self.heap(payload)

    def _on_debug(self, payload: bytes) -> None:
        if self.debug is not None:
            self.debug(payload)

    def _on_call(self, payload: bytes) -> None:
        call = _call.decode(payload)
        attempt = self.find(call.invocation_id) if call.invocation_id else self.only()
        self.owner.on_call(self, attempt, call)
