"""The seams of the engine as its unit tests fill them: workers without a process, time as a test says."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

import msgspec
from relive_base.records import InvocationRecord
from relive_base.wire.messages import (
    AnyFrame,
    Done,
    Exited,
    FunctionSpec,
    Invoke,
    Ready,
    Result,
    decode_frame,
    encode_frame,
)
from relive_base.wire.sink import BELL
from relive_platform.engine.attempt import Attempt
from relive_platform.engine.clock import Clock
from relive_platform.engine.invocation import InvokeRequest, Outcome
from relive_platform.engine.runtime import WorkerEvents
from relive_platform.evidence import Finished, HeapFound, SceneJob

__all__ = [
    "Answers",
    "AtOnce",
    "FakeRuntime",
    "FakeWorker",
    "Recorded",
    "SetTime",
    "an_attempt",
    "answer_of",
    "done_of",
    "spec_of",
]

_NO_PID = 1 << 23  # above what a system gives


class Answers:
    """Who waits for an outcome, and keeps it."""

    def __init__(self, told: list[str] | None = None) -> None:
        self.outcomes: list[Outcome] = []
        self.gone = False
        self._told = told if told is not None else []

    def done(self) -> bool:
        return self.gone or bool(self.outcomes)

    def set_result(self, result: Outcome, /) -> None:
        self._told.append("told")
        self.outcomes.append(result)


def an_attempt(
    ident: str = "i-1", *, timeout_s: float = 1.0, accepted_mono: float = 0.0, **request: Any
) -> Attempt:
    """An attempt that waits for a worker."""
    function = request.pop("function", "f")
    record = InvocationRecord(
        invocation_id=ident, function=function, version=1, trace_id="", span_id="", trigger_span_id=""
    )
    return Attempt(
        request=InvokeRequest(function=function, **request),
        record=record,
        waiter=Answers(),
        timeout_s=timeout_s,
        accepted_mono=accepted_mono,
    )


def spec_of(name: str = "f", **fields: Any) -> FunctionSpec:
    """A function version."""
    values: dict[str, Any] = {"version": 1, "handler": "module:handler", "timeout_s": 1.0, "memory_mb": 100}
    return FunctionSpec(name=name, **(values | fields))


def answer_of(attempt: Attempt, *, done: bool = False, **fields: Any) -> Result:
    """What its worker says of an attempt that went well. `done`: with nothing left to tell."""
    ident = attempt.record.invocation_id
    values: dict[str, Any] = {"status": "ok", "started_ns": 10, "ended_ns": 20, "body": b"1"}
    return Result(invocation_id=ident, done=done_of(attempt) if done else None, **(values | fields))


def done_of(attempt: Attempt, **fields: Any) -> Done:
    """The last message of an attempt."""
    return Done(invocation_id=attempt.record.invocation_id, **fields)


class SetTime:
    """A clock that stands still until a test lets time pass."""

    def __init__(self) -> None:
        self.now = 100.0
        self.clock = Clock(lambda: self.now, lambda: int(self.now * 1e9))

    def passes(self, seconds: float) -> None:
        self.now += seconds


class AtOnce(Executor):
    """Runs what it gets in the thread that asks."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


