"""The keeper: states, reasons and tries, with a process that does what it is told."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest
from relive_base.errors import ReliveError
from relive_platform.server.store_keeper import DOWN, READY, STARTING, StoreHealth, StoreKeeper


class _Process:
    """Answers once it is let; `ends` is why it has ended."""

    made = 0

    def __init__(self, answering: threading.Event, ends: list[str]) -> None:
        _Process.made += 1
        self._number = _Process.made
        self._answering = answering
        self._ends = ends
        self._launched = False

    @property
    def pid(self) -> int:
        return self._number if self._launched else 0

    @property
    def alive(self) -> bool:
        return self._launched and not self._ends

    def launch(self) -> None:
        self._launched = True

    def answers(self) -> bool:
        if self._ends:
            raise ReliveError(self._ends.pop())
        return self._answering.is_set()

    def said(self) -> str:
        return "it has written nothing to log"

    def stop(self) -> None:
        self._launched = False

    kill = stop


async def _until(condition: Callable[[], object]) -> None:
    while not condition():  # noqa: ASYNC110  (states of fakes: there is no event to wait for)
        await asyncio.sleep(0.005)


async def _prepared() -> None:
    return None


async def test_a_slow_store_is_starting_for_as_long_as_it_takes() -> None:
    # Given a store that does not answer yet
    answering, told = threading.Event(), list[StoreHealth]()
    keeper = StoreKeeper(lambda: _Process(answering, []), _prepared, lambda: None, told.append)
    keeper.start()
    # When somebody waits for it, but not for ever
    assert not await keeper.settled(0.05)
    # I expect it to be starting still, with a reason
    assert keeper.health.state == STARTING
    assert keeper.health.reason
    answering.set()
    await _until(lambda: keeper.ready)
    assert [health.state for health in told] == [READY]
    await keeper.close()


async def test_tables_that_take_long_are_told_and_nobody_takes_that_for_down() -> None:
    # Given a store whose tables are being brought up to date
    answering, ready, told = threading.Event(), asyncio.Event(), list[StoreHealth]()
    answering.set()

    async def prepare() -> None:
        await ready.wait()

    keeper = StoreKeeper(lambda: _Process(answering, []), prepare, lambda: None, told.append, prepare_s=0.01)
    keeper.start()
    # I expect that to be said, and who waits for it to go on waiting
    await _until(lambda: told)
    assert (told[0].state, "tables are brought up to date" in told[0].reason) == (STARTING, True)
    assert not keeper._decided.is_set()
    ready.set()
    assert await keeper.settled(60.0)
    assert [(health.state, health.reason) for health in told[1:]] == [(READY, "")]
    await keeper.close()


async def test_one_that_ends_is_down_for_a_reason_and_started_again() -> None:
    answering, ends, told = threading.Event(), ["the disk is\nfull"], list[StoreHealth]()
    answering.set()
    keeper = StoreKeeper(lambda: _Process(answering, ends), _prepared, lambda: None, told.append)
    keeper.start()
    # Whoever waits hears of it at once
    assert not await keeper.settled(60)
    assert keeper.health == StoreHealth(DOWN, "the disk is full", keeper.health.since_ns)
    await _until(lambda: keeper.ready)
    assert keeper.restarts == 1
    # ... and one that dies later as well
    ends.append("was ended by SIGKILL")
    await _until(lambda: keeper.restarts == 2)
    await _until(lambda: keeper.ready)
    assert [health.state for health in told] == [DOWN, READY, DOWN, READY]
    assert told[2].reason == "was ended by SIGKILL"
    await keeper.close()


@pytest.mark.parametrize("error", [ValueError(), ReliveError(""), KeyError("table")])
async def test_a_reason_is_never_empty(error: Exception) -> None:
    # Given a store whose tables cannot be made
    async def fails() -> None:
        raise error

    keeper = StoreKeeper(None, fails, lambda: None)
    keeper.start()
    assert not await keeper.settled(60)
    assert keeper.health.state == DOWN
    assert keeper.health.reason.strip()
    await keeper.close()


async def test_it_ends_while_the_store_never_answers() -> None:
    keeper = StoreKeeper(lambda: _Process(threading.Event(), []), _prepared, lambda: None)
    keeper.start()
    await asyncio.sleep(0)
    await asyncio.wait_for(keeper.close(), 60)
