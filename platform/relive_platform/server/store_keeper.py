"""Keeps the store usable: starts its process, has its tables made, looks after it. The server does not need
it: while it is down, invocations go on and telemetry waits in the spool."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

from relive_base.errors import ReliveError
from relive_base.within import within

__all__ = ["DOWN", "READY", "STARTING", "StoreHealth", "StoreKeeper", "StoreProcessLike"]

STARTING: Final = "starting"
READY: Final = "ready"
DOWN: Final = "down"

_LOOK_S: Final = 0.25
_ASK_S: Final = 5.0
_BACKOFF_S: Final = (0.1, 0.5, 2.0, 5.0, 15.0, 30.0)
_STABLE_S: Final = 60.0
_START_LIMIT_S: Final = 600.0
_PREPARE_S: Final = 3.0
"""After that it is told what a start waits for."""
_PREPARING: Final = "its tables are brought up to date, which may take long: its log says how far it is"
_log = logging.getLogger(__name__)
_T = TypeVar("_T")


class StoreProcessLike(Protocol):
    """relive_store.StoreProcess."""

    @property
    def pid(self) -> int: ...
    @property
    def alive(self) -> bool: ...
    def launch(self) -> None: ...
    def answers(self) -> bool: ...
    def said(self) -> str: ...
    def stop(self) -> None: ...
    def kill(self) -> None: ...


@dataclass(frozen=True, slots=True)
class StoreHealth:
    """`state` is STARTING, READY or DOWN; `reason` says why it is not ready, and is empty if it is."""

    state: str
    reason: str = ""
    since_ns: int = 0


class StoreKeeper:
    """Everything runs on the event loop; what blocks, on one thread of its own.

    `make` gives a new process, None for a store that others run. `prepare` makes its tables: it raises if
    the store cannot be used. `ask` raises if a store that others run has gone.
    """

    def __init__(
        self,
        make: Callable[[], StoreProcessLike] | None,
        prepare: Callable[[], Awaitable[None]],
        ask: Callable[[], object],
        on_change: Callable[[StoreHealth], None] = lambda health: None,
        start_limit_s: float = _START_LIMIT_S,
        prepare_s: float = _PREPARE_S,
    ) -> None:
        self.restarts = 0
        self.health = StoreHealth(STARTING, "it is starting", time.time_ns())
        self._make = make
        self._process = make() if make is not None else None
        self._prepare = prepare
        self._ask = ask
        self._on_change = on_change
        self._start_limit_s = start_limit_s
        self._prepare_s = prepare_s
        self._task: asyncio.Task[None] | None = None
        self._decided = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="relive-store")

    @property
    def pid(self) -> int:
        """0 if it is down, or others run it."""
        return self._process.pid if self._process is not None and self._process.alive else 0

    @property
    def ready(self) -> bool:
        """Whether it could be used when it was looked at last."""
        return self.health.state == READY

    def start(self) -> None:
        """Begin: the store is started, and started again whenever it ends."""
        self._task = asyncio.get_running_loop().create_task(self._keep())

    async def settled(self, timeout_s: float) -> bool:
        """Wait until it is ready, or is known to be down, for `timeout_s` at most. Whether it is ready."""
        try:
            await within(self._decided.wait(), timeout_s)
        except TimeoutError:
            pass  # it goes on starting
        return self.ready

    async def _keep(self) -> None:
        failures = 0
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            try:
                await self._begin()
                self._say(READY, "")
                began = loop.time()
                await self._stays()
            except Exception as error:  # whatever it was, the next try is due
                reason = _reason(error)
            failures = 0 if loop.time() - began > _STABLE_S else failures
            delay = _BACKOFF_S[min(failures, len(_BACKOFF_S) - 1)]
            failures += 1
            self.restarts += 1
            self._say(DOWN, reason)
            _log.error("the store is down: %s; it is tried again in %g s", reason, delay)
            await asyncio.sleep(delay)

    async def _begin(self) -> None:
        """Until the store can be used. Raises if that fails."""
        if self._make is not None and self._process is not None:
            if self._process.pid:
                await self._blocking(self._process.kill)
                self._process = self._make()
            await self._blocking(self._process.launch)
            await self._until_it_answers(self._process)
        late = asyncio.get_running_loop().call_later(self._prepare_s, self._tell_preparing)
        try:
            await self._prepare()
        finally:
            late.cancel()

    def _tell_preparing(self) -> None:
        """Nothing is decided by that: who waits goes on waiting."""
        self.health = StoreHealth(STARTING, _PREPARING, time.time_ns())
        _log.warning("the store is not ready yet: %s", _PREPARING)
        self._on_change(self.health)

    async def _until_it_answers(self, process: StoreProcessLike) -> None:
        loop = asyncio.get_running_loop()
        give_up = loop.time() + self._start_limit_s
        while not await self._blocking(process.answers):
            if loop.time() > give_up:
                said = process.said()
                await self._blocking(process.kill)
                raise ReliveError(f"its process was not ready within {self._start_limit_s:g} s: {said}")
            await asyncio.sleep(0.02)

    async def _stays(self) -> None:
        """As long as the store can be used; raises with the reason if it cannot any more."""
        process = self._process
        while True:
            if process is None:
                await asyncio.sleep(_ASK_S)
                await self._blocking(self._ask)
            else:
                await asyncio.sleep(_LOOK_S)
                if not process.alive:
                    process.answers()  # raises: it says how the process ended

    def _say(self, state: str, reason: str) -> None:
        if (state, reason) != (self.health.state, self.health.reason):
            self.health = StoreHealth(state, reason, time.time_ns())
            self._on_change(self.health)
        self._decided.set()

    async def _blocking(self, work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def close(self) -> None:
        """Stop looking, then stop the process in order; one that only starts has nothing to put in order."""
        if self._task is not None:
            self._task.cancel()
            if self._process is not None and not self.ready:
                self._process.kill()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._process is not None:
            await self._blocking(self._process.stop)
        self._thread.shutdown(wait=False)


def _reason(error: Exception) -> str:
    """On one line, never empty."""
    text = error.message if isinstance(error, ReliveError) else f"{type(error).__name__}: {error}"
    return " ".join(text.split()) or type(error).__name__
