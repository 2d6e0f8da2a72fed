"""The triggers of one kind that pull, as a source of events: a puller for each that is in service."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Final

import msgspec
from relive_base.within import within

from relive_platform.server_urls import hide, resolve
from relive_platform.triggers.base import Served
from relive_platform.triggers.pull.config import PullTrigger
from relive_platform.triggers.pull.connector import Lag
from relive_platform.triggers.pull.desk import Desk
from relive_platform.triggers.pull.puller import LAG_S, Connect, Puller
from relive_platform.triggers.pull.state import SourceState
from relive_platform.triggers.pull.thread import LoopThread
from relive_platform.triggers.queue.intake import Known

__all__ = ["LeftBehind", "PullSource"]

LOOK_S: Final = 60.0
STOP_S: Final = 15.0
_log = logging.getLogger(__name__)

LeftBehind = Callable[[str, str, Any], Awaitable[Lag | None]]
"""What a trigger (address, tag, itself) that nobody has any more still holds at its source; None: nothing."""


class PullSource:
    """`apply`, `start` and `close` on the server's loop; the pullers run in a thread of their own."""

    def __init__(
        self,
        trigger: type[PullTrigger],
        connect: Connect,
        desk: Desk,
        left_behind: LeftBehind | None = None,
        look_s: float = LOOK_S,
        lag_s: float = LAG_S,
    ) -> None:
        self._trigger = trigger
        self._kind = str(trigger.__struct_config__.tag)
        self._connect = connect
        self._desk = desk
        self._left_behind = left_behind
        self._look_s = look_s
        self._lag_s = lag_s
        self._thread = LoopThread(f"relive-{self._kind}")
        self._wanted: dict[tuple[str, PullTrigger], Puller] = {}
        self._tasks: dict[Puller, asyncio.Task[None]] = {}  # of the thread's loop
        self._abandoned: list[SourceState] = []
        self._twice: list[Puller] = []
        self._started = False
        self._looking: asyncio.Task[None] | None = None

    async def apply(self, functions: Sequence[Served]) -> None:
        """These functions are in service from now on. A trigger that stays the same goes on."""
        wanted = {
            (function.name, trigger)
            for function in functions
            for trigger in function.config.triggers
            if isinstance(trigger, self._trigger)
        }
        gone = [self._wanted.pop(key) for key in list(self._wanted) if key not in wanted]
        new = [key for key in wanted if key not in self._wanted]
        for function, trigger in new:
            self._wanted[function, trigger] = Puller(
                function, trigger, self._connect, self._desk, lag_s=self._lag_s
            )
        self._twice = _twice(self._wanted.values())
        self._abandoned = [state for state in self._abandoned if state.function not in {f for f, _ in new}]
        if self._started:
            await self._switch(gone, [self._wanted[key] for key in new])

    async def start(self) -> None:
        """Begin to pull."""
        self._started = True
        await self._switch([], list(self._wanted.values()))
        if self._left_behind is not None:
            self._looking = asyncio.get_running_loop().create_task(self._look())

    async def close(self) -> None:
        """Fetch nothing more; what is held goes back to its source."""
        self._started = False
        if self._looking is not None:
            self._looking.cancel()
        await self._switch(list(self._wanted.values()), [])
        await asyncio.get_running_loop().run_in_executor(None, self._thread.stop)

    def describe(self) -> list[SourceState]:
        """How each is, and what those that are gone have left behind."""
        return [*(puller.state for puller in self._wanted.values()), *self._abandoned]

    async def _switch(self, gone: Sequence[Puller], new: Sequence[Puller]) -> None:
        if not gone and not new:
            return
        work = self._thread.run(self._switch_there(gone, new))
        try:
            await within(asyncio.wrap_future(work), STOP_S)
        except TimeoutError:
            _log.warning(
                "a %s trigger did not end within %g s; its connection is left alone", self._kind, STOP_S
            )

    async def _switch_there(self, gone: Sequence[Puller], new: Sequence[Puller]) -> None:
        """In the thread: the old ones let go before the new ones ask for the same."""
        ending = [task for puller in gone if (task := self._tasks.pop(puller, None)) is not None]
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)
        for puller in new:
            if puller in self._twice:
                message = (
                    "another trigger of the function is about the same: give one a slot or group of its own"
                )
                puller.state.become("failed", message)
                continue
            self._tasks[puller] = asyncio.get_running_loop().create_task(puller.run())

    # ------------------------------------------------------------ what is left behind

    async def _look(self) -> None:
        while True:
            try:
                known = await asyncio.wrap_future(self._desk.queue.known_triggers())
                served = {puller.tag for puller in self._wanted.values()}
                lost = [entry for entry in known if entry.kind == self._kind and entry.trigger not in served]
                self._abandoned = [state for entry in lost if (state := await self._ask(entry)) is not None]
            except Exception as error:  # it is told again, later
                _log.warning("what %s triggers have left behind is not known: %s", self._kind, error)
            await asyncio.sleep(self._look_s)

    async def _ask(self, entry: Known) -> SourceState | None:
        detail = json.loads(entry.detail)
        state = SourceState(entry.function, entry.kind, detail["name"], "abandoned")
        address = ""
        try:
            trigger = msgspec.convert(detail["trigger"], self._trigger)
            address = resolve(trigger.url, self._trigger.SCHEMES, self._desk.environment)
            assert self._left_behind is not None
            work = self._thread.run(_asked(self._left_behind, address, entry.trigger, trigger))
            lag = await within(asyncio.wrap_future(work), STOP_S)
        except Exception as error:
            state.error = hide(f"{type(error).__name__}: {error}", address)[:200]
            return state
        if lag is None:
            await asyncio.wrap_future(self._desk.queue.forget_trigger(entry.trigger))
            return None
        state.behind, state.unit, state.warning, state.details = (
            lag.behind,
            lag.unit,
            lag.warning,
            lag.details,
        )
        return state


def _twice(pullers: Iterable[Puller]) -> list[Puller]:
    """Those that would take another one's records."""
    first: dict[str, Puller] = {}
    return [puller for puller in pullers if first.setdefault(puller.tag, puller) is not puller]


async def _asked(left_behind: LeftBehind, address: str, tag: str, trigger: Any) -> Lag | None:
    return await left_behind(address, tag, trigger)
