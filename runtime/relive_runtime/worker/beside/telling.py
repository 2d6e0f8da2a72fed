"""What is told of attempts that run beside each other: answers, scenes, last words."""

from __future__ import annotations

import resource
import threading
import time
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any, Final

import msgspec
from relive_base.parts import ok
from relive_base.wire.messages import Done, ErrorInfo, FunctionSpec, Late, Result, Scene
from relive_base.wire.sink import FrameSink
from relive_capture import record as capture
from relive_profiler.record import BesideSampler
from relive_tracer.record import Telemetry

from relive_runtime.adapters.base import Answer
from relive_runtime.adapters.http.route_shapes import route_of
from relive_runtime.adapters.results import BadResult
from relive_runtime.worker.beside.accounts import CpuAccount
from relive_runtime.worker.beside.attempt import BesideAttempt
from relive_runtime.worker.failures.background import Background
from relive_runtime.worker.failures.capturing import bare_scene, capture_answer, capture_failure
from relive_runtime.worker.failures.failed import Failed
from relive_runtime.worker.failures.kinds import failure_kind
from relive_runtime.worker.limits.deadline import HandlerTimeout, without_signal_frame
from relive_runtime.worker.limits.memory import held_bytes
from relive_runtime.worker.outside import Outside
from relive_runtime.worker.start.namesakes import originals

__all__ = ["Telling", "timeout_in"]

_KIB: Final = 1024
_RSS_EVERY: Final = 64
_INTERNAL_ERROR: Final = 500
_BLOCKED_NS: Final = 50_000_000
_WANTED_NS: Final = 1_000_000_000
"""The server says within this time that it wants a heap: so long what has failed stays as it is."""
_LINKS: Final = 20  # exceptions that are looked through for a timeout
_ANSWERED_KINDS: Final = {"timeout": 504, "cancelled": 503}


def timeout_in(error: BaseException) -> BaseException | None:
    """The timeout in `error`: itself, or inside a group, as task groups make one; None if there is none."""
    found = [error]
    for one in found:
        if isinstance(one, HandlerTimeout):
            return one
        if len(found) > _LINKS:
            break
        if isinstance(one, BaseExceptionGroup):
            found.extend(one.exceptions)
        found.extend(link for link in (one.__cause__, one.__context__) if link is not None)
    return None


