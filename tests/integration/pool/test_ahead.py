"""Events that are sent ahead to a busy worker: each runs once, and none waits for a slow one."""

from __future__ import annotations

import asyncio
from collections import Counter

import msgspec
import pytest
from pool_harness import Platform
from relive_base.wire.messages import Logs
from relive_platform.engine.invocation import Outcome
from relive_platform.engine.pool import FunctionPool, PoolLimits

SOURCE = """
import os, time
def handler(event, context):
    print("ran", event["n"])
    while "until" in event and not os.path.exists(event["until"]):
        time.sleep(0.005)
    if "exit" in event:
        os._exit(event["exit"])
    if "raise" in event:
        raise ValueError("asked for")
    return event["n"]
"""
FAST = 4_000  # at most; about 310 of them make a new function a fast one


async def warm(workers: Platform, *, max_workers: int) -> FunctionPool:
    """A function that has been fast for long enough to get events ahead."""
    limits = PoolLimits(max_workers=max_workers, waiting_workers=0)
    pool = workers.deploy("work", SOURCE, limits=limits)
    for n in range(FAST):
        await workers.invoke("work", msgspec.json.encode({"n": -1 - n}))
        if pool.pace.ahead_limit:
            return pool
    raise AssertionError(f"never fast: {FAST} events, the mean of which took {pool.pace.service_s} s")


def begin(workers: Platform, events: list[dict[str, object]]) -> list[asyncio.Future[Outcome]]:
    return [asyncio.ensure_future(workers.invoke("work", msgspec.json.encode(event))) for event in events]


async def send(workers: Platform, events: list[dict[str, object]]) -> list[Outcome]:
    return await asyncio.gather(*begin(workers, events))


def runs(workers: Platform) -> Counter[int]:
    """How often each event was run, by what it printed."""
    decoder = msgspec.msgpack.Decoder(Logs)
    found: Counter[int] = Counter()
    for payload in workers.recording.payloads:
        for line in decoder.decode(payload).lines:
            if line.body.startswith("ran ") and (n := int(line.body[4:])) >= 0:
                found[n] += 1
    return found


async def test_a_fast_function_runs_each_event_once_and_answers_each(workers: Platform) -> None:
    # Given one worker of a function that is fast
    pool = await warm(workers, max_workers=1)

    # When many events come at once
    outcomes = await send(workers, [{"n": n} for n in range(100)])

    # I expect each to have its own answer, and to have run once, with times that fit together
    assert [int(outcome.body) for outcome in outcomes] == list(range(100))
    assert runs(workers) == Counter(range(100))
    assert len(pool.workers) == 1
    for outcome in outcomes:
        record = outcome.record
        assert record.accepted_ns <= record.dispatched_ns <= record.ended_ns <= record.responded_ns


async def test_no_event_waits_behind_one_that_turns_slow(workers: Platform) -> None:
    # Given a fast function
    await warm(workers, max_workers=3)

    # When one of many events takes until the others are done
    go = workers.code / "go"
    slow, *others = begin(workers, [{"n": 0, "until": str(go)}, *({"n": n} for n in range(1, 30))])

    # I expect all others to be done before it, and to have run once
    outcomes = await asyncio.gather(*others)
    assert not slow.done()
    go.touch()
    assert all(outcome.ok for outcome in [await slow, *outcomes])
    assert runs(workers) == Counter(range(30))


async def test_what_was_done_before_a_slow_one_is_answered_before_it_ends(workers: Platform) -> None:
    # Given a fast function with one worker, which tells of several results at once
    await warm(workers, max_workers=1)

    # When one in the middle of many takes until those before it are answered
    go = workers.code / "go"
    events: list[dict[str, object]] = [{"n": n} for n in range(8)]
    begun = begin(workers, [*events[:5], {"n": 5, "until": str(go)}, *events[6:]])

    # I expect them to be
    outcomes = await asyncio.gather(*begun[:5])
    assert not begun[5].done()
    go.touch()
    assert all(outcome.ok for outcome in [*outcomes, *await asyncio.gather(*begun[5:])])
    assert runs(workers) == Counter(range(8))


@pytest.mark.parametrize("how", [{"exit": 3}, {"raise": True}])
async def test_events_behind_one_that_fails_are_run_elsewhere_once(
    workers: Platform, how: dict[str, object]
) -> None:
    # Given a fast function
    await warm(workers, max_workers=2)

    # When one of many events ends its worker
    outcomes = await send(workers, [{"n": 0, **how}, *({"n": n} for n in range(1, 30))])

    # I expect only that one to fail
    assert [outcome.ok for outcome in outcomes] == [False] + [True] * 29
    assert runs(workers) == Counter(range(30))


async def test_what_was_taken_back_and_sent_anew_to_the_same_worker_runs_once(workers: Platform) -> None:
    # Given a fast function that may have one worker only
    pool = await warm(workers, max_workers=1)

    # When events wait in the socket of that worker while it takes long for another one
    go = workers.code / "go"
    begun = begin(workers, [{"n": 0, "until": str(go)}, *({"n": n} for n in range(1, 12))])
    await workers.until(lambda: len(pool.waiting) == 11)
    go.touch()

    # I expect the worker to get them anew, and each to have run once
    assert [int(outcome.body) for outcome in await asyncio.gather(*begun)] == list(range(12))
    assert runs(workers) == Counter(range(12))
