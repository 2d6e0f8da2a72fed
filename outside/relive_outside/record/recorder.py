"""Recording in one process: what every host begins and ends its invocations with. It never raises."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Final, Protocol

from relive_base.records import InvocationRecord
from relive_base.unseen import without_our_frames
from relive_base.wire.messages import ErrorInfo, HttpRequest, Result, Scene
from relive_capture.record import capture_exception, capture_frames
from relive_capture.record.recording import (
    BesideRecorder,
    RecordingLimits,
    outside_of_code,
    when_imported,
)
from relive_runtime.worker.outside import recorded_beside
from relive_tracer.record.noticed import NoticedBeside

from relive_outside.record.attempts import INTERNAL_ERROR, Attempt
from relive_outside.record.handed import Ended, Handed, HostFacts
from relive_outside.record.handing import Hand
from relive_outside.record.limiting import Rate
from relive_outside.record.log_lines import Lines, LogWatch
from relive_outside.record.marks import Left, Marks
from relive_outside.record.recipes import Recipe, spec_of
from relive_outside.record.settings import OutsideSettings, default_home
from relive_outside.record.spans import SpanBatch
from relive_outside.record.stack import is_stack_left
from relive_outside.record.watchdog import Watchdog

__all__ = ["Hands", "Recorder"]

_SAID: Final = 20
_AGAIN_NS: Final = 1_000_000_000
_NOT_FAILURES: Final = ("CancelledError", "GeneratorExit", "KeyboardInterrupt")


class Hands(Protocol):
    """What makes scenes of what is handed to it."""

    def has_room(self) -> bool:
        """Whether one more can be handed over now."""

    def over(self, handed: Handed, wait_s: float) -> str:
        """Hand one over, now or when there is room. Why it cannot be, or ""."""

    def take_up(self) -> str:
        """Hand over what waits, as far as there is room. What went wrong, or ""."""

    def close(self) -> str:
        """The same, at the end, for a while."""


class Recorder:
    """One per process, and of those that it forks. `host`: who runs the code; `wait_s`: how long a failed
    invocation waits for its scene if no setting says it."""

    def __init__(
        self,
        settings: OutsideSettings,
        host: str,
        *,
        wait_s: float = 0.0,
        say: Callable[[str], object] | None = None,
        hand: Hands | None = None,
        clock_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.settings = settings
        self.host = host
        self.details: dict[str, str] = {}
        self._say_to = say or _to_stderr
        self._said = 0
        self._wait_s = settings.wait_s if settings.wait_s >= 0 else wait_s
        self._hash_seed = _hash_seed()
        self._started_ns = time.time_ns()
        self._loaded = False
        self._current: ContextVar[Attempt | None] = ContextVar("relive_attempt", default=None)
        self._recorder = BesideRecorder(
            http=settings.calls_bytes > 0,
            limits=RecordingLimits(total_bytes=settings.calls_bytes),
            skipped=_of_code(settings),
        )
        self._rate = Rate(settings.per_minute)
        self._hand: Hands = hand or Hand(settings, os.environ)
        self._noticed = NoticedBeside(self._own_noticed)
        self._marks = Marks(settings.state)
        self._clock_ns = clock_ns  # what is put in its place later is the application's
        self._look_again_ns = 0  # 0: all that was left is told
        self._watchdog = Watchdog(self._over_time)
        self._spans = SpanBatch(self._send_spans) if settings.otlp else None
        self._frameworks: Any = None

    def serves(self) -> None:
        """This process answers others: a failed request does not wait for its scene, if no setting says
        so."""
        self._wait_s = max(self.settings.wait_s, 0.0)

    @property
    def on(self) -> bool:
        """Whether anything is recorded."""
        return self.settings.enabled and self.settings.capture != "off"

    def install(self) -> None:
        """Begin to record, before the application is imported if that is possible. Call it once."""
        if not self.on:
            return
        try:
            self._tell_left()  # first: what it reads is not the application's
            self._recorder.install()
            when_imported({"logging": LogWatch(self._own_lines, self._noticed).patch})
        except Exception as error:
            self._problem("recording did not begin", error)

    # ------------------------------------------------------------ one invocation

    def begin(
        self,
        recipe: Recipe,
        event: bytes = b"",
        http: HttpRequest | None = None,
        traceparent: str = "",
        deadline_s: float = 0.0,
    ) -> Attempt | None:
        """It begins, in the calling context; give what comes of it to `ended` or `failed` there. None: it is
        not recorded. `deadline_s`: a scene is made of it if it still runs then."""
        if not self.on:
            return None
        attempt = None
        try:
            if not self._loaded:
                self._loaded = True
                self._recorder.loaded()
            attempt = Attempt(recipe, event, http)
            if traceparent:
                _continue(attempt, traceparent)
            attempt.outer = self._current.get()
            if attempt.outer is None:
                self._take_up()  # else what it calls would be the outer one's
            if self._marks.begin(attempt) or self._may_look_again(attempt):
                self._tell_left()  # first: what it opens is not the application's
            attempt.recorded = self._recorder.enter(attempt.started_ns)
            self._current.set(attempt)
            if http is not None:
                self._watch_frameworks()
            limit_s = deadline_s or self.settings.timeout_s
            if limit_s > 0:
                self._watchdog.watch(attempt, limit_s)
            return attempt
        except Exception as error:
            self.forget(attempt)  # what of it has begun
            self._problem("an invocation is not recorded", error)
            return None

    def ended(self, attempt: Attempt | None) -> None:
        """It has come to its end, in the context in which it began."""
        if attempt is None:
            return
        try:
            try:
                if attempt.http is not None and attempt.status >= INTERNAL_ERROR and not attempt.told:
                    self._answered_with(attempt)
                elif self._spans is not None:
                    self._spans.add(_span(attempt, None))
                self._take_up()
            finally:
                self._leave(attempt)
        except Exception as error:
            self._problem("an invocation was not recorded to its end", error)

    def failed(self, attempt: Attempt | None, error: BaseException, kind: str = "") -> None:
        """It has raised, in the context in which it began."""
        if attempt is None:
            return
        try:
            try:
                if type(error) is RecursionError and is_stack_left():
                    without_our_frames(error)
                if self._counts(attempt, error):
                    self._tell(attempt, error, kind)
                self._take_up()
            finally:
                self._leave(attempt)
        except Exception as problem:
            self._problem("a failure was not recorded", problem)

    def told(self, attempt: Attempt | None, error: BaseException, kind: str) -> None:
        """Something has failed in it, and it goes on."""
        if attempt is None:
            return
        try:
            if self._counts(attempt, error):
                self._tell(attempt, error, kind)
        except Exception as problem:
            self._problem("a failure was not recorded", problem)

    def forget(self, attempt: Attempt | None) -> None:
        """It is none: it turned out to be something else, such as a server."""
        if attempt is None:
            return
        try:
            attempt.told = True
            self._leave(attempt)
        except Exception as error:
            self._problem("an invocation was not forgotten", error)

    def stays(self, attempt: Attempt) -> None:
        """It takes as long as its client likes from now on: no time is too long."""
        self._watchdog.forget(attempt)

    def is_running(self, attempt: Attempt) -> bool:
        """Whether code of this context belongs to it."""
        return self._current.get() is attempt

    def close(self) -> None:
        """At the end of the process: what is left to be sent."""
        try:
            if self._spans is not None:
                self._spans.flush()
            self._marks.close()
            problem = self._hand.close()
            if problem:
                self.say(problem)
            if self._rate.refused:
                self.say(
                    f"{self._rate.refused} failures were over {self.settings.per_minute} scenes a minute"
                )
        except Exception as error:
            self._problem("the end was not recorded", error)

    def _leave(self, attempt: Attempt) -> None:
        if attempt.deadline_ns:
            self._watchdog.forget(attempt)
        self._marks.end(attempt)
        if attempt.recorded is not None:
            self._recorder.leave(attempt.recorded)
        outer = attempt.outer
        if self._current.get() is attempt:
            self._current.set(outer)
            self._recorder.current.set(outer.recorded if outer is not None else None)

    def _counts(self, attempt: Attempt, error: BaseException) -> bool:
        """Whether it is a failure of this invocation that has no scene yet."""
        if attempt.told or attempt.pid != os.getpid() or attempt.told_of == id(error):
            self._pass_on(attempt, error)
            return False
        if type(error).__name__ in _NOT_FAILURES:
            return False
        if not is_stack_left():
            if attempt.outer is None:  # else that has more, and tells of it
                self.say("a failure was not recorded: too little of the stack is left")
            return False
        self._pass_on(attempt, error)
        return True

    def _pass_on(self, attempt: Attempt, error: BaseException) -> None:
        """One that is raised further has one scene: that of where it was seen first."""
        if attempt.outer is not None:
            attempt.outer.told_of = id(error)

    # ------------------------------------------------------------ scenes

    def _answered_with(self, attempt: Attempt) -> None:
        """It has answered with a 5xx status, as a framework does for an exception."""
        error = attempt.noticed.take()
        if error is not None:
            if self._counts(attempt, error):
                self._tell(attempt, error, "")
            return
        result = Result(
            invocation_id=attempt.invocation_id,
            status="error",
            started_ns=attempt.started_ns,
            ended_ns=time.time_ns(),
            http_status=attempt.status,
            body=bytes(attempt.answer),
        )
        from relive_runtime.adapters.http.route_shapes import route_of
        from relive_runtime.worker.failures.capturing import capture_answer  # rarely needed

        spec = spec_of(attempt.recipe, self.settings)
        route = route_of(attempt.http)
        scene = capture_answer(result, spec=spec, invocation_id=attempt.invocation_id, route=route)
        self._hand_over(attempt, scene, "error")

    def _tell(self, attempt: Attempt, error: BaseException, kind: str) -> None:
        attempt.told = True
        status, exact = _kind_of(error)
        kind = kind or exact
        spec = spec_of(attempt.recipe, self.settings)
        if not self._rate.take():
            return
        try:
            scene = capture_exception(error, kind=kind, spec=spec, invocation_id=attempt.invocation_id)
        except Exception as problem:
            from relive_runtime.worker.failures.capturing import bare_scene  # hardly ever needed

            scene = bare_scene(error, problem, kind, attempt.invocation_id)
        self._hand_over(attempt, scene, "timeout" if kind == "timeout" else status)

    def _over_time(self, attempt: Attempt, limit_s: float) -> None:
        """In the watchdog's thread: it still runs."""
        frame = sys._current_frames().get(attempt.thread)
        if attempt.told or frame is None or not self._rate.take():
            return
        attempt.told = True
        scene = capture_frames(
            frame,
            kind="timeout",
            spec=spec_of(attempt.recipe, self.settings),
            invocation_id=attempt.invocation_id,
            message=f"{attempt.recipe.name} still ran after {limit_s:.1f} s",
        )
        self._hand_over(attempt, scene, "timeout")

    def _hand_over(self, attempt: Attempt, scene: Scene, status: str) -> None:
        attempt.told = True
        if attempt.http is not None:
            attempt.http.body = bytes(attempt.body)
        recipe = attempt.recipe
        spec = spec_of(recipe, self.settings)
        recorded_beside(spec, self._hash_seed, self._recorder).tell(scene, None, attempt.recorded)
        record = _record(attempt, status, scene.error)
        span = _span(attempt, scene.error)
        if self._spans is not None:
            self._spans.add(span)
        self._give(
            Handed(
                record=record,
                host=self._facts(recipe),
                scene=scene,
                event=attempt.event,
                event_lost=attempt.event_lost,
                event_cut=attempt.event_cut,
                http=attempt.http,
                logs=attempt.lines.kept,
                logs_left_out=attempt.lines.left_out,
            )
        )
        self._marks.end(attempt)

    def _give(self, handed: Handed) -> None:
        settings = self.settings
        handed.path = [entry for entry in sys.path if type(entry) is str]
        handed.redact_keys = list(settings.redact)
        handed.source_bytes = settings.source_bytes
        handed.to = settings.to or os.path.join(default_home(os.environ), "inbox")
        handed.token = settings.token
        handed.folder_scenes, handed.folder_bytes = settings.folder_scenes, settings.folder_bytes
        problem = self._hand.over(handed, self._wait_s)
        if problem:
            self.say(problem)

    def _facts(self, recipe: Recipe) -> HostFacts:
        return HostFacts(
            name=recipe.host or self.host,
            details=self.details,
            python=sys.version.split()[0],
            implementation=sys.implementation.name,
            platform=f"{sys.platform} {os.uname().machine}",
            handler=recipe.handler,
            kind=recipe.kind,
            source=recipe.source,
            process_started_ns=self._started_ns,
        )

    def _tell_left(self) -> None:
        """Of processes that were killed in the middle of something; of what is too much at once, later."""
        self._look_again_ns = 0
        if not is_stack_left() or not self._marks.tell_left(self._tell_killed):
            self._look_again_ns = self._clock_ns() + _AGAIN_NS

    def _may_look_again(self, attempt: Attempt) -> bool:
        return attempt.outer is None and 0 < self._look_again_ns <= self._clock_ns()

    def _tell_killed(self, left: Left) -> bool:
        if not self._hand.has_room() or not self._rate.has_room():
            return False
        self._rate.take()
        try:
            self._give(
                Handed(record=_record_of_left(left), host=HostFacts(name=left.host, python=left.python))
            )
        except Exception as error:
            self._problem("a process that was killed was not told of", error)
        return True

    def _take_up(self) -> None:
        """Scenes that wait for others to be made first."""
        problem = self._hand.take_up()
        if problem:
            self.say(problem)

    def _send_spans(self, spans: list[Ended]) -> None:
        handed = Handed(spans=spans, otlp=self.settings.otlp, host=HostFacts(name=self.host))
        handed.redact_keys, handed.token = list(self.settings.redact), self.settings.token
        problem = self._hand.over(handed, 0.0)
        if problem:
            self.say(f"{len(spans)} spans were not sent: {problem}")

    # ------------------------------------------------------------ whose

    def _own_noticed(self) -> Any:
        attempt = self._current.get()
        return attempt.noticed if attempt is not None else None

    def _own_lines(self) -> Lines | None:
        attempt = self._current.get()
        return attempt.lines if attempt is not None and not attempt.told else None

    def _watch_frameworks(self) -> None:
        if self._frameworks is None:
            from relive_runtime.adapters.http.framework_errors import FrameworkErrors

            self._frameworks = FrameworkErrors(self._noticed.note)
        self._frameworks.watch()

    # ------------------------------------------------------------ what went wrong

    def _problem(self, what: str, error: Exception) -> None:
        """Say it, if there is stack and memory for that. Without stack the code's own call fails just so."""
        try:
            if is_stack_left() or not isinstance(error, RecursionError):
                self.say(f"{what}: {type(error).__name__}: {error}")
        except Exception:
            return

    def say(self, text: str) -> None:
        """Tell the operator, on stderr; at most twenty times."""
        self._said += 1
        if self._said <= _SAID:
            self._say_to(text)