class Telling:
    """One per worker. Main thread and threads of the application's requests."""

    def __init__(
        self,
        spec: FunctionSpec,
        sink: FrameSink,
        telemetry: Telemetry,
        sampler: BesideSampler,
        background: Background,
        account: CpuAccount,
        own_tmp: bool,
        outside: Outside,
    ) -> None:
        self._spec = spec
        self._sink = sink
        self._telemetry = telemetry
        self._sampler = sampler
        self._background = background
        self._account = account
        self._own_tmp = own_tmp
        self._outside = outside
        self._count = 0
        self._rss_bytes = self._peak_bytes = 0
        self.ring: Callable[[], object] = sink.ring
        """Has the server look at what was told; a loop does it once for all of its turn."""
        self.kept: Failed | None = None
        """Where an exception stays that ends this process's work; None: it goes on after failures."""
        self.newest: Failed | None = None
        """Where one stays for a moment, for the heap that the server may want of it."""
        self._newest_ns = 0
        self.later: Callable[[int], object] | None = None
        """Has `drop` called at that time, by monotonic_ns; for the main thread."""

    # ------------------------------------------------------------ ends

    def answer(self, attempt: BesideAttempt, answer: Answer) -> None:
        """Its answer is there, and its code goes on."""
        self._send(attempt, self._result(attempt, answer))

    def returned(self, attempt: BesideAttempt, answer: Answer | None) -> None:
        """Its code has come to its end. `answer`: what has not been told before."""
        status = attempt.http_status or (answer.status if answer is not None else 0)
        self.drop(time.monotonic_ns())
        if attempt.answered or status < _INTERNAL_ERROR:
            late = self._beside(attempt)
            if late is not None:
                self._sink.send_surely(late, bell=False)
            result = None if attempt.answered else self._result(attempt, answer or Answer(b""))
            self._over(attempt, result)
            return
        error = attempt.state.noticed.take() if attempt.state is not None and attempt.state.noticed else None
        self._answered_with(attempt, answer, error)

    def failed(self, attempt: BesideAttempt, error: BaseException, answer: Answer | None) -> None:
        """Its code has raised. `answer`: what it had answered by then, not told yet."""
        try:
            self._failed(attempt, error, answer)
        except BaseException as problem:  # whatever the process is short of: the answer must leave
            status, kind, http_status = failure_kind(error)
            scene = bare_scene(error, problem, kind, attempt.invocation_id)
            self._sink.send_surely(scene, bell=False)
            self._over(attempt, self._failure(attempt, status, scene.error, http_status))

    def _failed(self, attempt: BesideAttempt, error: BaseException, answer: Answer | None) -> None:
        if attempt.answered:  # its end is known: what still fails has no caller
            if not attempt.failed:
                self._background_scene(attempt, error)
            elif self.kept is not None:
                self.kept.keep(attempt.invocation_id, error)
            self._over(attempt, None)
            return
        status = attempt.http_status or (answer.status if answer is not None else 0)
        if attempt.raised is not None:
            self._sink.send(Late(invocation_id=attempt.invocation_id))
            error = timeout_in(error) or attempt.raised
            without_signal_frame(error)
        elif answer is not None and status < _INTERNAL_ERROR:
            self._background_scene(attempt, error)
            self._over(attempt, self._result(attempt, answer))
            return
        elif status >= _INTERNAL_ERROR:
            self._answered_with(attempt, answer, error)
            return
        status_name, kind, http_status = failure_kind(error)
        scene = self._scene(attempt, error, kind)
        self._sink.send_surely(scene, bell=False)
        result = self._failure(attempt, status_name, scene.error, http_status)
        result.reusable = kind != "memory"
        self._over(attempt, result)

    def _answered_with(
        self, attempt: BesideAttempt, answer: Answer | None, error: BaseException | None
    ) -> None:
        """It has answered with a 5xx status: the client gets that, and it is a failure."""
        attempt.failed = True
        result = self._result(attempt, answer or Answer(b"", attempt.http_status))
        if error is not None:
            scene = self._scene(attempt, error, failure_kind(error)[1])
        else:
            http = attempt.invoke.http
            scene = capture_answer(
                result, spec=self._spec, invocation_id=attempt.invocation_id, route=route_of(http)
            )
            self._keep_newest(attempt, None)  # it has no frames
            self._add(attempt, scene)
        self._sink.send_surely(scene, bell=False)
        result.status, result.error, result.answered = "error", scene.error, True
        self._over(attempt, result)

    def stopped(
        self, attempt: BesideAttempt, kind: str, text: str, frames: FrameType | Sequence[FrameType] | None
    ) -> None:
        """It is ended from outside of its code, which stands at `frames`: over time, or cancelled."""
        attempt.failed = True
        self._sink.send(Late(invocation_id=attempt.invocation_id))
        name = "Timeout" if kind == "timeout" else "Cancelled"
        scene = self.scene_of(attempt, kind, name, text, frames)
        self._sink.send_surely(scene, bell=False)
        self._send(attempt, self._failure(attempt, kind, scene.error, _ANSWERED_KINDS.get(kind, 502)))
        self._sink.ring()  # at once: the loop may be blocked

    def scene_of(
        self,
        attempt: BesideAttempt,
        kind: str,
        name: str,
        text: str,
        frames: FrameType | Sequence[FrameType] | None,
    ) -> Scene:
        """The scene of one whose code stands at `frames`."""
        with originals():
            scene = capture.capture_frames(
                frames if frames is not None else [],
                kind=kind,
                spec=self._spec,
                invocation_id=attempt.invocation_id,
                error_name=name,
                message=text,
            )
        self._add(attempt, scene)
        return scene

    # ------------------------------------------------------------ parts of it

    def _scene(self, attempt: BesideAttempt, error: BaseException, kind: str) -> Scene:
        attempt.failed = True
        if self.kept is not None:
            self.kept.keep(attempt.invocation_id, error)
        else:
            self._keep_newest(attempt, error)
        early: Any = self._sink.send_surely
        scene = capture_failure(
            error, kind=kind, spec=self._spec, invocation_id=attempt.invocation_id, early=early
        )
        self._add(attempt, scene)
        return scene

    def _keep_newest(self, attempt: BesideAttempt, error: BaseException | None) -> None:
        if self.newest is None:
            return
        self._newest_ns = time.monotonic_ns()  # first: in between, `drop` takes nothing of another thread
        self.newest.keep(attempt.invocation_id, error)
        if self.later is not None and threading.current_thread() is threading.main_thread():
            self.later(self._newest_ns + _WANTED_NS)

    def drop(self, now_ns: int) -> int:
        """Forget what has failed if the server has not wanted it in time; when to look again, 0: nothing is
        there."""
        if not self._newest_ns or self.newest is None:
            return 0
        until_ns = self._newest_ns + _WANTED_NS
        if now_ns < until_ns:
            return until_ns
        self._newest_ns = 0
        self.newest.forget()
        return 0

    def _add(self, attempt: BesideAttempt, scene: Scene) -> None:
        self._background.add_of(attempt.invocation_id, scene)
        self._outside.tell(scene, attempt.invoke, attempt.recorded)
        if attempt.blocks:
            scene.members["blocking.json"] = msgspec.json.encode(attempt.blocks)
            scene.parts["blocking"] = ok()

    def _background_scene(self, attempt: BesideAttempt, error: BaseException) -> None:
        self._background.note("request", "after its answer", error)
        late = self._beside(attempt)
        if late is not None:
            self._sink.send_surely(late, bell=False)

    def _beside(self, attempt: BesideAttempt) -> Scene | None:
        """The scene of what has failed in spite of its answer."""
        if attempt.failed or not self._background.fresh:
            return None
        scene = self._background.scene_of(attempt.invocation_id)
        if scene is not None:
            self._add(attempt, scene)
        return scene

    def _result(self, attempt: BesideAttempt, answer: Answer) -> Result:
        return Result(
            invocation_id=attempt.invocation_id,
            status="ok",
            started_ns=attempt.started_ns,
            ended_ns=time.time_ns(),
            body=answer.body,
            content_type=answer.content_type,
            http_status=answer.status,
            headers=answer.headers,
            streamed_bytes=attempt.streamed_bytes,
        )

    def _failure(self, attempt: BesideAttempt, status: str, error: ErrorInfo, http_status: int) -> Result:
        attempt.failed = True
        return Result(
            invocation_id=attempt.invocation_id,
            status=status,
            started_ns=attempt.started_ns,
            ended_ns=time.time_ns(),
            http_status=http_status,
            error=error,
            streamed_bytes=attempt.streamed_bytes,
            headers=attempt.headers,
        )

    def _send(self, attempt: BesideAttempt, result: Result) -> None:
        attempt.answered = True
        attempt.deadline_ns = 0
        attempt.ended_ns = result.ended_ns
        if not self._sink.send_surely(result, bell=False):
            self._unsendable(attempt)
        self.ring()

    def _over(self, attempt: BesideAttempt, result: Result | None) -> None:
        """The last word, in one frame with the answer if that is new."""
        report = self._outside.report()
        if report is not None:
            self._sink.send_surely(report, bell=False)
        if result is not None and self._telemetry.asks_in_thread:
            self._send(attempt, result)  # what is asked now may take its time
            result = None
        attempt.over = True
        attempt.deadline_ns = 0
        if attempt.blocked_ns >= _BLOCKED_NS or attempt.blocking_ns:
            self._inside(attempt, self._tell_blocks)
        profile = self._sampler.end(attempt.look) if attempt.look is not None else None
        done: Done = self._inside(attempt, self._done)
        done.reusable = self.kept is None or not attempt.failed
        attempt.answered = True
        sink = self._sink
        if profile is not None:
            done.dropped += profile.dropped
            profile.calls = self._outside.calls(attempt.recorded)
            if not sink.send_surely(*([result] if result is not None else []), profile, done, bell=False):
                self._sampler.not_delivered(profile)
                self._unsendable(attempt)
        elif result is not None:
            result.done = done
            if not sink.send_surely(result, bell=False):
                self._unsendable(attempt)
        else:
            sink.send_surely(done, bell=False)
        self.ring()

    def _inside(self, attempt: BesideAttempt, call: Callable[[BesideAttempt], Any]) -> Any:
        """Call it in the context of the attempt, which may be the current one already."""
        context = attempt.context
        if context is None or attempt.state is None or self._telemetry.current() is attempt.state:
            return call(attempt)
        return context.run(call, attempt)

    def _unsendable(self, attempt: BesideAttempt) -> None:
        """Its headers are no text, say."""
        if not self._sink.open:
            return
        error = BadResult("the answer has text that is not Unicode", hint="look at its headers")
        scene = capture_failure(
            error, kind="bad_result", spec=self._spec, invocation_id=attempt.invocation_id
        )
        self._sink.send_surely(scene, bell=False)
        result = self._failure(attempt, "error", scene.error, 502)
        result.done = Done(invocation_id=attempt.invocation_id)
        self._sink.send_surely(result)

    def _tell_blocks(self, attempt: BesideAttempt) -> None:
        from opentelemetry import trace

        span = trace.get_current_span()
        state = attempt.state
        if state is not None and state.span is not None:
            span = state.span
        if attempt.blocked_ns >= _BLOCKED_NS:
            span.set_attribute("relive.blocked_ms", attempt.blocked_ns // 1_000_000)
            if attempt.blocked_before_ns:
                before_ms = attempt.blocked_before_ns // 1_000_000
                span.set_attribute("relive.blocked_before_ms", before_ms)
        for block in attempt.blocks:
            span.add_event(
                "relive.blocked", {f"relive.blocked.{name}": value for name, value in block.items()}
            )
        if attempt.blocking_ns:
            span.set_attribute("relive.blocking_ms", attempt.blocking_ns // 1_000_000)

    def _done(self, attempt: BesideAttempt) -> Done:
        """Inside its context."""
        cpu_ns = self._account.end(attempt.cpu_ns)
        spans = logs = dropped = 0
        if attempt.state is not None:
            counts = self._telemetry.leave(attempt.state, attempt.failed)
            spans, logs, dropped = counts
        if not self._count % _RSS_EVERY:
            self._peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _KIB
            self._rss_bytes = held_bytes(self._own_tmp)
        self._count += 1
        return Done(
            invocation_id=attempt.invocation_id,
            cpu_ns=cpu_ns,
            peak_rss_bytes=self._peak_bytes,
            rss_bytes=self._rss_bytes,
            spans=spans,
            logs=logs,
            dropped=dropped,
        )
