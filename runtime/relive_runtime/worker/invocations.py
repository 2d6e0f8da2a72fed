"""One invocation after the other, on the main thread."""

from __future__ import annotations

import resource
import sys
import time
from typing import Final

from relive_base.wire.messages import Done, FunctionSpec, Invoke, Late, Profile, Result, Scene
from relive_base.wire.sink import FrameSink
from relive_capture.record import NO_RESULT, Moment, capture_moment
from relive_profiler.record import Sampler
from relive_tracer.record import Telemetry

from relive_runtime.adapters.base import Adapter, Answer, Attempt
from relive_runtime.adapters.event.decoding import BadEvent
from relive_runtime.adapters.http.framework_errors import FrameworkErrors
from relive_runtime.adapters.http.route_shapes import route_of
from relive_runtime.adapters.results import BadResult, limit_size
from relive_runtime.worker.calling import Caller
from relive_runtime.worker.failures.background import Background
from relive_runtime.worker.failures.capturing import bare_scene, capture_answer, capture_failure
from relive_runtime.worker.failures.failed import Failed
from relive_runtime.worker.failures.forked import ForkedChild
from relive_runtime.worker.failures.interpreter import Interpreter
from relive_runtime.worker.failures.kinds import failure_kind
from relive_runtime.worker.limits.deadline import DeadlineTimer, HandlerTimeout, without_signal_frame
from relive_runtime.worker.limits.memory import LARGE_BYTES, Reserve, held_bytes
from relive_runtime.worker.limits.memory_limit import MemoryLimit
from relive_runtime.worker.outside import Outside
from relive_runtime.worker.start.lambda_variables import TraceVariable

__all__ = ["Runner", "of_children_ns"]

_KIB: Final = 1024
_ANY: Final = BaseException  # the user's code can take away the builtin of that name
_SECOND_NS: Final = 1_000_000_000
_RSS_EVERY: Final = 16
_RSS_RARELY: Final = 256
"""Memory is read at each 16th invocation if its peak has grown, else at each 256th: it decides on
recycling only; the server watches too."""
_FAST_NS: Final = 100_000
"""Results wait for each other no longer than this, and only if most invocations take less."""
_STEP: Final = 4
_INTERNAL_ERROR: Final = 500