class Recorded:
    """Keeps what a collector would get, and in which order."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.jobs: list[SceneJob] = []
        self.items: list[Finished] = []
        self.telemetries: list[tuple[str, bytes]] = []
        self.heaps: list[HeapFound] = []

    def begun(self, record: InvocationRecord) -> None:
        self.told.append("begun")

    def answered(self, record: InvocationRecord, job: SceneJob | None) -> None:
        self.told.append("answered")

    def abandoned(self, record: InvocationRecord) -> None:
        self.told.append("abandoned")

    def telemetry(self, spec: FunctionSpec, record: InvocationRecord | None, payload: bytes) -> None:
        self.telemetries.append((record.invocation_id if record is not None else "", payload))

    def finished(self, item: Finished, job: SceneJob | None, playback: bytes) -> None:
        self.told.append("finished")
        self.items.append(item)
        if job is not None:
            self.jobs.append(job)

    def heap(self, record: InvocationRecord, found: HeapFound, redact_keys: list[str]) -> None:
        self.told.append("heap")
        self.heaps.append(found)


class FakeProcess:
    """Does what it is told, and writes it down."""

    def __init__(self) -> None:
        self.killed = False
        self.own_tmp = False
        self.held = 0
        self.done: list[str] = []

    def kill(self) -> None:
        self.killed = True
        self.done.append("kill")

    def freeze(self) -> None:
        self.done.append("freeze")

    def thaw(self) -> None:
        self.done.append("thaw")

    def interrupt(self) -> None:
        self.done.append("interrupt")

    def ask_to_save(self) -> None:
        self.done.append("ask_to_save")

    def held_bytes(self, alarm: int = 0) -> int:
        return self.held

    def cpu_ns(self) -> int:
        return 0


class FakeWorker:
    """A worker (`WorkerHandle`) whose messages a test sends."""

    def __init__(self, worker_id: int, spec: FunctionSpec, events: WorkerEvents) -> None:
        self.worker_id = worker_id
        self.spec = msgspec.structs.replace(
            spec, scratch=f"/nonexistent/{worker_id}", instance=f"w{worker_id}"
        )
        self.process = FakeProcess()
        self.sent: list[AnyFrame] = []
        self.looks = 0
        self.leaves_unread = False
        self.found: Callable[[], None] = bool  # what a look at it brings about
        self.released = self.given_up = self.lost = False
        self._events = events

    def send(self, message: bytes) -> None:
        if message != BELL:
            self.sent.append(decode_frame(message[4:]))

    def send_now(self, message: bytes) -> None:
        self.send(message)

    def send_soon(self, message: bytes) -> None:
        self.send(message)

    def look(self) -> None:
        self.looks += 1
        self.found()

    def unread(self) -> bool:
        return self.leaves_unread

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def give_up(self) -> None:
        self.given_up = True

    def lose(self) -> None:
        self.lost = True

    def fault_text(self) -> str:
        return ""

    def kernel_limit_mb(self) -> int:
        return 0

    def look_at_group(self, *, busy: bool) -> int:
        return 0

    def take_core(self) -> str:
        return ""

    def release(self) -> None:
        self.released = True

    # What the test has it do.

    def invoked(self) -> list[str]:
        """The invocations that it was sent."""
        return [message.invocation_id for message in self.sent if isinstance(message, Invoke)]

    def says(self, *messages: AnyFrame) -> None:
        """It sends messages."""
        for message in messages:
            self._events.on_message(encode_frame(message)[4:])

    def gets_ready(self, **told: Any) -> None:
        """Its process exists, and its module is loaded."""
        self._events.on_started(_NO_PID + self.worker_id, "")
        self.says(Ready(pid=1, started_ns=1, loaded_ns=2, isolation_tier=1, **told))

    def orphan(self) -> None:
        """What started it dies."""
        self._events.on_orphaned()

    def dies(self, status: int = 9) -> None:
        """Its process is reaped, and everything has come from it."""
        exited = Exited(worker_id=self.worker_id, pid=_NO_PID + self.worker_id, status=status, cpu_ns=5)
        self._events.on_exited(exited)
        self._events.on_gone()


class FakeRuntime:
    """Starts workers that do what a test has them do."""

    def __init__(self) -> None:
        self.workers: list[FakeWorker] = []
        self.prepared = False

    async def prepare(self) -> None:
        self.prepared = True

    def start(self, worker_id: int, spec: FunctionSpec, events: WorkerEvents) -> FakeWorker:
        worker = FakeWorker(worker_id, spec, events)
        self.workers.append(worker)
        return worker