def _continue(attempt: Attempt, traceparent: str) -> None:
    """The caller's trace, if that is one."""
    from relive_base.traceparent import parse_traceparent  # takes 10 ms of a start

    parent = parse_traceparent(traceparent)
    if parent is not None:
        attempt.trace_id, attempt.parent_span_id = parent.trace_id, parent.span_id
        attempt.sampled = parent.sampled


def _of_code(settings: OutsideSettings) -> tuple[str, ...]:
    """Folders whose files are code, or belong to it: what is read there is no input."""
    script = os.path.dirname(os.path.abspath(getattr(sys, "argv", [""])[0] or "."))
    folders = [entry for entry in sys.path if type(entry) is str and entry]
    return outside_of_code(settings.source or os.getcwd(), (script, *folders))


def _to_stderr(text: str) -> None:
    if sys.__stderr__ is None:
        return  # it was closed as Python began: 2 may be a file of the application's
    try:
        os.write(2, f"relive: {text[:500]}\n".encode("utf-8", "backslashreplace"))
    except OSError:
        return  # it is closed: nobody listens


def _hash_seed() -> int:
    """Of str and bytes; 0: not known."""
    text = os.environ.get("PYTHONHASHSEED", "")
    return int(text) if text.isdecimal() and 0 < int(text) < 2**32 else 0


