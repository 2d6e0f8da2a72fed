"""A pool that learns when to keep a worker, on a clock that stands still."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engine_fakes import AtOnce, FakeRuntime, FakeWorker, Recorded, SetTime, an_attempt, answer_of, spec_of
from relive_platform.engine.engine import Engine, EngineLimits
from relive_platform.engine.host import HostLimits
from relive_platform.engine.pool import FunctionPool, PoolLimits, why_full
from relive_platform.engine.warmth.keeper import Warmth


class Shop:
    """Functions on an engine that learns, with workers that start when a test has them start."""

    def __init__(self, folder: Path, host: HostLimits | None = None, price: float = 700.0) -> None:
        self.time = SetTime()
        limits = EngineLimits(host=host or HostLimits(), warm_price=price)
        self.engine = Engine(Recorded(), folder, folder, AtOnce(), limits, self.time.clock)
        self.runtimes: dict[str, FakeRuntime] = {}
        self._number = 0

    def deploy(self, name: str = "f", **limits: Any) -> FunctionPool:
        runtime = self.runtimes[name] = FakeRuntime()
        wanted = PoolLimits(**({"waiting_workers": 1} | limits))
        return self.engine.deploy(spec_of(name=name), runtime, wanted)

    def look(self, seconds: float = 0.0, step_s: float = 0.5) -> None:
        """Time passes, and the engine looks as often."""
        for _ in range(max(int(seconds / step_s), 1)):
            self.time.passes(min(step_s, seconds))
            for pool in self.engine.host.pools.values():
                pool.keep_warm()

    def invoke(self, pool: FunctionPool) -> bool:
        """One event, answered at once. Whether a worker was there."""
        self._number += 1
        attempt = an_attempt(f"i-{self._number}", accepted_mono=self.time.now)
        self.engine.dispatcher.running += 1
        there = bool(pool.idle)
        assert pool.submit(attempt)
        fakes = self.runtimes[pool.spec.name].workers
        if not there:
            self.look()
            fakes[-1].gets_ready()
        alive(fakes)[-1].says(answer_of(attempt, done=True))
        return there


def alive(fakes: list[FakeWorker]) -> list[FakeWorker]:
    return [fake for fake in fakes if not fake.process.killed]


async def test_the_worker_of_a_regular_function_is_there_when_it_is_needed(tmp_path: Path) -> None:
    # Given a function that is invoked every 20 minutes, and starts in a second
    shop = Shop(tmp_path)
    pool = shop.deploy()
    warm = []
    for _ in range(8):
        warm.append(shop.invoke(pool))
        shop.engine.warmth.started("f", 1.0)
        shop.look(1_200.0)
        for fake in shop.runtimes["f"].workers:
            if pool.starting and fake.worker_id == max(one.worker_id for one in shop.runtimes["f"].workers):
                fake.gets_ready()
    # I expect its worker to be there once it is known to come, though it is not kept all the time
    assert warm[-2:] == [True, True]
    found = pool.why_warm()
    assert found["idle_times"] >= 6
    assert any(begin <= 1_200 <= end for begin, end in found["windows"])


async def test_a_timer_never_waits_for_a_worker(tmp_path: Path) -> None:
    # Given a function that nobody has invoked, with a timer in ten minutes
    shop = Shop(tmp_path)
    pool = shop.deploy()
    shop.engine.warmth.started("f", 2.0)
    due_ns = shop.time.clock.wall_ns() + 600_000_000_000
    shop.engine.warmth.expect({"f": due_ns})
    # When time comes close to it
    shop.look(590.0)
    assert not shop.runtimes["f"].workers
    shop.look(8.0)
    # I expect a worker to be started before it, and to stay until it comes
    [fake] = shop.runtimes["f"].workers
    fake.gets_ready()
    shop.engine.warmth.expect({"f": due_ns + 600_000_000_000})  # once it is over, the next one is told
    shop.look(2.0)
    assert not fake.process.killed
    assert shop.invoke(pool)
    # ... and what a timer has ended is no habit
    shop.look(1.0)
    assert pool.why_warm()["idle_times"] == 0


async def test_a_fixed_time_is_still_there(tmp_path: Path) -> None:
    shop = Shop(tmp_path, price=0.0)
    pool = shop.deploy(idle_s=60.0, waiting_workers=0)
    shop.invoke(pool)
    [fake] = shop.runtimes["f"].workers
    shop.look(59.0)
    assert not fake.process.killed
    shop.look(2.0)
    assert fake.process.killed
    assert pool.why_warm()["learns"] is False


async def test_provisioned_workers_stay_whatever_is_learned(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    pool = shop.deploy(provisioned=2, max_workers=3)
    shop.look(1.0)
    first, second = shop.runtimes["f"].workers
    first.gets_ready()
    second.gets_ready()
    shop.look(100_000.0, step_s=100.0)
    assert shop.runtimes["f"].workers == [first, second]
    assert not first.process.killed
    assert not second.process.killed
    assert pool.why_warm()["min_workers"] == 2


async def test_what_is_reserved_is_not_taken_by_others(tmp_path: Path) -> None:
    # Given room for four workers, three of which belong to one function
    shop = Shop(tmp_path, HostLimits(workers=4))
    mine = shop.deploy("mine", reserved=True, max_workers=3, waiting_workers=0)
    other = shop.deploy("other", max_workers=4, waiting_workers=0)
    for number in range(4):
        other.submit(an_attempt(f"o-{number}", accepted_mono=shop.time.now))
    assert len(shop.runtimes["other"].workers) == 1
    for number in range(3):
        assert mine.submit(an_attempt(f"m-{number}", accepted_mono=shop.time.now))
    # I expect its own three to be there for it, and the fourth event to be turned away at once
    assert len(shop.runtimes["mine"].workers) == 3
    for fake in shop.runtimes["mine"].workers:
        fake.gets_ready()
    assert not mine.submit(an_attempt("m-4", accepted_mono=shop.time.now))
    assert "reserved concurrency of 3" in why_full(mine.limits, 0)


async def test_a_burst_starts_a_few_workers_at_a_time(tmp_path: Path) -> None:
    shop = Shop(tmp_path, HostLimits(starts=2))
    pool = shop.deploy(max_workers=6, waiting_workers=0)
    for number in range(6):
        pool.submit(an_attempt(f"b-{number}", accepted_mono=shop.time.now))
    assert len(shop.runtimes["f"].workers) == 2
    shop.runtimes["f"].workers[0].gets_ready()
    shop.engine.host.freed()
    assert len(shop.runtimes["f"].workers) == 3


async def test_who_waits_for_long_gets_a_worker_though_others_seemed_to_be_done_soon(tmp_path: Path) -> None:
    # Given a fast function with one busy worker, which hangs this time
    shop = Shop(tmp_path)
    pool = shop.deploy(max_workers=2, waiting_workers=0)
    for _ in range(30):
        shop.invoke(pool)
    pool.pace.service_s = 0.001
    pool.pace.ahead_limit = 0.0
    pool.submit(an_attempt("hangs", accepted_mono=shop.time.now))
    pool.submit(an_attempt("waits", accepted_mono=shop.time.now))
    before = len(shop.runtimes["f"].workers)
    shop.time.passes(0.2)
    pool.scale()
    assert len(shop.runtimes["f"].workers) == before + 1


async def test_what_the_records_say_comes_before_what_was_seen(tmp_path: Path) -> None:
    warmth = Warmth(700.0, SetTime().clock)
    warmth.seen("f", 5.0)
    warmth.learn("f", [60.0] * 10, 0.5, 100 * 2**20)
    found = warmth.explain("f")
    assert (found["idle_times"], found["start_s"], found["start_known"]) == (11, 0.5, True)
    assert round(found["memory_gb"], 3) == 0.098
