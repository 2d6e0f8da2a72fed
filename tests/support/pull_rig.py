"""A trigger that pulls, with the real event queue and publisher behind it, and no engine: the test is the
function."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from patience import PATIENCE_S
from relive_base.wire.messages import FunctionSpec
from relive_platform.triggers.pull.config import PullTrigger
from relive_platform.triggers.pull.desk import Desk
from relive_platform.triggers.pull.source import PullSource
from relive_platform.triggers.pull.state import SourceState
from relive_platform.triggers.pull.wiring import pull_sources
from relive_platform.triggers.queue import EventQueue, Lease, QueueLimits
from relive_platform.triggers.queue.publisher import Publisher

__all__ = ["Rig", "lose_an_ack", "rigged"]


@dataclass(frozen=True)
class Config:
    """Of the function."""

    triggers: tuple[PullTrigger, ...]
    retries: int = 2
    max_age_s: float = 3_600.0


@dataclass(frozen=True)
class Function:
    """In service."""

    name: str
    config: Config
    spec: FunctionSpec = field(default_factory=lambda: FunctionSpec(name="f", version=1, handler="a:b"))


class Rig:
    """`events` are what the function gets; each is done as soon as it is taken."""

    def __init__(self, home: Path, event_bytes: int = 1_048_576) -> None:
        self.home = home
        self.event_bytes = event_bytes
        self.functions: list[Function] = []
        self.environment: dict[str, str] = {}
        self.queue = EventQueue(home / "events.db", limits=QueueLimits(lease_s=3_600.0))
        self.sources: list[PullSource] = []
        self._left: list[Lease] = []
        self.seen: list[Any] = []  # every event that was taken by `events`

    async def start(self) -> None:
        """Pull."""
        publisher = Publisher(self.queue, self._serving, lambda *_: None)
        loop = asyncio.get_running_loop()
        desk = Desk(self.queue, publisher, loop, self.environment, self.event_bytes)
        self.sources = pull_sources(desk, lag_s=0.05, look_s=0.05)
        for source in self.sources:
            await source.apply(self.functions)
            await source.start()

    def _serving(self, name: str) -> Function | None:
        return next((function for function in self.functions if function.name == name), None)

    async def serve(self, **triggers: PullTrigger | tuple[PullTrigger, ...]) -> None:
        """These functions are in service, each with its triggers."""
        self.functions = [
            Function(name, Config(found if isinstance(found, tuple) else (found,)))
            for name, found in triggers.items()
        ]
        for source in self.sources:
            await source.apply(self.functions)

    async def stop(self) -> None:
        """No more is pulled."""
        for source in self.sources:
            await source.close()

    def state(self, name: str = "f") -> SourceState:
        """How the trigger of a function is."""
        return next(s for source in self.sources for s in source.describe() if s.function == name)

    async def lease(self, limit: int = 100) -> list[Lease]:
        """Events that are due, after those that `hold` has left."""
        left, self._left = self._left, []
        return left + await asyncio.wrap_future(self.queue.lease(limit))

    async def hold(self, function: str) -> Lease:
        """The first event of a function, which is not done; the others come as if nobody had looked."""
        while True:
            found = await self.lease()
            for place, lease in enumerate(found):
                if lease.event.function == function:
                    self._left = found[:place] + found[place + 1 :]
                    return lease
            self._left = found
            await asyncio.sleep(0.005)

    async def events(self, count: int, *, records: bool = True) -> list[Any]:
        """The next events until they have `count` records (or are `count`), done."""
        found: list[Any] = []
        number = 0
        deadline = time.monotonic() + PATIENCE_S
        while number < count:
            assert time.monotonic() < deadline, f"{number} of {count} came: {found}; {self.described()}"
            for lease in await self.lease():
                found.append(json.loads(lease.event.body))
                self.seen.append(found[-1])
                number += _records(found[-1]) if records else 1
                await asyncio.wrap_future(self.queue.complete(lease))
            await asyncio.sleep(0.005)
        return found

    def described(self) -> list[dict[str, Any]]:
        """All states."""
        return [state.as_json() for source in self.sources for state in source.describe()]

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait for a condition."""
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline, self.described()
            await asyncio.sleep(0.005)


def _records(event: Any) -> int:
    if isinstance(event, list):
        return len(event)
    records = event.get("records", [event])
    return sum(map(len, records.values())) if isinstance(records, dict) else len(records)


def lose_an_ack(monkeypatch: pytest.MonkeyPatch, connector: type[Any]) -> None:
    """The next acknowledgement of a connector does not get to its source: its connection is lost before."""
    whole = connector.ack

    async def lost(self: Any, records: Any) -> None:
        monkeypatch.setattr(connector, "ack", whole)
        raise ConnectionError("cut")

    monkeypatch.setattr(connector, "ack", lost)


@asynccontextmanager
async def rigged(home: Path, **more: Any) -> AsyncIterator[Rig]:
    """A rig that pulls, for as long as the block."""
    rig = Rig(home, **more)
    try:
        await rig.start()
        yield rig
    finally:
        await rig.stop()
        rig.queue.close()
