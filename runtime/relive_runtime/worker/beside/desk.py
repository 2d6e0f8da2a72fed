"""Where attempts that run beside each other begin and end, and where it is known whose code runs."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from contextvars import Context, copy_context
from functools import wraps
from types import FrameType
from typing import TYPE_CHECKING, Any, Final, NoReturn

from relive_base.unseen import UNSEEN
from relive_base.wire.messages import AnyFrame, Frame, FunctionSpec, Invoke, Scene, StreamHead, StreamPart
from relive_base.wire.sink import FrameSink
from relive_profiler.record import BesideSampler, voluntary_switches
from relive_tracer.record import HANDLED, Telemetry

from relive_runtime.adapters.base import Answer
from relive_runtime.adapters.http.framework_errors import FrameworkErrors
from relive_runtime.worker.beside.accounts import CpuAccount
from relive_runtime.worker.beside.attempt import BesideAttempt
from relive_runtime.worker.beside.blocking import BLOCKED_NS, LoopWatch
from relive_runtime.worker.beside.carrying import Carrier
from relive_runtime.worker.beside.deadlines import BesideDeadlines
from relive_runtime.worker.beside.telling import Telling
from relive_runtime.worker.beside.whereabouts import Whereabouts
from relive_runtime.worker.calling import Caller
from relive_runtime.worker.channel import Channel
from relive_runtime.worker.failures.background import Background
from relive_runtime.worker.failures.failed import Failed
from relive_runtime.worker.failures.forked import ForkedChild
from relive_runtime.worker.limits.deadline import DeadlineTimer, HandlerTimeout
from relive_runtime.worker.limits.memory_limit import MemoryLimit
from relive_runtime.worker.outside import Outside

if TYPE_CHECKING:
    from relive_runtime.travel.serving import ServedRequest

__all__ = ["Desk"]

_SECOND_NS: Final = 1_000_000_000
_PART_BYTES: Final = 262_144


class Desk:
    """One per worker of a service. What adapters call of it belongs to the main thread, or to the thread that
    runs the attempt."""

    def __init__(
        self,
        spec: FunctionSpec,
        sink: FrameSink,
        channel: Channel,
        telemetry: Telemetry,
        timer: DeadlineTimer,
        caller: Caller,
        background: Background,
        memory_limit: MemoryLimit,
        failed: Failed,
        forked: ForkedChild,
        own_tmp: bool,
        outside: Outside,
        other: Callable[[AnyFrame], object],
    ) -> None:
        """`other` is given what is about the process, not about one of its attempts."""
        self.other = other
        self.spec = spec
        self.forked = forked
        self.channel = channel
        self._sink = sink
        self._telemetry = telemetry
        self._outside = outside
        self._failed = failed
        self._account = CpuAccount()
        self._base = copy_context()
        self._frameworks = FrameworkErrors(telemetry.noticed.note)
        self._attempts: dict[str, BesideAttempt] = {}  # until their last word
        self._carrier = Carrier(telemetry.current, [*telemetry.variables, *outside.variables])
        self.where = Whereabouts(self._attempts, telemetry, self._carrier.threads)
        self.watch = LoopWatch(self._attempts, self.where)
        self.sampler = BesideSampler(
            self.where,
            self.watch.tick,
            source=spec.source,
            recording=spec.profile != "off",
            variable=next(iter(telemetry.variables), None),
            switches=voluntary_switches,
        )
        self.telling = Telling(
            spec, sink, telemetry, self.sampler, background, self._account, own_tmp, outside
        )
        self._deadlines = BesideDeadlines(
            timer,
            lambda: sink.busy,
            self._attempts.values,
            self.where.current,
            self._expire,
            lambda attempt: self._over_time(attempt),
        )
        if spec.replay:
            self.telling.kept = failed  # nothing runs beside it: its process can be debugged
        elif spec.service_heaps:
            self.telling.newest = failed
            self.telling.later = self._deadlines.watch
            self._deadlines.drop = self.telling.drop
        caller.find = self._current_invoke
        memory_limit.beside = self._save_all
        self.travels: ServedRequest | None = None
        """Of a replay that can be gone back in."""
        self.stop: Callable[[BesideAttempt], object] | None = None
        """Ends the code of an attempt that has been answered, as far as that can be done."""
        self.abandon: Callable[[BesideAttempt], bool] | None = None
        """Answers for one whose client has gone, and ends its code; False: it is not to be ended so."""

    def start(self, soon: Callable[[Callable[[], None]], object] | None) -> None:
        """The adapter begins to serve. `soon`: has its event loop call something, from any thread or signal
        handler; None: it has none."""
        self.sampler.start(interrupting=soon is None)  # without a loop it reads what comes, and runs no code
        self._deadlines.soon = self.watch.soon = soon
        self._hook_exit()
        self._carrier.install()

    # ------------------------------------------------------------ beginnings

    def begin(self, invoke: Invoke) -> BesideAttempt:
        """It begins; its code is to run in its `context`."""
        context = self._base.copy()
        return context.run(self._begun, invoke, context)

    def begin_here(self, invoke: Invoke, task: Any) -> BesideAttempt:
        """It has begun already: the calling code is its own, in a task that somebody else has made."""
        attempt = self._begun(invoke, None)
        attempt.task = task
        return attempt

    def _begun(self, invoke: Invoke, context: Context | None) -> BesideAttempt:
        """Inside its context."""
        attempt = BesideAttempt(invoke, context, time.time_ns(), self._account.begin())
        invocation_id = invoke.invocation_id
        attempt.state = self._telemetry.enter(invoke)
        attempt.recorded = self._outside.enter(attempt.started_ns)
        look = attempt.look = self.sampler.begin(invocation_id)
        sent_ns = invoke.sent_monotonic_ns  # 0: not known, as of calls of gRPC
        if sent_ns and look.begun_ns - sent_ns >= BLOCKED_NS:
            self.watch.begins_late(attempt)
        if not self._attempts:
            self._sink.watched = True
            self._frameworks.watch()
            self._telemetry.ensure_logging()
        self._attempts[invocation_id] = attempt
        self._deadlines.watch(attempt.deadline_ns)
        return attempt

    def find(self, invocation_id: str) -> BesideAttempt | None:
        """One that has not told its last word."""
        return self._attempts.get(invocation_id)

    @property
    def running(self) -> int:
        """How many have not."""
        return len(self._attempts)

    # ------------------------------------------------------------ answers

    def answer(self, attempt: BesideAttempt, answer: Answer) -> None:
        """Its answer is there, and its code goes on."""
        self.telling.answer(attempt, answer)

    def begin_stream(self, attempt: BesideAttempt, head: StreamHead) -> None:
        """Its answer begins, in parts."""
        attempt.streaming = True
        attempt.http_status = head.http_status
        head.invocation_id = attempt.invocation_id
        self.extend(attempt)
        self._sink.send_surely(head, bell=False)
        self.telling.ring()

    def part(self, attempt: BesideAttempt, data: bytes, call_id: int = 0) -> None:
        """A part of it. `call_id`: the server says when the client has taken it."""
        attempt.streamed_bytes += len(data)
        self.extend(attempt)
        for start in range(0, len(data), _PART_BYTES):
            piece = data[start : start + _PART_BYTES]
            last = start + _PART_BYTES >= len(data)
            part = StreamPart(invocation_id=attempt.invocation_id, body=piece, call_id=call_id if last else 0)
            self._sink.send_surely(part, bell=False)
        self.telling.ring()

    def extend(self, attempt: BesideAttempt) -> None:
        """Its stream moves: its idle limit begins anew."""
        if attempt.deadline_ns:
            attempt.deadline_ns = time.monotonic_ns() + int(self.spec.idle_timeout_s * _SECOND_NS)

    def body_came(self, attempt: BesideAttempt) -> None:
        """Its request's body goes on: until it is whole, its time limit begins anew."""
        if attempt.deadline_ns and not attempt.streaming:
            attempt.deadline_ns = time.monotonic_ns() + int(self.spec.timeout_s * _SECOND_NS)

    def send(self, frame: Frame) -> None:
        """Anything else."""
        self._sink.send_surely(frame, bell=False)
        self.telling.ring()

    def ring(self) -> None:
        """Have the server look at what was sent."""
        self._sink.ring()

    # ------------------------------------------------------------ ends

    def returned(self, attempt: BesideAttempt, answer: Answer | None) -> None:
        """Its code has come to its end. `answer`: what has not been told before."""
        if attempt.raised is not None and not attempt.answered:  # swallowed, and too late
            self.failed(attempt, attempt.raised, None)
            return
        self.watch.close_open()  # while it is known whose it is
        self.telling.returned(attempt, answer)
        self._leave(attempt)

    def failed(self, attempt: BesideAttempt, error: BaseException, answer: Answer | None) -> None:
        """Its code has raised. `answer`: what it had answered by then, not told yet."""
        self.watch.close_open()
        self.telling.failed(attempt, error, answer)
        self._leave(attempt)

    def _leave(self, attempt: BesideAttempt) -> None:
        self._attempts.pop(attempt.invocation_id, None)
        if attempt.recorded is not None:
            self._outside.leave(attempt.recorded)
        if not self._attempts:
            self._sink.watched = False

    @staticmethod
    def gives_up(attempt: BesideAttempt, error: BaseException | None) -> None:
        """It answers that it has failed, while `error`, if any, is handled: whatever the framework."""
        noticed = attempt.state.noticed if attempt.state is not None else None
        if noticed is not None:
            noticed.note(error, HANDLED)

    def cancel(self, invocation_id: str) -> None:
        """Somebody wants it to end."""
        attempt = self._attempts.get(invocation_id)
        if attempt is not None and not attempt.answered:
            self._end(attempt, "cancelled", "somebody ended it with relive cancel")

    def works_in_thread(self, attempt: BesideAttempt) -> bool:
        """Whether a thread runs its code: nothing can cancel that."""
        return any(state is attempt.state for state in list(self._carrier.threads.values()))

    def expire(self, attempt: BesideAttempt) -> None:
        """Its time is up, as it waits."""
        self._expire(attempt)

    def _expire(self, attempt: BesideAttempt) -> None:
        if not attempt.answered:
            if attempt.gone and self.abandon is not None and self.abandon(attempt):
                return  # nobody waits for it: that is no failure
            text = self._over_time(attempt)
            attempt.raised = HandlerTimeout(text)
            self._end(attempt, "timeout", text)

    def _end(self, attempt: BesideAttempt, kind: str, text: str) -> None:
        self.watch.close_open()
        self.telling.stopped(attempt, kind, text, self.where.frames_of(attempt))
        if self.stop is not None:
            self.stop(attempt)

    def _over_time(self, attempt: BesideAttempt) -> str:
        name = self.spec.name
        if attempt.streaming:
            return f"{name} sent nothing of its answer for {self.spec.idle_timeout_s:g} s"
        return f"{name} ran longer than its {self.spec.timeout_s:g} s"

    # ------------------------------------------------------------ the end of all

    def _hook_exit(self) -> None:
        """`os._exit` ends all that run: each leaves a scene first."""
        real: Any = os._exit

        @wraps(real)
        def _exit(status: int) -> None:
            if not self.forked.here and self._attempts:
                try:
                    self._save_exit(sys._getframe(1), status)
                except Exception:
                    pass  # the code wants to end, and will
            with UNSEEN:
                real(status)

        module: Any = os
        module._exit = _exit

    def _save_exit(self, frame: FrameType, status: int) -> None:
        text = f"the process ended itself: os._exit({status})"
        for scene in self._scenes(frame, "exit", "WorkerExited", text):
            self._sink.send_surely(scene)

    def _save_all(self, frame: FrameType) -> list[Scene]:
        """At the memory limit: a scene for each that runs, the one whose code runs here first."""
        text = f"the worker was stopped at 85 % of its {self.spec.memory_mb} MB of memory"
        scenes = self._scenes(frame, "memory", "MemoryLimitExceeded", text)
        if scenes:
            self._failed.keep_stack(scenes[0].invocation_id, frame)
        return scenes

    def _scenes(self, frame: FrameType, kind: str, name: str, text: str) -> list[Scene]:
        current = self.where.current()
        running = [one for one in list(self._attempts.values()) if not one.answered]
        running.sort(key=lambda one: one is not current)
        scenes = []
        for one in running:
            said = text
            if one is not current and current is not None:
                said = f"{text}, by another request ({current.invocation_id}) that ran beside it"
            frames: FrameType | Sequence[FrameType] = frame
            if one is not current:
                frames = self.where.frames_of(one)
            scenes.append(self.telling.scene_of(one, kind, name, said, frames))
        return scenes

    def ended(self, error: BaseException) -> NoReturn:
        """The event loop was left by SystemExit or the like: all that run end with it."""
        for one in list(self._attempts.values()):
            if not one.answered:
                self.failed(one, error, None)
        code = error.code if isinstance(error, SystemExit) else 1
        os._exit(code if isinstance(code, int) else bool(code))

    def _current_invoke(self) -> Invoke | None:
        attempt = self.where.current()
        return attempt.invoke if attempt is not None else None
