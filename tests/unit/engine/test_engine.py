"""The engine as server, replay and tests use it: deploy, submit, cancel, drain, and how it stands."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from engine_fakes import AtOnce, FakeRuntime, FakeWorker, Recorded, SetTime, spec_of
from relive_base.errors import Refused, UsageError
from relive_base.wire.messages import Invoke, Result
from relive_platform.engine.cancelling import Cancelled
from relive_platform.engine.engine import Engine, EngineLimits
from relive_platform.engine.errors import Stopping, UnknownFunction
from relive_platform.engine.invocation import InvokeRequest, Outcome
from relive_platform.engine.pool import PoolLimits


class House:
    """An engine whose workers do what a test has them do."""

    def __init__(self, folder: Path) -> None:
        self.time = SetTime()
        self.recorded = Recorded()
        self.engine = Engine(self.recorded, folder, folder, AtOnce(), EngineLimits(), self.time.clock)

    def deploy(self, name: str = "f", version: int = 1, **spec: Any) -> FakeRuntime:
        runtime = FakeRuntime()
        made = spec_of(name, version=version, **spec)
        self.engine.deploy(made, runtime, PoolLimits(waiting_workers=0, max_workers=1))
        return runtime

    def submit(self, name: str = "f", **request: Any) -> asyncio.Future[Outcome]:
        return self.engine.submit(InvokeRequest(function=name, **request))


def answer(worker: FakeWorker, **fields: Any) -> None:
    """It answers what it was sent last."""
    values: dict[str, Any] = {"status": "ok", "started_ns": 1, "ended_ns": 2, "body": b"1"}
    worker.says(Result(invocation_id=worker.invoked()[-1], **(values | fields)))


async def test_an_event_comes_back_as_its_outcome(tmp_path: Path) -> None:
    # Given a function in service
    house = House(tmp_path)
    runtime = house.deploy()
    # When an event comes
    outcome = house.submit(event=b'{"n": 1}')
    [worker] = runtime.workers
    worker.gets_ready()
    [sent] = [message for message in worker.sent if isinstance(message, Invoke)]
    answer(worker, body=b"2")
    # I expect its worker to have got it, and its answer to be the outcome
    assert sent.event == b'{"n": 1}'
    assert (await outcome).body == b"2"
    with pytest.raises(UnknownFunction):
        house.submit("g")


async def test_a_deploy_leaves_the_version_before_to_finish_what_it_has(tmp_path: Path) -> None:
    # Given a version with an event
    house = House(tmp_path)
    old = house.deploy(version=1)
    before = house.submit()
    old.workers[0].gets_ready()
    # When a newer one is deployed, and gets one, too
    new = house.deploy(version=2)
    after = house.submit()
    new.workers[0].gets_ready()
    # I expect each to run its own
    assert (old.workers[0].invoked(), new.workers[0].invoked()) != ([], [])
    answer(old.workers[0], body=b"old")
    answer(new.workers[0], body=b"new")
    assert ((await before).body, (await after).body) == (b"old", b"new")
    assert not old.workers[0].process.killed  # the rest of what it has to tell is on its way


async def test_a_function_that_was_withdrawn_is_not_known(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.deploy()
    house.engine.withdraw("f")
    house.engine.withdraw("f")
    with pytest.raises(UnknownFunction):
        house.submit()


async def test_a_version_is_prepared_once(tmp_path: Path) -> None:
    house = House(tmp_path)
    limits = PoolLimits(waiting_workers=0)
    pool = house.engine.prepare(spec_of(version=4), FakeRuntime(), limits)
    assert house.engine.prepare(spec_of(version=4), FakeRuntime(), limits) is pool
    pool.drain()
    assert house.engine.prepare(spec_of(version=4), FakeRuntime(), limits) is not pool


async def test_what_waits_is_cancelled_at_once(tmp_path: Path) -> None:
    # Given an event that waits for its worker to get ready
    house = House(tmp_path)
    house.deploy()
    outcome = house.submit(event_id="order-7")
    # When somebody ends it, by its event's id
    cancelled = house.engine.cancel("order-7")
    # I expect it to have ended, and to be known no more
    record = (await outcome).record
    assert cancelled == Cancelled(record.invocation_id, "f", "waiting")
    assert record.error is not None
    assert record.error.kind == "cancelled"
    assert house.engine.cancel("order-7") is None


async def test_what_runs_is_cancelled_with_its_worker(tmp_path: Path) -> None:
    # Given an event that runs
    house = House(tmp_path)
    runtime = house.deploy()
    outcome = house.submit()
    [worker] = runtime.workers
    worker.gets_ready()
    # When somebody ends it
    cancelled = house.engine.cancel("last")
    # I expect its caller to hear that, and its worker to be stopped
    record = (await outcome).record
    assert cancelled == Cancelled(record.invocation_id, "f", "running")
    assert record.status == "cancelled"
    assert worker.process.done == ["freeze"]
    # ... and what is being ended already not to be ended twice
    assert house.engine.cancel("last") is None
    await house.engine.close()


async def test_an_id_that_may_mean_several_is_not_guessed(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.deploy()
    for ident in ("01a", "01b"):
        house.submit(invocation_id=ident)
    with pytest.raises(UsageError):
        house.engine.cancel("01")


async def test_it_drains_before_it_stops(tmp_path: Path) -> None:
    # Given an event that runs
    house = House(tmp_path)
    runtime = house.deploy()
    house.submit()
    runtime.workers[0].gets_ready()
    # When the engine is to stop
    assert not await house.engine.drain(0.0)
    # I expect it to take no more
    with pytest.raises(Stopping):
        house.submit()
    answer(runtime.workers[0])
    runtime.workers[0].says()


async def test_the_next_invocations_are_profiled(tmp_path: Path) -> None:
    # Given a function whose next invocation is to be profiled
    house = House(tmp_path)
    runtime = house.deploy()
    house.engine.profile_next("f", 1, "precise")
    house.submit()
    [worker] = runtime.workers
    worker.gets_ready()
    answer(worker)
    with pytest.raises(UnknownFunction):
        house.engine.profile_next("g", 1)
    # I expect that one alone to be
    [sent] = [message for message in worker.sent if isinstance(message, Invoke)]
    assert sent.profile == "precise"


async def test_a_heap_is_refused_where_none_may_be_kept(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.deploy("full", capture="full", version=3)
    house.deploy("frames", capture="frames")
    assert house.engine.heap_next("full") == 3
    with pytest.raises(Refused, match='frames has capture = "frames"'):
        house.engine.heap_next("frames")


async def test_it_says_how_it_stands(tmp_path: Path) -> None:
    house = House(tmp_path)
    runtime = house.deploy()
    house.submit()
    assert house.engine.status().workers == {"idle": 0, "busy": 0, "frozen": 0, "starting": 1, "lagging": 0}
    runtime.workers[0].gets_ready()
    status = house.engine.status()
    assert status.workers == {"idle": 0, "busy": 1, "frozen": 0, "starting": 0, "lagging": 0}
    assert (status.zygotes, status.tiers, status.gaps) == (0, [1], [])
    assert house.engine.frozen() == []


async def test_its_end_is_the_end_of_all_workers(tmp_path: Path) -> None:
    # Given a worker that starts
    house = House(tmp_path)
    house.deploy()
    house.submit()
    [worker] = house.engine.host.workers.values()
    fake = worker.handle
    assert isinstance(fake, FakeWorker)
    # When the engine is closed
    closing = asyncio.ensure_future(house.engine.close())
    await asyncio.sleep(0)
    # I expect it to be told, and to be waited for
    assert (fake.given_up, fake.process.killed, closing.done()) == (True, True, False)
    fake.dies()
    await closing
    assert not house.engine.host.workers