def _kind_of(error: BaseException) -> tuple[str, str]:
    """Status and kind of failure."""
    kind = type(error)  # isinstance would ask the error, whose __class__ may be a property
    if issubclass(kind, SystemExit):
        return "crash", "exit"
    if issubclass(kind, MemoryError):
        return "memory", "memory"
    return "error", "recursion" if issubclass(kind, RecursionError) else "exception"


def _record(attempt: Attempt, status: str, error: ErrorInfo | None) -> InvocationRecord:
    recipe, http = attempt.recipe, attempt.http
    return InvocationRecord(
        invocation_id=attempt.invocation_id,
        function=recipe.name,
        version=0,
        trace_id=attempt.trace_id,
        span_id=attempt.span_id,
        trigger_span_id="",
        parent_span_id=attempt.parent_span_id,
        trigger=recipe.trigger,
        accepted_ns=attempt.started_ns,
        dispatched_ns=attempt.started_ns,
        started_ns=attempt.started_ns,
        ended_ns=time.time_ns(),
        status=status,
        error=error,
        attributes={name: str(value) for name, value in attempt.attributes.items()},
        memory_limit_bytes=recipe.memory_mb * 1_048_576,
        timeout_ns=int(recipe.timeout_s * 1e9),
        worker_pid=os.getpid(),
        http_method=http.method if http is not None else "",
        http_path=http.path if http is not None else "",
        http_status=attempt.status,
        has_scene=True,
        event_bytes=len(http.body) if http is not None else len(attempt.event),
        sampled=attempt.sampled,
    )


