"""What a function reads from outside: recorded while it runs, played back in a replay, or left alone."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import msgspec
from relive_base.escapes import encode_escaped
from relive_base.parts import Why, missing, partial
from relive_base.wire.messages import (
    Call,
    CallCount,
    CallResult,
    ErrorInfo,
    FunctionSpec,
    Invoke,
    Playback,
    Scene,
)
from relive_capture.record.module_marks import ModuleMarks

from relive_runtime.worker.start.namesakes import originals

if TYPE_CHECKING:
    from contextvars import ContextVar

    from relive_capture.record.playback import Passing, Player
    from relive_capture.record.recording import BesideRecorder, Recorded, Recorder
    from relive_capture.recording_format import Recording, ReplayNotes

__all__ = ["Outside", "outside_of", "recorded_beside", "replayed"]

_NAMES: Final = 500
_SEEN_NS: Final = 100_000_000
_REFUSED: Final = "relive.CallRefused"


class Outside:
    """Leaves everything alone: `capture = "off"`."""

    def install(self) -> None:
        """Before the function's module is loaded."""

    def loaded(self) -> None:
        """The module is loaded."""

    def begin(self, started_ns: int) -> None:
        """An invocation begins."""

    def end(self) -> None:
        """It is over."""

    def enter(self, started_ns: int) -> Recorded | None:
        """An invocation begins beside others: as `begin`, inside its own context. What is given back is its
        own, for `leave` and `tell`."""
        self.begin(started_ns)
        return None

    def leave(self, recorded: Recorded) -> None:
        """As `end`, of one that was entered."""

    @property
    def variables(self) -> list[ContextVar[Any]]:
        """What says whose code calls, of those that were entered."""
        return []

    def tell(self, scene: Scene, invoke: Invoke | None, recorded: Recorded | None = None) -> None:
        """Add what there is to the scene of what has failed; `invoke` None: the loading of the module."""
        scene.parts["replay"] = partial(Why.VALUES_OFF)
        scene.parts["cassette"] = missing(Why.VALUES_OFF)

    def uninstall(self) -> None:
        """Undo `install`; a worker ends instead."""

    def report(self) -> Playback | None:
        """What goes up before the Result."""
        return None

    @property
    def player(self) -> Player | None:
        """Of a replay."""
        return None

    def calls(self, recorded: Recorded | None = None) -> list[CallCount] | None:
        """How often the invocation has called whom; None: that is not recorded. `recorded` is of invocations
        that run beside each other."""
        return None

    def answer(self, call: Call) -> CallResult | None:
        """The answer of a call to another function, if the platform need not be asked."""
        return None

    def answered(self, call: Call, answer: CallResult, took_ns: int) -> None:
        """The platform's answer."""

    def refused(self, call: Call, message: str) -> None:
        """A call that got no answer."""


