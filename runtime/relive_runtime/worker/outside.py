"""What a function reads from outside: recorded while it runs, played back in a replay, or left alone."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import msgspec
from relive_base.escapes import encode_escaped
from relive_base.parts import Why, missing, partial
from relive_base.wire.messages import Call, CallResult, ErrorInfo, FunctionSpec, Invoke, Playback, Scene

from relive_runtime.worker.start.namesakes import originals

if TYPE_CHECKING:
    from relive_capture.record.playback import Player

__all__ = ["Outside", "outside_of", "replayed"]

_NAMES: Final = 500
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

    def tell(self, scene: Scene, invoke: Invoke | None) -> None:
        """Add what there is to the scene of what has failed; `invoke` None: the loading of the module."""
        scene.parts["replay"] = partial(Why.VALUES_OFF)
        scene.parts["cassette"] = missing(Why.VALUES_OFF)

    def uninstall(self) -> None:
        """Undo `install`; a worker ends instead."""

    def report(self) -> Playback | None:
        """What goes up before the Result."""
        return None

    def answer(self, call: Call) -> CallResult | None:
        """The answer of a call to another function, if the platform need not be asked."""
        return None

    def answered(self, call: Call, answer: CallResult, took_ns: int) -> None:
        """The platform's answer."""

    def refused(self, call: Call, message: str) -> None:
        """A call that got no answer."""


class _Recorded(Outside):
    """Keeps what a failed invocation needs to be had again."""

    def __init__(self, spec: FunctionSpec, hash_seed: int) -> None:
        from relive_capture.record.recording import Recorder, RecordingLimits  # the zygote has imported it

        self._spec = spec
        self._hash_seed = hash_seed
        http = spec.recording and spec.recording_bytes > 0
        self._recorder = Recorder(http=http, limits=RecordingLimits(total_bytes=spec.recording_bytes))
        self.install = self._recorder.install  # type: ignore[method-assign]  # one call less at each
        self.loaded = self._recorder.loaded  # type: ignore[method-assign]
        self.begin = self._recorder.begin  # type: ignore[method-assign]
        self.end = self._recorder.end  # type: ignore[method-assign]

    def tell(self, scene: Scene, invoke: Invoke | None) -> None:
        from relive_capture.record.module_state import module_state
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
        notes.served = max(self._recorder.served, 0)
        try:
            with originals():
                if notes.served:
                    notes.globals = module_state(spec)
                scene.recording = encode_escaped(msgspec.msgpack.encode, self._recorder.recording(notes))
        except Exception as error:  # the scene must leave without it
            scene.parts["replay"] = missing(Why.NOT_TOLD, type(error).__name__)

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


class _Replayed(Outside):
    """Plays a scene's recording back."""

    def __init__(self, spec: FunctionSpec, player: Player) -> None:
        self._player = player
        self._spec = spec
        self.install = player.install  # type: ignore[method-assign]
        self.begin = player.begin  # type: ignore[method-assign]
        self.end = player.end  # type: ignore[method-assign]
        self.uninstall = player.uninstall  # type: ignore[method-assign]

    def loaded(self) -> None:
        from relive_capture.record.module_state import module_state

        with suppress(Exception):  # it is for a note alone
            self._player.globals = module_state(self._spec)

    def tell(self, scene: Scene, invoke: Invoke | None) -> None:
        """A replay's own failure is compared, and not replayed again."""

    def report(self) -> Playback | None:
        return Playback(report=encode_escaped(msgspec.msgpack.encode, self._player.report()))

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


def outside_of(spec: FunctionSpec, hash_seed: int) -> Outside:
    """What this worker's function gets."""
    if spec.replay:
        return replayed(spec)
    return Outside() if spec.capture == "off" else _Recorded(spec, hash_seed)


def replayed(spec: FunctionSpec, hint: str = "") -> Outside:
    """Plays `spec.replay` back. `hint`: what to do about a call that is not in it."""
    from relive_capture.record.playback import Player

    return _Replayed(spec, Player.of(spec.replay, spec.redact_keys, hint))


def _python() -> str:
    with originals():
        import platform

    return platform.python_version()
