"""What the profile says against what was so: shares of functions that measure themselves.

Truth is CPU time, which a busy machine does not change. Looks are more frequent than by default, so that
chance is smaller than 3 points.
"""

from __future__ import annotations

import asyncio
import hashlib
import sys
import threading
import time
from collections import Counter
from types import SimpleNamespace

import pytest
from relive_profiler.record import SamplerLimits
from relive_runtime.worker.outlook import WorkerOutlook

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="POSIX timers per thread")

OFTEN = SamplerLimits(interval_ns=500_000, fine_share=100_000, fine_samples=100_000, samples=100_000)
POINTS = 0.03
used: Counter[str] = Counter()  # CPU ns, by what the functions say themselves


def _until(name, cpu_s, step):
    began = time.thread_time_ns()
    end = began + int(cpu_s * 1e9)
    while time.thread_time_ns() < end:
        step()
    used[name] += time.thread_time_ns() - began


def python_code(cpu_s):
    _until("python_code", cpu_s, lambda: [number % 7 for number in range(300)])


def native_code(cpu_s):
    data = bytes(200_000)  # so much that the interpreter is let go
    _until("native_code", cpu_s, lambda: hashlib.sha256(data).digest())


async def often(turns):
    for _ in range(turns):
        python_code(0.0002)
        await asyncio.sleep(0.001)


async def seldom(turns):
    for _ in range(turns):
        native_code(0.0002)
        await asyncio.sleep(0.003)


async def hundred():
    await asyncio.gather(*(often(24) for _ in range(50)), *(seldom(8) for _ in range(50)))


def waits():
    """Its truth is real time: nothing of it is spent computing."""
    began = time.perf_counter_ns()
    time.sleep(0.15)
    used["waits"] += time.perf_counter_ns() - began


def _sampled(make_sampler, work, *, threads=False, handlers=1, limits=OFTEN, **options):
    """(shares by the profile, shares in truth), by the function whose frame is on the stack: of CPU time, and
    of waiting. `work` is done by `handlers` invocations."""
    used.clear()
    telemetry = SimpleNamespace(own_span=lambda context=None: "")
    sampler = make_sampler(limits=limits, outlook=WorkerOutlook(telemetry, threads), **options)
    profiles = []
    for number in range(handlers):
        sampler.start(str(number))
        work()
        profiles.append(sampler.stop())
    sampler.close()
    found: Counter[str] = Counter()
    names: dict[int, set[str]] = {}
    for profile in filter(None, profiles):
        names |= {stack.stack_hash: set(stack.functions) for stack in profile.new_stacks}
        values = zip(profile.stack_hashes, profile.wall_ns, profile.cpu_ns, strict=True)
        for number, wall_ns, cpu_ns in values:
            name = next((one for one in ("python_code", "native_code", "waits") if one in names[number]), "")
            if name:
                found[name] += wall_ns if name == "waits" else cpu_ns
    return _shares(found), _shares(used)


def _shares(counts):
    whole = sum(counts.values()) or 1
    return {name: value / whole for name, value in counts.items()}


def _holds(make_sampler, work, **options):
    """In one of five tries: what is a matter of chance is not always within its margin."""
    off, profile, truth = 1.0, {}, {}
    for _ in range(5):
        profile, truth = _sampled(make_sampler, work, **options)
        off = max(abs(profile.get(name, 0.0) - share) for name, share in truth.items())
        if off <= POINTS:
            return
    pytest.fail(f"{off:.1%} off: {profile} instead of {truth}")


def test_a_hundred_tasks_in_one_loop(make_sampler):
    _holds(make_sampler, lambda: asyncio.run(hundred()))


def test_python_and_native_code_one_after_the_other(make_sampler):
    def work():
        for _ in range(3):
            python_code(0.03)
            native_code(0.06)

    _holds(make_sampler, work)


def test_waiting_beside_computing(make_sampler):
    def work():
        python_code(0.05)
        waits()
        native_code(0.05)

    _holds(make_sampler, work, limits=SamplerLimits())


def test_short_handlers_in_their_sum(make_sampler):
    def work():
        python_code(0.0003)
        native_code(0.0006)

    _holds(make_sampler, work, handlers=400, cpu_timer_factory=lambda signum: None)


def _in_threads(*pairs):
    threads = [threading.Thread(target=function, args=(cpu_s,)) for function, cpu_s in pairs]
    for thread in threads:
        thread.start()
    return threads


@pytest.mark.parametrize(
    "pairs",
    [
        pytest.param([(python_code, 0.1), (native_code, 0.2)], id="two that compete"),
        pytest.param([(python_code, 0.02), (native_code, 0.04)] * 4, id="eight short ones"),
    ],
)
def test_threads_that_the_main_thread_waits_for(make_sampler, pairs):
    def work():
        for thread in _in_threads(*pairs):
            thread.join()

    _holds(make_sampler, work, threads=True, limits=SamplerLimits())


def test_a_thread_beside_a_main_thread_that_computes(make_sampler):
    def work():
        (thread,) = _in_threads((native_code, 0.3))
        python_code(0.15)
        thread.join()

    # Seldom: what looks cost themselves is of the main thread by its own clock, and nobody's in the profile
    _holds(make_sampler, work, threads=True, limits=SamplerLimits())


def test_without_the_policy_threads_are_left_alone(make_sampler):
    def work():
        thread = threading.Thread(target=native_code, args=(0.05,))
        thread.start()
        thread.join()

    profile, _ = _sampled(make_sampler, work)
    assert "native_code" not in profile


def test_waiting_is_of_the_tasks_that_wait(make_sampler):
    # Given one task that waits, another one that waits for it, and a loop with nothing to do
    async def leaf():
        await asyncio.sleep(0.15)

    async def handler():
        await asyncio.gather(leaf())

    telemetry = SimpleNamespace(own_span=lambda context=None: "")
    sampler = make_sampler(outlook=WorkerOutlook(telemetry, False))
    sampler.start("i")
    asyncio.run(handler())
    profile = sampler.stop()
    # Then nearly all of the time is at the line of the leaf
    stacks = {stack.stack_hash: stack.functions for stack in profile.new_stacks}
    waited = sum(
        wall_ns
        for number, wall_ns in zip(profile.stack_hashes, profile.wall_ns, strict=True)
        if any(name.endswith("leaf") for name in stacks[number])
    )
    assert waited > 0.1e9
    assert not any("run_forever" in name for names in stacks.values() for name in names[:-1])