def _record_of_left(left: Left) -> InvocationRecord:
    limits = "a limit on memory" if left.host != "celery" else "a limit on memory or a hard time limit"
    error = ErrorInfo(
        type="Killed",
        message=f"the process {left.pid} ended while it ran, without a word: by a signal (SIGKILL, as"
        f" {limits} does it), by os._exit, or its machine stopped",
        kind="signal",
    )
    return InvocationRecord(
        invocation_id=left.invocation_id,
        function=left.name,
        version=0,
        trace_id=left.trace_id,
        span_id=left.span_id,
        trigger_span_id="",
        accepted_ns=left.started_ns,
        started_ns=left.started_ns,
        ended_ns=time.time_ns(),
        status="crash",
        error=error,
        worker_pid=left.pid,
        has_scene=True,
    )


def _span(attempt: Attempt, error: ErrorInfo | None) -> Ended:
    http = attempt.http
    attributes: dict[str, Any] = {"faas.invocation_id": attempt.invocation_id, **attempt.attributes}
    name, kind = attempt.recipe.name, "Internal"
    if http is not None:
        name, kind = f"{http.method} {http.path}", "Server"
        attributes["http.request.method"] = http.method
        attributes["url.path"] = http.path
        if attempt.status:
            attributes["http.response.status_code"] = attempt.status
    return Ended(
        trace_id=attempt.trace_id,
        span_id=attempt.span_id,
        parent_span_id=attempt.parent_span_id,
        service=attempt.recipe.name,
        name=name,
        kind=kind,
        start_ns=attempt.started_ns,
        end_ns=time.time_ns(),
        attributes=attributes,
        error_type=error.type if error is not None else "",
        message=error.message if error is not None else "",
    )
