"""A call of gRPC that is recorded, from its beginning to its task's end."""

from __future__ import annotations

import asyncio
import gc
import weakref
from types import SimpleNamespace
from typing import Any, cast

import pytest
from relive_base.wire.messages import FunctionSpec, Invoke
from relive_runtime.adapters.grpc.recording import Call, CallRecorder
from relive_runtime.worker.beside.attempt import BesideAttempt


class _Desk:
    """Takes what is told."""

    def __init__(self) -> None:
        self.returned_with: list[str] = []

    def send(self, frame: Any) -> None: ...

    def begin_here(self, invoke: Invoke, task: Any) -> BesideAttempt:
        attempt = BesideAttempt(invoke, None, 1, 0.0)
        attempt.task = task
        return attempt

    def returned(self, attempt: BesideAttempt, answer: Any) -> None:
        self.returned_with += [value for _, value in attempt.headers]


class _Watched(Call):
    """One that can be seen to go."""


@pytest.mark.parametrize("ended", [True, False])
async def test_it_leaves_nothing_for_the_garbage_collector(
    ended: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a call that is served in a task of its own
    monkeypatch.setattr("relive_runtime.adapters.grpc.recording.Call", _Watched)
    spec = FunctionSpec(name="f", version=1, handler="m:h", kind="grpc")
    recorder, desk = CallRecorder(spec, int), _Desk()
    recorder.desk = cast(Any, desk)
    gone: list[weakref.ref[Call]] = []

    async def serve() -> None:
        call = recorder.begin("/demo.Echo/Say", ())
        call.in_thread()
        call.context = SimpleNamespace(code=lambda: None, details=lambda: "", call=call)
        if ended:
            call.end(0)
        gone.append(weakref.ref(call))

    gc.disable()
    try:
        # When its task is done, whether the call was ended before or is now
        await asyncio.get_running_loop().create_task(serve())
        await asyncio.sleep(0)
        # Then it was told once, and is gone as soon as nobody has it
        assert desk.returned_with == ["0"]
        assert gone[0]() is None
    finally:
        gc.enable()
