"""The supervisor: how often it looks, whose deadline is over, and what becomes of the worker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import msgspec
import pytest
from engine_fakes import AtOnce, FakeProcess, FakeRuntime, FakeWorker, SetTime, an_attempt, answer_of, spec_of
from relive_base.parts import Reason, Why
from relive_base.wire.messages import Crashed, ErrorInfo, FunctionSpec
from relive_platform.engine.attempt import WAITING, Attempt
from relive_platform.engine.supervisor.dumping import Dumped
from relive_platform.engine.supervisor.watch import Supervisor, WatchLimits
from relive_platform.engine.workers.worker import Worker

ROUNDS = 12
MB = 1_048_576


class Owner:
    """Whose workers they are."""

    healthy = None

    def __init__(self) -> None:
        self.saved: list[Attempt] = []
        self.taken_back: list[Attempt] = []
        self.scaled = 0

    def on_ready(self, worker: Worker, ready: Any) -> None:
        worker.become("idle")

    def on_result(self, worker: Worker, attempt: Attempt, result: Any) -> None: ...

    def on_done(self, worker: Worker, attempt: Attempt, done: Any) -> None:
        if not worker.begun:
            worker.become("idle")

    def on_crashed(self, worker: Worker) -> None: ...

    def on_saved(self, worker: Worker, attempt: Attempt) -> None:
        self.saved.append(attempt)

    def take_back(self, worker: Worker) -> None:
        self.taken_back += worker.take_back()

    def scale(self) -> None:
        self.scaled += 1


class Saver:
    """Has a worker save itself; `reason`: why it could not."""

    def __init__(self, reason: str = "") -> None:
        self.asked: list[Attempt] = []
        self._reason = reason

    def ask(self, worker: Worker, attempt: Attempt) -> None:
        self.asked.append(attempt)

    async def saved(self, worker: Worker, attempt: Attempt) -> Reason | None:
        return Reason(Why.TOLD, (self._reason,)) if self._reason else None


class Watched:
    """A supervisor and its workers. What it condemns fails at once, as with the dispatcher."""

    def __init__(
        self, saver: Saver | None = None, dump: Callable[[], Dumped] = Dumped, **limits: Any
    ) -> None:
        self.time = SetTime()
        self.owner = Owner()
        self.workers: dict[int, Worker] = {}
        self.condemned: list[tuple[Attempt, str]] = []
        self.dumps: list[int] = []
        self._dump = dump
        self.supervisor = Supervisor(
            self.workers,
            self._on_condemned,
            self._look_into,
            AtOnce(),
            WatchLimits(**limits),
            saver,
            self.time.clock,
        )

    def _on_condemned(self, worker: Worker, attempt: Attempt, why: str) -> None:
        self.condemned.append((attempt, why))
        attempt.fail(why, ErrorInfo(type=why, message=""))

    def _look_into(
        self, pid: int, timeout_s: float, spec: FunctionSpec, error: ErrorInfo, thread: int = 0
    ) -> Dumped:
        self.dumps.append(thread)
        return self._dump()

    def worker(self, *attempts: Attempt, capacity: int = 1) -> tuple[Worker, FakeProcess]:
        """A worker that has loaded its module, and has these attempts."""
        ident = len(self.workers) + 1
        owner = cast(Any, self.owner)
        worker = Worker(ident, spec_of(), owner, FakeRuntime(), capacity, clock=self.time.clock)
        self.workers[ident] = worker
        handle(worker).gets_ready()
        for attempt in attempts:
            worker.run(attempt, "")
        return worker, handle(worker).process

    def look(self, after_s: float) -> bool:
        """One look after so long."""
        self.time.passes(after_s)
        return self.supervisor.look()


def handle(worker: Worker) -> FakeWorker:
    assert isinstance(worker.handle, FakeWorker)
    return worker.handle


async def settle() -> None:
    """What was begun runs to its end: nothing of it waits for time."""
    for _ in range(20):
        await asyncio.sleep(0)


# ---------------------------------------------------------------- deadlines


async def test_a_worker_gets_a_grace_after_the_deadline_and_is_read_before_it_ends() -> None:
    # Given a worker with an attempt that may take a second
    place = ErrorInfo(type="Timeout", message="", file="shop.py", line=3)
    found = Dumped({"frames.json": b"[]"}, {"exception": ("ok", "")}, place)
    watched, attempt = Watched(dump=lambda: found), an_attempt(timeout_s=1.0)
    worker, process = watched.worker(attempt)
    # When it has not answered half a second after that
    assert watched.look(1.4)
    assert watched.condemned == []
    watched.look(0.2)
    # I expect it to be stopped where it is, read, and ended
    assert watched.condemned == [(attempt, "timeout")]
    assert (worker.condemned, worker.condemned_for) == ("timeout", "i-1")
    await settle()
    assert (process.done, watched.dumps) == (["freeze", "kill"], [0])
    assert attempt.evidence.members == {"frames.json": b"[]"}
    assert attempt.record.error is not None
    assert (attempt.record.error.file, attempt.record.error.line) == ("shop.py", 3)
    # ... once
    watched.look(1.0)
    assert len(watched.condemned) == 1


async def test_each_attempt_has_a_deadline_of_its_own() -> None:
    # Given a worker that runs two attempts
    watched = Watched()
    patient, hasty = an_attempt("1", timeout_s=9.0), an_attempt("2", timeout_s=1.0)
    worker, _ = watched.worker(patient, hasty, capacity=2)
    # When the time of the second is over
    watched.look(1.6)
    # I expect that one alone to have timed out
    assert watched.condemned == [(hasty, "timeout")]
    assert worker.condemned_for == "2"
    await settle()


async def test_a_timeout_that_is_being_captured_gets_time_for_it() -> None:
    watched, attempt = Watched(), an_attempt(timeout_s=1.0)
    watched.worker(attempt)
    attempt.capture_until(watched.time.now + 5.0)
    watched.look(4.9)
    assert watched.condemned == []
    watched.look(0.2)
    assert watched.condemned == [(attempt, "timeout")]
    await settle()


async def test_a_worker_that_has_answered_may_take_a_while_to_tell_the_rest() -> None:
    # Given a worker that has answered, and still has something to tell
    watched, attempt = Watched(), an_attempt(timeout_s=1.0)
    worker, process = watched.worker(attempt)
    handle(worker).says(answer_of(attempt))
    # When it does not for five seconds after its deadline
    watched.look(5.9)
    assert not process.killed
    watched.look(0.2)
    # I expect it to end, and its attempt not to have failed
    assert (process.done, worker.condemned, watched.condemned) == (["kill"], "finish", [])


@pytest.mark.parametrize("failure", [OSError("gone"), TimeoutError()])
async def test_a_process_that_cannot_be_read_is_ended_all_the_same(failure: Exception) -> None:
    def fail() -> Dumped:
        raise failure

    watched, attempt = Watched(dump=fail), an_attempt()
    _, process = watched.worker(attempt)
    watched.look(1.6)
    await settle()
    assert process.killed
    assert attempt.evidence.parts["exception"].state == "missing"


# ---------------------------------------------------------------- memory


async def test_a_worker_at_its_memory_limit_saves_itself() -> None:
    # Given a worker of a function that may have 100 MB
    saver = Saver()
    watched, attempt = Watched(saver), an_attempt()
    worker, process = watched.worker(attempt)
    process.held = 85 * MB
    watched.look(0.1)
    assert watched.condemned == []
    # When it holds more than 85 of them
    process.held = 86 * MB
    watched.look(0.1)
    await settle()
    # I expect it to have been asked, and nobody to have ended it
    assert (saver.asked, watched.condemned) == ([attempt], [(attempt, "memory")])
    assert watched.owner.saved == [attempt]
    assert process.done == []
    assert attempt.evidence.rss_peak == 86 * MB
    assert worker.condemned_for == ""  # all that it runs is over its limit


async def test_one_that_does_not_react_is_read_and_ended() -> None:
    watched, attempt = Watched(Saver("it hung")), an_attempt()
    _, process = watched.worker(attempt)
    process.held = 90 * MB
    watched.look(0.1)
    await settle()
    assert process.done == ["freeze", "kill"]
    assert attempt.evidence.parts["heap"].reason == "it hung"
    assert watched.owner.saved == []


# ---------------------------------------------------------------- crashes, cancelling


async def test_few_of_those_that_crash_are_read() -> None:
    # Given two workers that have crashed, of which one may be read at once
    watched = Watched(crashes_at_once=1, crashes_waiting=0)
    attempts = [an_attempt("1"), an_attempt("2")]
    processes = []
    for attempt in attempts:
        worker, process = watched.worker(attempt)
        handle(worker).says(Crashed(signal=11, thread=5))
        watched.supervisor.watch(worker)
        processes.append(process)
    await settle()
    # I expect both to end, and the scene of the second to say why it has no frames
    assert watched.condemned == [(attempt, "crash") for attempt in attempts]
    assert [process.killed for process in processes] == [True, True]
    assert watched.dumps == [5]
    assert "were being read" in attempts[1].evidence.parts["exception"].reason


async def test_some_of_those_that_crash_meanwhile_wait_for_their_turn() -> None:
    # Given three workers that crash, of which one may be read at once, and one may wait
    watched = Watched(crashes_at_once=1, crashes_waiting=1)
    attempts = [an_attempt(name) for name in ("1", "2", "3")]
    for number, attempt in enumerate(attempts):
        worker, _ = watched.worker(attempt)
        handle(worker).says(Crashed(signal=11, thread=number))
        watched.supervisor.watch(worker)
    await settle()
    # I expect two to be read, one after the other, and the third to say why it was not
    assert watched.dumps == [0, 1]
    assert "exception" not in attempts[1].evidence.parts
    assert "2 other processes that crashed were being read" in attempts[2].evidence.parts["exception"].reason


async def test_one_that_stands_still_only_after_it_was_read_goes_on_to_its_core_file() -> None:
    # Given a crashed worker that stops itself after it was let go on, and dies once it is let go on again
    watched, attempt = Watched(interval_s=0.001), an_attempt()
    worker, process = watched.worker(attempt)
    worker.spec = msgspec.structs.replace(worker.spec, core_mb=64)
    handle(worker).says(Crashed(signal=11, thread=5))

    def dies_at_the_second() -> None:
        process.done.append("thaw")
        if process.done.count("thaw") == 2:
            worker.exited = cast(Any, "by its own signal")

    process.thaw = dies_at_the_second
    # When its core file is waited for
    await watched.supervisor._dump_and_kill(worker, attempt)
    # I expect it to have died of itself, long before the time for that is over
    assert process.done == ["thaw", "thaw", "kill"]


async def test_only_what_runs_can_be_cancelled() -> None:
    # Given a worker that runs one attempt, has another one ahead, and had a third
    watched = Watched()
    running, ahead, over = an_attempt("1"), an_attempt("2"), an_attempt("3")
    worker, process = watched.worker(running, ahead)
    over.begin(1.0)
    # When all are to be cancelled
    cancelled = [watched.supervisor.cancel(worker, attempt) for attempt in (over, ahead, running, running)]
    await settle()
    # I expect the first one to be, once
    assert cancelled == [False, False, True, False]
    assert watched.condemned == [(running, "cancelled")]
    assert process.done == ["freeze", "kill"]


# ---------------------------------------------------------------- what was sent ahead


async def test_what_waits_too_long_is_taken_back_at_the_second_look() -> None:
    # Given a worker with an attempt ahead, which may wait for 20 ms
    watched = Watched()
    running, ahead = an_attempt("1"), an_attempt("2")
    worker, _ = watched.worker(running, ahead)
    watched.look(0.025)
    assert worker.ahead == 1
    # When it is late, I expect a second look to take it back: a result may have come meanwhile
    watched.look(0.010)
    assert worker.ahead == 1
    watched.look(0.005)
    assert (worker.ahead, watched.owner.taken_back, ahead.state) == (0, [ahead], WAITING)


async def test_what_waits_behind_one_that_has_answered_is_not_taken_back() -> None:
    watched = Watched()
    running, ahead = an_attempt("1"), an_attempt("2")
    worker, _ = watched.worker(running, ahead)
    handle(worker).says(answer_of(running))
    for _ in range(3):
        watched.look(0.030)
    assert (worker.ahead, watched.owner.taken_back) == (1, [])


# ---------------------------------------------------------------- how often it looks


class CountingLoop(asyncio.SelectorEventLoop):
    """Counts the timers that are set."""

    timers = 0

    def call_later(self, *arguments: Any, **keywords: Any) -> asyncio.TimerHandle:
        self.timers += 1
        return super().call_later(*arguments, **keywords)


def watch(loop: CountingLoop, watched: Watched, busy: Worker, looked_at: FakeWorker) -> None:
    """`busy` gets an event; the loop runs until `looked_at` was looked at a dozen times."""
    found = looked_at.found

    async def watching() -> None:
        enough = asyncio.Event()

        def count() -> None:
            if looked_at.looks >= ROUNDS:
                enough.set()
            found()

        looked_at.found = count
        watched.supervisor.watch(busy)
        async with asyncio.timeout(60):
            await enough.wait()
        watched.supervisor.close()

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(watching())


def test_events_that_a_look_sets_off_add_no_further_looks() -> None:
    # Given a worker of which each look finds a result, and which gets its next event at once
    loop, watched = CountingLoop(), Watched(interval_s=0.0001)
    worker, _ = watched.worker(an_attempt())
    fake = handle(worker)
    fake.found = lambda: watched.supervisor.watch(worker)
    # When it is looked at a dozen times
    watch(loop, watched, worker, fake)
    # I expect one timer for each look, and one for the next
    assert loop.timers <= fake.looks + 1


def test_a_worker_that_got_its_event_in_the_middle_of_a_look_is_watched() -> None:
    # Given an idle worker that was looked at already when another one's result gives it an event
    watched = Watched(interval_s=0.0001)
    attempt = an_attempt("1")
    (first, _), (second, _) = watched.worker(), watched.worker(attempt)

    def hand_over() -> None:
        if second.begun:
            handle(second).says(answer_of(attempt, done=True))
            first.run(an_attempt("2"), "")
            watched.supervisor.watch(first)

    handle(second).found = hand_over
    # When the look that found it is over, I expect further ones
    watch(CountingLoop(), watched, second, handle(first))


def test_nobody_is_looked_at_while_all_are_idle() -> None:
    # Given a worker whose only attempt is over at the first look
    watched, attempt = Watched(interval_s=0.0001), an_attempt("1")
    worker, _ = watched.worker(attempt)
    fake = handle(worker)
    fake.found = lambda: fake.says(answer_of(attempt, done=True)) if worker.begun else None
    # When it was looked at, I expect no further look to be due, until it gets another event
    assert not watched.look(0.0)
    fake.found = bool
    worker.run(an_attempt("2"), "")
    assert watched.look(0.0)


@pytest.mark.filterwarnings("ignore")
def test_a_look_that_fails_ends_no_watching() -> None:
    # Given a worker whose first look fails
    watched = Watched(interval_s=0.0001)
    worker, _ = watched.worker(an_attempt())
    fake = handle(worker)

    def fail() -> None:
        if fake.looks == 1:
            raise OSError("/proc has gone")

    fake.found = fail
    loop = CountingLoop()
    failures: list[BaseException] = []
    loop.set_exception_handler(lambda _, context: failures.append(context["exception"]))
    # When it goes on, I expect it to be told, and the worker to be looked at again
    watch(loop, watched, worker, fake)
    assert [str(failure) for failure in failures] == ["/proc has gone"]