class _Recording(Outside):
    """Keeps what a failed invocation needs to be had again."""

    def __init__(self, spec: FunctionSpec, hash_seed: int, recorder: Recorder | BesideRecorder) -> None:
        self._spec = spec
        self._hash_seed = hash_seed
        self._recorder = recorder
        self._marks = ModuleMarks(spec)
        self.install = recorder.install  # type: ignore[method-assign]  # one call less

    def loaded(self) -> None:
        self._recorder.loaded()
        self._marks.loaded()

    def _recording(self, notes: ReplayNotes, recorded: Recorded | None) -> Recording:
        """What the recorder has; `recorded` is of invocations that run beside each other."""
        raise NotImplementedError

    def tell(self, scene: Scene, invoke: Invoke | None, recorded: Recorded | None = None) -> None:
        from relive_capture.recording_format import ReplayNotes

        spec = self._spec
        notes = ReplayNotes(
            handler=spec.handler,
            kind=spec.kind,
            code_hash=spec.code_hash,
            dependencies=spec.dependencies,
            python=_python(),
            timeout_s=spec.timeout_s,
            memory_mb=spec.memory_mb,
            isolation_tier=spec.isolation_tier,
            depth=invoke.depth if invoke is not None else 0,
            environment=sorted(os.environ)[:_NAMES],
            hash_seed=self._hash_seed,
        )
        try:
            with originals():
                recording = self._recording(notes, recorded)
                if notes.served:
                    notes.globals = self._globals()
                    notes.left = self._left()
                scene.recording = encode_escaped(msgspec.msgpack.encode, recording)
        except Exception as error:  # the scene must leave without it
            scene.parts["replay"] = missing(Why.NOT_TOLD, type(error).__name__)

    def _left(self) -> list[str]:
        """Which globals were others when the invocation began than in a fresh worker."""
        return self._marks.left()

    def _globals(self) -> dict[str, str]:
        """What the application's modules hold now."""
        from relive_capture.record.module_state import module_state

        return module_state(self._spec)

    def answered(self, call: Call, answer: CallResult, took_ns: int) -> None:
        from relive_capture.recording_format import Failure

        kept_calls = self._recorder.kept_calls
        if kept_calls is None:
            return
        method = "SEND" if call.asynchronous else "CALL"
        kept = kept_calls.call("invoke", "relive", method=method, url=call.function)
        kept.raw.took_ns = took_ns
        kept.sent(call.payload)
        kept.answer_begins()
        kept.raw.status = 200 if answer.ok else 500
        kept.raw.ended = True
        kept.received(answer.body)
        if answer.error is not None:
            error = answer.error
            kept.raw.failure = Failure(
                error.type, [error.message, answer.invocation_id, error.kind], "callee"
            )

    def refused(self, call: Call, message: str) -> None:
        from relive_capture.recording_format import Failure

        kept_calls = self._recorder.kept_calls
        if kept_calls is not None:
            kept = kept_calls.call("invoke", "relive", method="CALL", url=call.function)
            kept.sent(call.payload)
            kept.raw.failure = Failure(_REFUSED, [message], "call")


class _OneByOne(_Recording):
    """Of invocations that run one after the other."""

    def __init__(self, spec: FunctionSpec, hash_seed: int, recorder: Recorder) -> None:
        super().__init__(spec, hash_seed, recorder)
        self._one = recorder
        self.end = recorder.end  # type: ignore[method-assign]

    def begin(self, started_ns: int) -> None:
        self._marks.begin()
        self._one.begin(started_ns)

    def calls(self, recorded: Recorded | None = None) -> list[CallCount] | None:
        return self._one.calls()

    def _recording(self, notes: ReplayNotes, recorded: Recorded | None) -> Recording:
        notes.served = max(self._one.served, 0)
        return self._one.recording(notes)


class _Beside(_Recording):
    """Of invocations that run beside each other."""

    def __init__(self, spec: FunctionSpec, hash_seed: int, recorder: BesideRecorder) -> None:
        super().__init__(spec, hash_seed, recorder)
        self.enter = recorder.enter  # type: ignore[method-assign]
        self.leave = recorder.leave  # type: ignore[method-assign]
        self._recording = recorder.recording  # type: ignore[method-assign]
        self._beside = recorder
        self._seen: dict[str, str] = {}  # of its modules
        self._seen_ns = 0

    @property
    def variables(self) -> list[ContextVar[Any]]:
        return [self._beside.current]

    def calls(self, recorded: Recorded | None = None) -> list[CallCount] | None:
        return self._beside.calls(recorded) if recorded is not None else None

    def tell(self, scene: Scene, invoke: Invoke | None, recorded: Recorded | None = None) -> None:
        super().tell(scene, invoke, recorded)
        if invoke is not None and (invoke.wire or invoke.http is None):
            scene.parts["replay"] = missing(Why.CLIENT_UNRECORDED)

    def _left(self) -> list[str]:
        """Since the loading: others ran all the time."""
        self._marks.begin()
        return super()._left()

    def _globals(self) -> dict[str, str]:
        """As they are, or were a moment ago: many may fail at once, and it takes two milliseconds."""
        now_ns = time.monotonic_ns()
        if now_ns - self._seen_ns > _SEEN_NS:
            self._seen, self._seen_ns = super()._globals(), now_ns
        return self._seen


