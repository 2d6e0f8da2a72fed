"""A pool with workers that have no process: who gets which event, and what is lost with a worker."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from engine_fakes import (
    AtOnce,
    FakeRuntime,
    FakeWorker,
    Recorded,
    SetTime,
    an_attempt,
    answer_of,
    done_of,
    spec_of,
)
from relive_base.wire.messages import Done, ErrorInfo, LogLine, Logs, Result, Skipped
from relive_platform.engine.attempt import AHEAD, FINISHED, RUNNING, WAITING, Attempt
from relive_platform.engine.engine import Engine, EngineLimits
from relive_platform.engine.pace import AHEAD_LIMIT
from relive_platform.engine.pool import FunctionPool, PoolLimits
from relive_platform.engine.workers.life import FROZEN, IDLE
from relive_platform.engine.workers.worker import Worker

FAST = 400  # invocations that make a new function a fast one


class Shop:
    """One function with workers that do what a test has them do."""

    def __init__(self, folder: Path, **limits: Any) -> None:
        self.time = SetTime()
        self.recorded = Recorded()
        self.runtime = FakeRuntime()
        self.engine = Engine(self.recorded, folder, folder, AtOnce(), EngineLimits(), self.time.clock)
        wanted = PoolLimits(**({"waiting_workers": 0} | limits))
        self.pool: FunctionPool = self.engine.deploy(spec_of(), self.runtime, wanted)
        self._number = 0

    def submit(self, **request: Any) -> Attempt:
        """An attempt, told to the dispatcher as one of its own."""
        self._number += 1
        attempt = an_attempt(f"i-{self._number}", accepted_mono=self.time.now, **request)
        self.engine.dispatcher.running += 1
        assert self.pool.submit(attempt)
        return attempt

    def ready(self, number: int = 0) -> tuple[FakeWorker, Worker]:
        """The worker with this number, once it has loaded the module."""
        fake = self.runtime.workers[number]
        fake.gets_ready()
        return fake, self.engine.host.workers[fake.worker_id]

    def warmed(self) -> tuple[FakeWorker, Worker]:
        """A worker of a function that has been fast for long enough to get events ahead."""
        first = self.submit()
        fake, worker = self.ready()
        fake.says(answer_of(first, done=True))
        for _ in range(FAST):
            fake.says(answer_of(self.submit(), done=True))
        fake.sent.clear()
        return fake, worker


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


async def test_an_event_waits_for_a_worker_and_is_cold(folder: Path) -> None:
    # Given a function without a worker
    shop = Shop(folder)
    # When an event comes
    attempt = shop.submit()
    assert (attempt.state, len(shop.runtime.workers)) == (WAITING, 1)
    fake, worker = shop.ready()
    # I expect the worker that was started for it to run it
    assert fake.invoked() == ["i-1"]
    assert (attempt.state, attempt.record.cold, attempt.record.instance) == (RUNNING, True, "w1")
    # ... and to be idle after that
    fake.says(answer_of(attempt), done_of(attempt, spans=3))
    assert (attempt.state, attempt.record.spans, worker.state) == (FINISHED, 3, IDLE)


async def test_a_worker_runs_as_many_at_once_as_it_has_capacity_for(folder: Path) -> None:
    # Given workers that run three attempts at once
    shop = Shop(folder, capacity=3, max_workers=1)
    attempts = [shop.submit() for _ in range(4)]
    # When one is ready
    fake, worker = shop.ready()
    # I expect it to get three, and the fourth to wait
    assert fake.invoked() == ["i-1", "i-2", "i-3"]
    assert [attempt.state for attempt in attempts] == [RUNNING] * 3 + [WAITING]
    # When the second one is answered first
    fake.says(answer_of(attempts[1], body=b"two"), done_of(attempts[1], spans=2))
    # I expect that one to be over, the others to go on, and the one that waited to begin
    assert [attempt.state for attempt in attempts] == [RUNNING, FINISHED, RUNNING, RUNNING]
    assert [outcome.body for outcome in attempts[1].waiter.outcomes] == [b"two"]  # type: ignore[attr-defined]
    assert fake.invoked()[3:] == ["i-4"]
    # When all are
    for attempt in (attempts[3], attempts[0], attempts[2]):
        fake.says(answer_of(attempt, done=True))
    assert (worker.state, worker.attempts, shop.pool.busy) == (IDLE, {}, 0)


async def test_a_busy_worker_with_room_gets_the_next_event(folder: Path) -> None:
    shop = Shop(folder, capacity=2, max_workers=2)
    first = shop.submit()
    fake, _ = shop.ready()
    second = shop.submit()
    assert fake.invoked() == ["i-1", "i-2"]
    assert (first.state, second.state, len(shop.runtime.workers)) == (RUNNING, RUNNING, 1)


async def test_what_a_worker_tells_belongs_to_the_attempt_that_it_names(folder: Path) -> None:
    # Given two attempts in one worker
    shop = Shop(folder, capacity=2)
    first, second = shop.submit(), shop.submit()
    fake, _ = shop.ready()
    # When it tells of the second one, of none, and of one that is not its own
    for ident in ("i-2", "", "i-9"):
        fake.says(Logs(invocation_id=ident, lines=[LogLine(1, "INFO", ident)]))
    # I expect each to be known as what it is
    assert [ident for ident, _ in shop.recorded.telemetries] == ["i-2", ""]
    assert (len(first.evidence.logs), len(second.evidence.logs)) == (0, 1)
    # When the first is over, I expect what names none to be of the other
    fake.says(answer_of(first, done=True))
    fake.says(Logs(invocation_id="", lines=[LogLine(1, "INFO", "x")]))
    assert shop.recorded.telemetries[-1][0] == "i-2"
    # ... and what the first one's threads still say, to be its own
    fake.says(Logs(invocation_id="i-1", lines=[LogLine(1, "INFO", "late")]))
    assert shop.recorded.telemetries[-1][0] == "i-1"
    assert len(second.evidence.logs) == 2


async def test_an_answer_to_what_it_does_not_run_is_ignored(folder: Path) -> None:
    # Given a worker that runs one attempt, and has another one sent ahead
    shop = Shop(folder, max_workers=1)
    fake, _ = shop.warmed()
    running, ahead = shop.submit(), shop.submit()
    assert (running.state, ahead.state) == (RUNNING, AHEAD)
    # When its code answers the other one, one that was never there, and the first one twice
    fake.says(answer_of(ahead, done=True), Result(invocation_id="i-0", status="ok", started_ns=1, ended_ns=2))
    fake.says(done_of(running), answer_of(running), answer_of(running, body=b"2"))
    # I expect one answer, to what it runs
    assert (ahead.state, ahead.result) == (AHEAD, None)
    assert running.result is not None
    assert running.result.body == b"1"


async def test_a_fast_function_gets_events_ahead_and_each_begins_when_its_turn_comes(folder: Path) -> None:
    # Given a worker of a fast function
    shop = Shop(folder, max_workers=1)
    fake, worker = shop.warmed()
    # When many events come at once
    attempts = [shop.submit() for _ in range(40)]
    # I expect it to have what it does in a moment, and the rest to wait
    assert worker.ahead == AHEAD_LIMIT
    assert worker.begun == 1
    # When the first is over, I expect the second to run, and one more to be sent
    fake.says(answer_of(attempts[0], done=True))
    assert [attempt.state for attempt in attempts[:3]] == [FINISHED, RUNNING, AHEAD]
    assert worker.ahead == AHEAD_LIMIT
    # ... and all to be answered in the end
    for attempt in attempts[1:]:
        fake.says(answer_of(attempt, done=True))
    assert {attempt.state for attempt in attempts} == {FINISHED}
    assert len(set(fake.invoked())) == len(fake.invoked()) == 40


async def test_what_was_taken_back_is_sent_anew_and_runs_once(folder: Path) -> None:
    # Given a worker with events ahead
    shop = Shop(folder, max_workers=1)
    fake, worker = shop.warmed()
    slow, behind = shop.submit(), shop.submit()
    # When what it runs takes too long, and what waits behind it is taken back
    shop.pool.take_back(worker)
    assert (slow.state, behind.state) == (RUNNING, WAITING)
    fake.says(answer_of(slow, done=True))
    # I expect the same worker to get it anew, and its word that it skipped the first one to change nothing
    assert fake.invoked()[-2:] == [behind.record.invocation_id] * 2
    fake.says(Skipped(invocation_id=behind.record.invocation_id))
    assert behind.state == RUNNING
    fake.says(answer_of(behind, done=True))
    assert behind.state == FINISHED


async def test_an_event_that_came_too_late_is_sent_again(folder: Path) -> None:
    shop = Shop(folder, max_workers=1)
    fake, _ = shop.warmed()
    first, second = shop.submit(), shop.submit()
    fake.says(answer_of(first, done=True), Skipped(invocation_id=second.record.invocation_id))
    assert second.state == RUNNING
    assert fake.invoked()[-1] == second.record.invocation_id
    assert fake.invoked().count(second.record.invocation_id) == 2


async def test_all_that_a_lost_worker_ran_is_lost_and_what_waited_in_it_is_not(folder: Path) -> None:
    # Given a worker with two attempts, and one more that waits
    shop = Shop(folder, capacity=2, max_workers=1)
    first, second, waits = shop.submit(), shop.submit(), shop.submit()
    fake, _ = shop.ready()
    # When it dies
    fake.dies(status=9)
    # I expect what it ran to have failed with it, each once, and another worker for the third
    assert [attempt.record.status for attempt in (first, second)] == ["crash", "crash"]
    assert [len(attempt.waiter.outcomes) for attempt in (first, second)] == [1, 1]  # type: ignore[attr-defined]
    assert fake.released
    again, _ = shop.ready(1)
    assert again.invoked() == [waits.record.invocation_id]


async def test_one_that_fails_ends_its_worker_when_the_others_are_done(folder: Path) -> None:
    # Given two attempts in one worker
    shop = Shop(folder, capacity=2, max_workers=1)
    failing, well = shop.submit(), shop.submit()
    fake, worker = shop.ready()
    # When one of them fails, so that its process is not to be used any more
    error = ErrorInfo(type="ValueError", message="no")
    fake.says(
        answer_of(failing, status="error", error=error, reusable=False), done_of(failing, reusable=False)
    )
    # I expect the other one to go on, and nothing new to be sent there
    waits = shop.submit()
    assert (failing.state, well.state, waits.state) == (FINISHED, RUNNING, WAITING)
    assert not fake.process.killed
    fake.says(answer_of(well, done=True))
    assert well.record.status == "ok"
    assert worker.state == FROZEN
    assert fake.process.killed


async def test_a_failed_worker_is_kept_and_another_one_takes_its_place(folder: Path) -> None:
    shop = Shop(folder)
    failing = shop.submit()
    fake, worker = shop.ready()
    error = ErrorInfo(type="ValueError", message="no", fingerprint="abc")
    failed = answer_of(failing, status="error", error=error, reusable=False)
    waits = shop.submit()
    fake.says(failed, Done(invocation_id="i-1", reusable=False))
    assert (worker.state, len(shop.engine.host.frozen)) == (FROZEN, 1)
    assert failing.evidence.parts["live"].state == "ok"
    assert waits.state == WAITING
    replacement, _ = shop.ready(1)
    assert replacement.invoked() == ["i-2"]


async def test_a_worker_whose_zygote_died_ends_what_it_runs_first(folder: Path) -> None:
    # Given a busy worker and an idle one
    shop = Shop(folder, max_workers=2)
    running, over = shop.submit(), shop.submit()
    (busy, _), (idle, _) = shop.ready(0), shop.ready(1)
    idle.says(answer_of(over, done=True))
    # When what has started them dies
    for fake in (busy, idle):
        fake.orphan()
    # I expect the idle one to leave now, and the other one when it is done
    assert (idle.lost, busy.lost) == (True, False)
    assert running.state == RUNNING
    busy.says(answer_of(running, done=True))
    assert (running.record.status, busy.process.killed) == ("ok", True)


async def test_requests_that_waited_too_long_are_turned_away(folder: Path) -> None:
    # Given one worker, which is busy
    shop = Shop(folder, max_workers=1, wait_limit_s=5.0)
    shop.submit()
    shop.ready()
    waits, called = shop.submit(), shop.submit(trigger="call", timeout_s=60.0)
    # When time goes by
    shop.time.passes(4.9)
    shop.pool.expire(shop.time.now)
    assert waits.state == WAITING
    shop.time.passes(0.2)
    shop.pool.expire(shop.time.now)
    # I expect both to have heard of it
    assert [attempt.record.status for attempt in (waits, called)] == ["rejected", "rejected"]


async def test_a_worker_that_never_gets_ready_is_ended_and_says_why(folder: Path) -> None:
    shop = Shop(folder, start_timeout_s=3.0)
    attempt = shop.submit()
    [fake] = shop.runtime.workers
    shop.time.passes(3.1)
    shop.pool.expire(shop.time.now)
    assert fake.process.killed
    fake.dies()
    assert attempt.record.error is not None
    assert (attempt.record.status, attempt.record.error.type) == ("init_error", "InitTimeout")


async def test_one_that_cannot_be_started_fails_who_waits_for_it(folder: Path) -> None:
    shop = Shop(folder)
    attempt = shop.submit()
    [fake] = shop.runtime.workers
    shop.engine.host.workers[fake.worker_id].on_started(0, "no room")
    fake.dies(status=0)
    error = attempt.record.error
    assert error is not None
    assert (error.type, error.message) == ("WorkerStartError", "no room")


async def test_a_quiet_function_sends_its_workers_home(folder: Path) -> None:
    shop = Shop(folder, idle_s=60.0)
    attempt = shop.submit()
    fake, _ = shop.ready()
    fake.says(answer_of(attempt, done=True))
    shop.time.passes(59.0)
    shop.pool.keep_warm()
    assert not fake.process.killed
    shop.time.passes(2.0)
    shop.pool.keep_warm()
    assert fake.process.killed


async def test_a_function_that_is_woken_has_a_worker_however_long_it_was_quiet(folder: Path) -> None:
    # Given a function that was idle for longer than its workers stay
    shop = Shop(folder, idle_s=60.0, waiting_workers=1)
    shop.time.passes(600.0)
    shop.pool.keep_warm()
    assert not shop.pool.held
    # When events are about to come
    shop.pool.wake()
    shop.pool.keep_warm()
    # I expect a worker to wait for them
    assert shop.pool.held


async def test_two_attempts_at_one_invocation_are_not_in_one_worker_at_once(folder: Path) -> None:
    # Given a worker that runs two attempts at once, and has answered one of them
    shop = Shop(folder, capacity=2, max_workers=1)
    first = shop.submit()
    fake, _ = shop.ready()
    fake.says(answer_of(first))
    # When another attempt at the same invocation comes before it has told the rest
    again = an_attempt("i-1", accepted_mono=shop.time.now)
    shop.engine.dispatcher.running += 1
    shop.pool.submit(again)
    # I expect it to wait for that
    assert again.state == WAITING
    fake.says(done_of(first))
    assert (first.state, again.state) == (FINISHED, RUNNING)
