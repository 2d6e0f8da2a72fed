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

OFTEN = SamplerLimits(interval_ns=500_000, fine_share=100_000, samples=100_000)
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


def _sampled(make_sampler, work, *, threads=False):
    """(shares by the profile, shares in truth), by the function whose frame is on the stack."""
    used.clear()
    telemetry = SimpleNamespace(own_span=lambda context=None: "")
    sampler = make_sampler(limits=OFTEN, outlook=WorkerOutlook(telemetry, threads))
    sampler.start("i")
    work()
    profile = sampler.stop()
    sampler.close()
    names = {stack.stack_hash: set(stack.functions) for stack in profile.new_stacks}
    found: Counter[str] = Counter()
    for number, cpu_ns in zip(profile.stack_hashes, profile.cpu_ns, strict=True):
        name = next((one for one in ("python_code", "native_code") if one in names[number]), "")
        if name:
            found[name] += cpu_ns
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