def of_children_ns() -> int:
    """CPU time of the processes that it has started and that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return int((usage.ru_utime + usage.ru_stime) * 1e9)


class _Attempt(Attempt):
    """What the runner knows of one, besides."""

    __slots__ = ("bad_result", "cpu_ns", "started_ns")

    def __init__(self, invoke: Invoke, started_ns: int, cpu_ns: int) -> None:
        self.invoke = invoke
        self.streamed_bytes = 0
        self.started_ns = started_ns
        self.cpu_ns = cpu_ns  # CPU time of this process when it began
        self.bad_result: object = NO_RESULT


class Runner:
    """Runs handlers by their adapter, and tells the server: the Result first, what was recorded after it."""

    def __init__(
        self,
        spec: FunctionSpec,
        sink: FrameSink,
        telemetry: Telemetry,
        sampler: Sampler,
        timer: DeadlineTimer,
        caller: Caller,
        outside: Outside,
        adapter: Adapter,
        reserve: Reserve,
        failed: Failed,
        background: Background,
        memory_limit: MemoryLimit,
        forked: ForkedChild,
        interpreter: Interpreter,
        own_tmp: bool,
    ) -> None:
        self._trace = TraceVariable()
        self._spec = spec
        self._sink = sink
        self._telemetry = telemetry
        self._sampler = sampler
        self._timer = timer
        self._caller = caller
        self._outside = outside
        self._adapter = adapter
        self._reserve = reserve
        self._failed = failed
        self._background = background
        self._memory_limit = memory_limit
        self._forked = forked
        self._frameworks = FrameworkErrors(telemetry.noticed.note)
        self._interpreter = interpreter
        self._own_tmp = own_tmp
        self._moment: Moment | None = None  # when the timeout struck
        timer.before_raise = self._keep_moment
        memory_limit.quiet = self._quiet
        self._count = 0
        self._rss_bytes = 0
        self._peak_kib = 0  # when resident memory was read last
        self._cpu_ns = 0  # CPU time of this process at the end of the last invocation
        self._typical_ns = _SECOND_NS  # until it is known
        self.large = False  # the last event or its answer was: memory is to be given back
        self._untold_ns = 0  # when the first invocation began that the server has not been told of; 0: none
        self._timeout_text = f"{spec.name} ran longer than its {spec.timeout_s:g} s"

    def run(self, invoke: Invoke, more: bool = False) -> bool:
        """One invocation. Whether the worker may get another one. `more`: the next one has come already."""
        attempt = self._begin(invoke)
        try:
            answer = self._answer(attempt)
            self._memory_limit.invoke = None
        except _ANY as error:
            self._interpreter.restore()  # before any name of the builtins is used
            if type(error) is not BadEvent:  # the one failure that the worker goes on after
                self._reserve.release()  # first of all: there may be no memory left for the next line
            self._memory_limit.invoke = None
            ended_ns = time.time_ns()
            profile = self._sampler.stop()  # the capture is no part of it
            try:
                result = self._fail(error, attempt, ended_ns)
            except BaseException as problem:  # whatever the process is short of: the error must leave
                result = self._fail_barely(error, problem, attempt, ended_ns)
        else:
            result = self._answered(answer, attempt)
            profile = self._sampler.stop()
            self._beside(result, invoke)
        return self._end(attempt, result, profile, more)

    def _begin(self, invoke: Invoke) -> _Attempt:
        # Still watched: it has not waited since the last one, so that there is no need for another reading.
        cpu_ns = self._cpu_ns if self._sink.watched else time.process_time_ns()
        self._sink.watched = True
        self._telemetry.begin(invoke)
        if invoke.http is not None:
            self._frameworks.watch()
        self._caller.begin(invoke)
        self._trace.tell(invoke)
        attempt = _Attempt(invoke, time.time_ns(), cpu_ns)
        self._outside.begin(attempt.started_ns)
        self._memory_limit.invoke = invoke
        return attempt

    def _end(self, attempt: _Attempt, result: Result, profile: Profile | None, more: bool) -> bool:
        """Tell the server. Whether the worker may get another invocation."""
        if profile is not None:
            profile.calls = self._outside.calls()
        self._outside.end()
        report = self._outside.report()
        if report is not None:
            self._sink.send_surely(report, bell=False)
        if profile is None and result.reusable:
            # Nothing is left to tell: all in one frame, which wakes the server once.
            result.done = self._done(attempt, 0, True)
            if self._sink.send_surely(result, bell=self._tell(result, more)):
                return True
        elif self._finish(attempt, result, profile):
            return result.reusable
        if self._sink.open:
            unsendable = BadResult("the answer has text that is not Unicode", hint="look at its headers")
            result = self._fail(unsendable, attempt, result.ended_ns)
            result.reusable = False
            self._finish(attempt, result, None)
        return False

    def _answered(self, answer: Answer, attempt: _Attempt) -> Result:
        invoke = attempt.invoke
        size = len(answer.body) + len(invoke.event) + (len(invoke.http.body) if invoke.http else 0)
        self.large = size > LARGE_BYTES
        return Result(
            invocation_id=invoke.invocation_id,
            status="ok",
            started_ns=attempt.started_ns,
            ended_ns=time.time_ns(),
            body=answer.body,
            content_type=answer.content_type,
            http_status=answer.status,
            headers=answer.headers,
            streamed_bytes=attempt.streamed_bytes,
        )

    def _beside(self, result: Result, invoke: Invoke) -> None:
        """Send the scene of what has failed in spite of the answer, or in it."""
        if invoke.http is not None and result.http_status >= _INTERNAL_ERROR:
            self._fail_answered(result, invoke)
        elif self._background.fresh:
            scene = self._background.scene(invoke.invocation_id)
            self._outside.tell(scene, invoke)
            self._sink.send_surely(scene, bell=False)

    def _tell(self, result: Result, more: bool) -> bool:
        """Whether the server is to be told now.

        Results of fast invocations in a row are told together: waking it costs more than such an invocation.
        If one turns slow, the server finds what came before it within milliseconds by itself.
        """
        typical, started_ns, ended_ns = self._typical_ns, result.started_ns, result.ended_ns
        # Steps towards the median: that the machine was busy with others for a moment does not count.
        self._typical_ns += typical >> _STEP if ended_ns - started_ns > typical else -(typical >> _STEP)
        if not self._untold_ns:
            self._untold_ns = started_ns
        now = not more or typical > _FAST_NS or ended_ns - self._untold_ns > _FAST_NS
        if now:
            self._untold_ns = 0
        return now

    def _answer(self, attempt: _Attempt) -> Answer:
        adapter = self._adapter
        timer = self._timer
        invoke = attempt.invoke
        arguments = adapter.decode(attempt)
        self._sampler.start(invoke.invocation_id, mode=invoke.profile)
        try:
            timer.arm(invoke.deadline_monotonic_ns, self._timeout_text)
            value = adapter.call(arguments)
            timer.disarm()
        finally:
            timer.disarm()
            if self._forked.here:
                self._forked.leave(sys.exc_info()[1])
        if timer.raised is not None:  # the code swallowed it, and came to an end too late
            raise timer.raised
        try:
            answer = adapter.encode(attempt, value)
            limit_size(len(answer.body), self._spec.result_limit_bytes)
        except BadResult:
            attempt.bad_result = value
            raise
        return answer

    def _fail(self, error: BaseException, attempt: _Attempt, ended_ns: int) -> Result:
        invoke = attempt.invoke
        self._timer.disarm()
        self._telemetry.failed = True
        if self._timer.raised is not None and not isinstance(error, HandlerTimeout):
            error = self._timer.raised  # what came of the interruption is not the cause
        if isinstance(error, HandlerTimeout):
            # On a busy machine the capture takes longer than the server gives code that swallows its timeout.
            self._sink.send(Late(invocation_id=invoke.invocation_id))
            error = self._adapter.timed_out(error)
            without_signal_frame(error)
        status, kind, http_status = failure_kind(error)
        scene = capture_failure(
            error,
            kind=kind,
            spec=self._spec,
            invocation_id=invoke.invocation_id,
            moment=self._moment if kind == "timeout" else None,
            result=attempt.bad_result,
            place=error.place if isinstance(error, BadResult) else None,
            early=self._send_early,
        )
        self._background.add_to(scene)
        self._outside.tell(scene, invoke)
        self._sink.send_surely(scene, bell=False)
        reusable = kind == "bad_event"  # there, none of the user's code has run
        if not reusable:
            self._failed.keep(invoke.invocation_id, error)
        return Result(
            invocation_id=invoke.invocation_id,
            status=status,
            started_ns=attempt.started_ns,
            ended_ns=ended_ns,
            http_status=http_status,
            error=scene.error,
            reusable=reusable,
            streamed_bytes=attempt.streamed_bytes,
        )

    def _fail_barely(
        self, error: BaseException, problem: BaseException, attempt: _Attempt, ended_ns: int
    ) -> Result:
        status, kind, http_status = failure_kind(error)
        ident = attempt.invoke.invocation_id
        scene = bare_scene(error, problem, kind, ident)
        self._sink.send_surely(scene, bell=False)
        self._failed.keep(ident, error)
        return Result(
            invocation_id=ident,
            status=status,
            started_ns=attempt.started_ns,
            ended_ns=ended_ns,
            http_status=http_status,
            error=scene.error,
            reusable=False,
            streamed_bytes=attempt.streamed_bytes,
        )

    def _send_early(self, scene: Scene) -> None:
        self._sink.send_surely(scene, bell=False)

    def _fail_answered(self, result: Result, invoke: Invoke) -> None:
        """The function has answered over HTTP, with a 5xx status: the client gets that, and it is a failure,
        of the exception that its framework has logged or signalled if there was one."""
        self._telemetry.failed = True
        error = self._telemetry.noticed.take()
        spec, ident = self._spec, invoke.invocation_id
        if error is None:
            scene = capture_answer(result, spec=spec, invocation_id=ident, route=route_of(invoke.http))
        else:
            scene = capture_failure(error, kind="exception", spec=spec, invocation_id=ident)
            self._failed.keep(ident, error)
        self._background.add_to(scene)
        self._outside.tell(scene, invoke)
        self._sink.send_surely(scene, bell=False)
        result.status, result.error, result.answered = "error", scene.error, True
        result.reusable = error is None

    def _quiet(self) -> None:
        """No timer of ours rings any more."""
        self._timer.disarm()
        self._sampler.stop()

    def _keep_moment(self) -> None:
        """A timeout releases locks and ends tasks on its way up: only now do all of them stand there."""
        self._moment = capture_moment(self._spec)

    def _finish(self, attempt: _Attempt, result: Result, profile: Profile | None) -> bool:
        """Send the result and what comes after it, in one write. Whether the result has left."""
        self._untold_ns = 0
        done = self._done(attempt, profile.dropped if profile is not None else 0, result.reusable)
        if profile is not None:
            if self._sink.send_surely(result, profile, done):
                return True
            self._sampler.not_delivered(profile)
        return self._sink.send_surely(result, done)

    def _done(self, attempt: _Attempt, dropped: int, reusable: bool) -> Done:
        counts = self._telemetry.end()
        usage = resource.getrusage(resource.RUSAGE_SELF)
        peak_kib = usage.ru_maxrss
        count = self._count
        self._count = count + 1
        if not count % _RSS_EVERY and (peak_kib != self._peak_kib or not count % _RSS_RARELY):
            self._rss_bytes = held_bytes(self._own_tmp)
            self._peak_kib = peak_kib
        until_ns = self._cpu_ns = int((usage.ru_utime + usage.ru_stime) * 1e9)
        return Done(
            invocation_id=attempt.invoke.invocation_id,
            cpu_ns=max(until_ns - attempt.cpu_ns, 0),
            peak_rss_bytes=peak_kib * _KIB,
            rss_bytes=self._rss_bytes,
            spans=counts.spans,
            logs=counts.logs,
            dropped=counts.dropped + dropped,
            reusable=reusable,
            process_cpu_ns=until_ns + of_children_ns(),
        )
