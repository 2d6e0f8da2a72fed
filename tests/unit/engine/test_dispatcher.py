"""The dispatcher: what becomes of an event is told once to who waits, and recorded before that."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, cast

import pytest
from engine_fakes import (
    Answers,
    FakeRuntime,
    Recorded,
    SetTime,
    answer_of,
    done_of,
    spec_of,
)
from relive_base.parts import ok
from relive_base.records import InvocationRecord
from relive_base.wire.messages import Call, ErrorInfo, Exited, HttpRequest, InitFailed
from relive_platform.engine.attempt import FINISHED, Attempt
from relive_platform.engine.dispatcher import Dispatcher
from relive_platform.engine.errors import Stopping, UnknownFunction
from relive_platform.engine.invocation import InvokeRequest, Outcome
from relive_platform.engine.pool import FunctionPool, PoolLimits
from relive_platform.engine.workers.worker import Worker
from relive_platform.evidence import HeapFound


class Pool:
    """Takes attempts, as long as it has room."""

    healthy = None

    def __init__(self, version: int = 1) -> None:
        self.spec = spec_of(version=version, timeout_s=2.0, redact_keys=["pin"])
        self.template = InvocationRecord(
            invocation_id="", function="f", version=version, trace_id="", span_id="", trigger_span_id=""
        )
        self.limits = PoolLimits(max_workers=3)
        self.waiting: deque[Attempt] = deque()
        self.got: list[Attempt] = []
        self.room = True

    def retry_after_s(self) -> int:
        return 7

    def submit(self, attempt: Attempt) -> bool:
        self.got.extend([attempt] if self.room else [])
        return self.room


class Desk:
    """A dispatcher with one function in service, and a worker that its attempts run in."""

    def __init__(self) -> None:
        self.time = SetTime()
        self.recorded = Recorded()
        self.pool = Pool()
        self.versions: dict[tuple[str, int], FunctionPool] = {}
        self.dispatcher = Dispatcher(self.recorded, self.versions, self.time.clock)
        self.dispatcher.serve(cast(FunctionPool, self.pool))
        self.worker = Worker(7, self.pool.spec, cast(Any, self.pool), FakeRuntime(), clock=self.time.clock)
        self.worker.ready = cast(Any, object())

    def begin(self, **request: Any) -> tuple[Attempt, Answers]:
        """An event that its worker runs."""
        waiter = Answers(self.recorded.told)
        self.dispatcher.begin(InvokeRequest(function="f", **request), waiter)
        attempt = self.pool.got[-1]
        attempt.dispatch(self.time.clock.wall_ns(), 4_711, 7, "instance", 1)
        attempt.begin(self.time.clock.mono())
        return attempt, waiter

    def end(self, attempt: Attempt, **fields: Any) -> None:
        """Its worker answers, with nothing left to tell."""
        result = answer_of(attempt, done=True, **fields)
        attempt.answer(result)
        self.dispatcher.on_result(self.worker, attempt, result)


def test_an_event_for_nobody_is_refused_with_what_was_meant() -> None:
    desk = Desk()
    with pytest.raises(UnknownFunction) as caught:
        desk.dispatcher.begin(InvokeRequest(function="ff"), Answers())
    assert "did you mean f?" in (caught.value.hint or "")
    assert desk.dispatcher.running == 0


def test_nothing_is_taken_while_it_stops() -> None:
    desk = Desk()
    desk.dispatcher.stopping = True
    with pytest.raises(Stopping):
        desk.begin()


def test_a_version_that_is_asked_for_gets_the_event() -> None:
    # Given an older version that is not in service
    desk, old = Desk(), Pool(version=3)
    desk.versions["f", 3] = cast(FunctionPool, old)
    # When an event asks for it
    desk.dispatcher.begin(InvokeRequest(function="f", version=3), Answers())
    # I expect that one to get it, and a version that is not there to be unknown
    assert [attempt.record.version for attempt in old.got] == [3]
    with pytest.raises(UnknownFunction):
        desk.dispatcher.begin(InvokeRequest(function="f", version=4), Answers())


@pytest.mark.parametrize(("asked_s", "given_s"), [(0.0, 2.0), (0.5, 0.5), (60.0, 2.0)])
def test_an_attempt_may_take_what_its_caller_says_and_no_more_than_its_function(
    asked_s: float, given_s: float
) -> None:
    attempt, _ = Desk().begin(timeout_s=asked_s)
    assert (attempt.timeout_s, attempt.record.timeout_ns) == (given_s, given_s * 1e9)
    assert attempt.deadline_mono == 100.0 + given_s


def test_the_record_says_where_an_event_comes_from() -> None:
    # Given a request over HTTP, and an event of a queue
    http = HttpRequest(method="POST", path="/cart", mount="/fn/f/", route="/fn/f/{path}", body=b"abc")
    of_http, _ = Desk().begin(http=http, trigger="http", client="10.0.0.1", event_id="")
    of_queue, _ = Desk().begin(event=b"12", event_id="e-1", trigger="queue", invocation_id="i-9", attempt=2)
    # I expect both to be told
    record = of_http.record
    assert (record.http_method, record.http_path, record.event_bytes) == ("POST", "/fn/f/cart", 3)
    assert (record.client, record.accepted_ns) == ("10.0.0.1", 100_000_000_000)
    record = of_queue.record
    assert (record.event_id, record.invocation_id, record.attempt, record.event_bytes) == ("e-1", "i-9", 2, 2)


def test_an_answer_with_all_in_it_is_recorded_once_and_then_told() -> None:
    # Given an event that runs
    desk = Desk()
    attempt, waiter = desk.begin()
    # When its worker answers, with nothing left to tell
    desk.time.passes(0.25)
    desk.end(attempt)
    # I expect it to be recorded before anybody hears of it
    assert desk.recorded.told == ["begun", "finished", "told"]
    assert [outcome.body for outcome in waiter.outcomes] == [b"1"]
    assert attempt.record.responded_ns == 100_250_000_000
    # ... and what comes after that to change nothing
    desk.dispatcher.on_finished(desk.worker, attempt, done_of(attempt, spans=9))
    assert (attempt.record.spans, len(desk.recorded.items)) == (0, 1)
    assert desk.dispatcher.running == 0


def test_an_answer_is_told_before_the_rest_of_it_has_come() -> None:
    # Given an event that runs
    desk = Desk()
    attempt, waiter = desk.begin()
    # When its worker answers, and tells the rest later
    result = answer_of(attempt)
    attempt.answer(result)
    desk.dispatcher.on_result(desk.worker, attempt, result)
    assert len(waiter.outcomes) == 1
    desk.dispatcher.on_finished(desk.worker, attempt, done_of(attempt, spans=2))
    # I expect both to be recorded, in this order
    assert desk.recorded.told == ["begun", "answered", "told", "finished"]
    assert desk.recorded.items[0].record.spans == 2


def test_a_failure_has_a_scene() -> None:
    # Given an event of which the worker has sent a scene and a log line
    desk = Desk()
    attempt, waiter = desk.begin(event=b'{"n": 1}')
    attempt.evidence.keep_scene(b"scene")
    attempt.evidence.keep_logs(b"line")
    # When it answers that it has failed
    error = ErrorInfo(type="ValueError", message="no")
    desk.end(attempt, status="error", error=error)
    desk.dispatcher.on_finished(desk.worker, attempt, done_of(attempt))
    # I expect the scene to be made of all that, with the last word of the record
    [job] = desk.recorded.jobs
    assert (job.scene, job.event, job.telemetry, job.redact_keys) == (
        b"scene",
        b'{"n": 1}',
        [b"line"],
        ["pin"],
    )
    assert attempt.record.has_scene
    assert waiter.outcomes[0].error is error


def test_who_is_turned_away_is_told_why() -> None:
    # Given a function for which too many wait
    desk = Desk()
    desk.pool.room = False
    waiter = Answers(desk.recorded.told)
    # When one more comes
    desk.dispatcher.begin(InvokeRequest(function="f"), waiter)
    # I expect it to hear that, and nothing to be left of it
    [outcome] = waiter.outcomes
    assert (outcome.record.status, outcome.error and outcome.error.kind) == ("rejected", "throttled")
    assert desk.recorded.told == ["answered", "told", "finished"]
    assert desk.dispatcher.running == 0


def test_an_event_whose_caller_has_gone_is_given_up() -> None:
    # Given an event that waits for a worker
    desk, waiter = Desk(), Answers()
    desk.dispatcher.begin(InvokeRequest(function="f"), waiter)
    [attempt] = desk.pool.got
    # When its caller has gone before one is free
    waiter.gone = True
    desk.dispatcher.on_waited(cast(FunctionPool, desk.pool), attempt)
    # I expect no outcome and no failure
    assert desk.recorded.told == ["begun", "abandoned"]
    assert (attempt.state, waiter.outcomes, desk.dispatcher.running) == (FINISHED, [], 0)


def test_one_that_waited_too_long_hears_how_long() -> None:
    desk, waiter = Desk(), Answers()
    desk.dispatcher.begin(InvokeRequest(function="f"), waiter)
    desk.time.passes(10.0)
    desk.dispatcher.on_waited(cast(FunctionPool, desk.pool), desk.pool.got[0])
    error = waiter.outcomes[0].error
    assert error is not None
    assert error.message == "no worker became free in 10.0 s; all 3 of its workers are busy"


def test_a_timeout_is_told_at_once_and_its_scene_when_the_process_is_gone() -> None:
    # Given an event that runs for too long
    desk = Desk()
    attempt, waiter = desk.begin()
    # When the supervisor stops its worker, and has found where it stood
    desk.worker.condemn("timeout", attempt.record.invocation_id)
    desk.dispatcher.on_condemned(desk.worker, attempt, "timeout")
    assert [outcome.record.status for outcome in waiter.outcomes] == ["timeout"]
    assert attempt.record.error is not None
    attempt.record.error.file = "shop.py"
    attempt.evidence.dumped({"frames.json": b"[]"}, {"exception": ("ok", "")}, [])
    desk.worker.on_exited(Exited(worker_id=7, pid=4_711, status=9, cpu_ns=5))
    desk.dispatcher.on_worker_lost(desk.worker, attempt)
    # I expect its caller to hear once, and the scene to say where
    assert len(waiter.outcomes) == 1
    assert desk.recorded.told == ["begun", "answered", "told", "answered", "finished"]
    [job] = desk.recorded.jobs
    assert job.members == {"frames.json": b"[]"}
    assert job.record.error is not None
    assert (job.record.error.file, job.record.cpu_ns) == ("shop.py", 5)


def test_what_ran_beside_one_that_hung_is_lost_with_its_worker() -> None:
    # Given two events in one worker
    desk = Desk()
    (hung, _), (beside, waiter) = desk.begin(), desk.begin()
    # When the worker has to be ended for the first of them
    desk.worker.condemn("timeout", hung.record.invocation_id)
    desk.dispatcher.on_condemned(desk.worker, hung, "timeout")
    desk.worker.exited = Exited(worker_id=7, pid=4_711, status=9)
    for attempt in (hung, beside):
        desk.dispatcher.on_worker_lost(desk.worker, attempt)
    # I expect only that one to have timed out, and the other to say whom it ended with
    assert (hung.record.status, beside.record.status) == ("timeout", "crash")
    error = waiter.outcomes[0].error
    assert error is not None
    assert (error.type, hung.record.invocation_id in error.message) == ("WorkerEnded", True)
    assert desk.dispatcher.running == 0


def test_an_event_that_waited_for_a_worker_fails_with_its_module() -> None:
    # Given an event, and a worker whose module cannot be loaded
    desk = Desk()
    waiter = Answers()
    desk.dispatcher.begin(InvokeRequest(function="f"), waiter)
    error = ErrorInfo(type="ImportError", message="no module")
    desk.worker.ready = None
    desk.worker.init_failed = InitFailed(pid=1, started_ns=1, failed_ns=2, error=error)
    desk.worker.loading.keep_scene(b"scene")
    # When that is known
    desk.dispatcher.on_init_lost(desk.worker, desk.pool.got[0])
    # I expect the event to have failed with it
    [outcome] = waiter.outcomes
    assert (outcome.record.status, outcome.error, outcome.record.cold) == ("init_error", error, True)
    assert desk.recorded.jobs[0].scene == b"scene"
    # ... and a worker that nobody waited for to fail with nobody
    desk.dispatcher.on_init_lost(desk.worker, None)
    assert desk.dispatcher.running == 0


def test_a_heap_comes_after_the_scene_that_it_belongs_to() -> None:
    # Given an attempt whose heap was walked before its record was complete, and another one
    desk = Desk()
    (early, _), (late, _) = desk.begin(), desk.begin()
    found = HeapFound(ok(), folder="/heaps/1")
    desk.dispatcher.on_heap(early, desk.worker, found)
    assert desk.recorded.heaps == []
    # When both are over, and the other's heap comes then
    desk.end(early)
    desk.end(late)
    desk.dispatcher.on_heap(late, desk.worker, found)
    # I expect each to be told after its record
    assert desk.recorded.told[-5:] == ["heap", "told", "finished", "told", "heap"]


def test_only_what_waits_can_be_cancelled_here() -> None:
    desk, waiter = Desk(), Answers()
    desk.dispatcher.begin(InvokeRequest(function="f"), waiter)
    [attempt] = desk.pool.got
    pool = cast(FunctionPool, desk.pool)
    assert not desk.dispatcher.cancel_waiting(pool, attempt)
    desk.pool.waiting.append(attempt)
    assert desk.dispatcher.cancel_waiting(pool, attempt)
    assert not desk.dispatcher.cancel_waiting(pool, attempt)
    assert [outcome.error and outcome.error.kind for outcome in waiter.outcomes] == ["cancelled"]
    assert not desk.pool.waiting


def test_calls_and_telemetry_are_of_the_attempt_that_they_come_from() -> None:
    # Given a worker with an attempt, and who serves calls
    desk = Desk()
    calls: list[tuple[Worker, Attempt | None, Call]] = []
    call = Call(call_id=1, function="g", payload=b"1", trace_id="", parent_span_id="")
    attempt, _ = desk.begin()
    desk.dispatcher.on_call(desk.worker, attempt, call)  # nobody serves them yet
    desk.dispatcher.call_handler = lambda *told: calls.append(told)
    # When it calls, and tells of spans
    desk.dispatcher.on_call(desk.worker, attempt, call)
    desk.dispatcher.on_telemetry(desk.worker, attempt, b"span")
    desk.dispatcher.on_telemetry(desk.worker, None, b"line")
    # I expect both to be known as its own
    assert calls == [(desk.worker, attempt, call)]
    assert desk.recorded.telemetries == [(attempt.record.invocation_id, b"span"), ("", b"line")]


async def test_it_is_drained_when_the_last_one_is_over() -> None:
    # Given two events that run
    desk = Desk()
    assert await desk.dispatcher.drained(0.0)
    (first, _), (second, _) = desk.begin(), desk.begin()
    drained = asyncio.ensure_future(desk.dispatcher.drained(60.0))
    # When one of them is over
    desk.end(first)
    await asyncio.sleep(0)
    # I expect it to wait for the other
    assert not drained.done()
    assert not await desk.dispatcher.drained(0.0)
    desk.end(second)
    assert await drained


async def test_a_future_gets_the_outcome() -> None:
    desk = Desk()
    future: asyncio.Future[Outcome] = desk.dispatcher.submit(InvokeRequest(function="f"))
    attempt = desk.pool.got[0]
    attempt.begin(100.0)
    desk.end(attempt)
    assert (await future).ok


def test_an_older_version_is_replaced() -> None:
    desk, newer = Desk(), cast(FunctionPool, Pool(version=2))
    assert desk.dispatcher.serve(newer) is cast(FunctionPool, desk.pool)
    assert desk.dispatcher.serve(newer) is None
