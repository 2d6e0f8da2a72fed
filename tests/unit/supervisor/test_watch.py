"""How often the supervisor looks at the workers: every few milliseconds while one is busy, once each time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest
from relive_platform.engine.supervisor.dumping import Dumped
from relive_platform.engine.supervisor.watch import Supervisor, WatchLimits
from relive_platform.engine.workers.life import BUSY, IDLE

ROUNDS = 12


class CountingLoop(asyncio.SelectorEventLoop):
    """Counts the timers that are set."""

    timers = 0

    def call_later(self, *arguments: Any, **keywords: Any) -> asyncio.TimerHandle:
        self.timers += 1
        return super().call_later(*arguments, **keywords)


class LookedAt:
    """A worker as the supervisor sees it. `found`: what a look at it brings about.

    `enough` is set after `rounds` looks.
    """

    def __init__(self, worker_id: int, state: str, found: Callable[[], None], rounds: int = ROUNDS) -> None:
        self.worker_id = worker_id
        self.state = state
        self.condemned = ""
        self.crashed = None
        self.ahead: list[object] = []
        self.current = SimpleNamespace(sent_mono=float("inf")) if state == BUSY else None
        self.looks = 0
        self.enough = asyncio.Event()
        self._found = found
        self._rounds = rounds

    def look(self) -> None:
        self.looks += 1
        if self.looks >= self._rounds:
            self.enough.set()
        self._found()


def nothing() -> None:
    pass


def supervise(*workers: LookedAt) -> Supervisor:
    return Supervisor(
        {worker.worker_id: worker for worker in workers},  # type: ignore[misc]
        lambda worker, running, why: None,
        lambda pid, timeout_s, spec, error, thread=0: Dumped(),
        ThreadPoolExecutor(1),
        WatchLimits(interval_s=0.0001),
    )


async def enough(worker: LookedAt) -> None:
    async with asyncio.timeout(60):
        await worker.enough.wait()


def watch_in(loop: CountingLoop, supervisor: Supervisor, busy: LookedAt, until: LookedAt) -> None:
    """`busy` gets an event; the loop runs until `until` was looked at often enough."""

    async def watching() -> None:
        supervisor.watch(busy)  # type: ignore[arg-type]
        await enough(until)
        supervisor.close()

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(watching())


def test_events_that_a_look_sets_off_add_no_further_looks() -> None:
    # Given a worker of which each look finds a result, and which gets its next event at once
    loop = CountingLoop()
    worker = LookedAt(1, BUSY, lambda: supervisor.watch(worker))  # type: ignore[arg-type]
    supervisor = supervise(worker)

    # When it is looked at a dozen times
    watch_in(loop, supervisor, worker, worker)

    # I expect one timer for each look, and one for the next
    assert loop.timers <= worker.looks + 1


def test_a_worker_that_got_its_event_in_the_middle_of_a_look_is_watched() -> None:
    # Given an idle worker that was looked at already when another one's result gives it an event
    def hand_over() -> None:
        if second.current is not None:
            second.current, second.state = None, IDLE
            first.current, first.state = SimpleNamespace(sent_mono=float("inf")), BUSY
            supervisor.watch(first)  # type: ignore[arg-type]

    first = LookedAt(1, IDLE, nothing)
    second = LookedAt(2, BUSY, hand_over)
    supervisor = supervise(first, second)

    # When the look that found it is over, I expect further ones
    watch_in(CountingLoop(), supervisor, second, first)


def test_nobody_is_looked_at_while_all_are_idle() -> None:
    # Given a worker whose only invocation is over at the first look
    def end() -> None:
        worker.current, worker.state = None, IDLE

    loop = CountingLoop()
    worker = LookedAt(1, BUSY, end, rounds=1)

    # When it was looked at, I expect no further look to be due
    async def watching() -> None:
        supervisor = supervise(worker)
        supervisor.watch(worker)  # type: ignore[arg-type]
        await enough(worker)
        timers = loop.timers
        await asyncio.sleep(0)
        assert loop.timers == timers
        supervisor.watch(worker)  # type: ignore[arg-type]
        assert loop.timers == timers + 1
        supervisor.close()

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(watching())


@pytest.mark.filterwarnings("ignore")
def test_a_look_that_fails_ends_no_watching() -> None:
    # Given a worker whose first look fails
    def fail() -> None:
        if worker.looks == 1:
            raise OSError("/proc has gone")

    loop = CountingLoop()
    loop.set_exception_handler(lambda _, context: failures.append(context["exception"]))
    failures: list[BaseException] = []
    worker = LookedAt(1, BUSY, fail)

    # When it goes on, I expect it to be told, and the worker to be looked at again
    watch_in(loop, supervise(worker), worker, worker)
    assert [str(failure) for failure in failures] == ["/proc has gone"]