class _Replayed(Outside):
    """Plays a scene's recording back."""

    def __init__(self, spec: FunctionSpec, player: Player) -> None:
        self._player = player
        self._spec = spec
        self._passing: Passing | None = None
        self.begin = player.begin  # type: ignore[method-assign]
        self.end = player.end  # type: ignore[method-assign]
        self.uninstall = player.uninstall  # type: ignore[method-assign]

    @property
    def player(self) -> Player | None:
        return self._player

    def install(self) -> None:
        from relive_capture.record.recording import outside_of_code

        spec = self._spec
        skipped = outside_of_code(spec.source, (*spec.in_app, spec.dependencies_dir))
        self._player.surround(skipped, spec.scratch)
        self._player.install()
        if self._player.watched:
            from relive_capture.record.frames import InApp
            from relive_capture.record.playback import Passing

            own = InApp.of(self._spec, here=True)
            self._passing = Passing(self._player.watched, own.place)
            self._passing.install()

    def loaded(self) -> None:
        from relive_capture.record.module_state import module_state

        with suppress(Exception):  # it is for a note alone
            self._player.globals = module_state(self._spec)

    def tell(self, scene: Scene, invoke: Invoke | None, recorded: Recorded | None = None) -> None:
        """A replay's own failure is compared, and not replayed again."""

    def report(self) -> Playback | None:
        report = self._player.report()
        if self._passing is not None:
            report.watched = self._passing.found
        return Playback(report=encode_escaped(msgspec.msgpack.encode, report))

    def answer(self, call: Call) -> CallResult | None:
        method = "SEND" if call.asynchronous else "CALL"
        recorded_call, body = self._player.invoked(method, call.function, call.payload)
        failure = recorded_call.failure
        error = None
        if failure is not None:
            texts = [str(item) for item in failure.arguments] + ["", "", ""]
            error = ErrorInfo(type=failure.type, message=texts[0], kind=texts[2] or "exception")
        return CallResult(
            call_id=call.call_id,
            ok=recorded_call.status == 200,
            body=body,
            error=error,
            invocation_id=texts[1] if failure is not None else "",
        )


def outside_of(spec: FunctionSpec, hash_seed: int, beside: bool = False) -> Outside:
    """What this worker's function gets. `beside`: its invocations run beside each other."""
    if spec.replay:
        return replayed(spec)
    if spec.capture == "off":
        return Outside()
    from relive_capture.record.recording import (  # the zygote has imported it
        Recorder,
        RecordingLimits,
        outside_of_code,
    )

    http = spec.recording and spec.recording_bytes > 0
    limits = RecordingLimits(total_bytes=spec.recording_bytes, file_bytes=spec.recording_file_bytes)
    skipped = outside_of_code(spec.source, (*spec.in_app, spec.dependencies_dir))
    if not beside:
        return _OneByOne(spec, hash_seed, Recorder(http=http, limits=limits, skipped=skipped))
    from relive_capture.record.recording import BesideRecorder  # no other kind needs it

    return _Beside(spec, hash_seed, BesideRecorder(http=http, limits=limits, skipped=skipped))


def recorded_beside(spec: FunctionSpec, hash_seed: int, recorder: BesideRecorder) -> Outside:
    """What tells of one function among others in a process that one recorder is for."""
    return _Beside(spec, hash_seed, recorder)


def replayed(spec: FunctionSpec, hint: str = "") -> Outside:
    """Plays `spec.replay` back. `hint`: what to do about a call that is not in it."""
    from relive_capture.record.playback import Player

    return _Replayed(spec, Player.of(spec.replay, spec.redact_keys, hint))


def _python() -> str:
    with originals():
        import platform

    return platform.python_version()
