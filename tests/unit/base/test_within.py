"""Waiting with a limit."""

from __future__ import annotations

import asyncio

import pytest
from relive_base.within import within


async def test_a_cancellation_that_comes_with_the_answer_is_not_lost() -> None:
    # Given a task that waits for one answer after the other
    loop = asyncio.get_running_loop()
    answers: list[asyncio.Future[None]] = []

    async def asks() -> None:
        while True:
            answers.append(loop.create_future())
            await within(answers[-1], 60.0)

    task = asyncio.create_task(asks())
    await asyncio.sleep(0)

    # When it is cancelled in the moment in which it has its answer
    answers[-1].set_result(None)
    task.cancel()

    # I expect it to end
    done, _ = await asyncio.wait({task}, timeout=60.0)
    assert done
    assert task.cancelled()
    assert len(answers) == 1


async def test_what_takes_longer_is_cancelled() -> None:
    waiting = asyncio.get_running_loop().create_future()
    with pytest.raises(TimeoutError):
        await within(waiting, 0.0)
    assert waiting.cancelled()


async def test_what_is_there_is_given_without_a_limit_or_with_one_that_is_over() -> None:
    there = asyncio.get_running_loop().create_future()
    there.set_result("answer")
    assert await within(there, None) == "answer"
    assert await within(there, 0.0) == "answer"
