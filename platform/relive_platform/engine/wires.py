"""Connections of clients that are joined to workers of a pool: which worker has each, and who waits for one.

What goes through them is the worker's own: it tells of each call that comes that way (`workers/born.py`).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from relive_base.errors import ReliveError

from relive_platform.engine.clock import Clock
from relive_platform.engine.workers.life import BUSY, IDLE
from relive_platform.engine.workers.worker import Worker

__all__ = ["NoWorker", "Wire", "Wires"]

_WAITING: Final = 200  # connections of one function that wait for a worker
_CROWDED: Final = 8
"""Connections of a worker from which on another one is started, if there may be."""


class NoWorker(ReliveError):
    """No worker could be had for a connection."""


class Wire:
    """One connection's hold on a worker, until it is released."""

    def __init__(self, worker: Worker, port: int, on_release: Callable[[Worker], None]) -> None:
        self.port = port
        self._from_port = 0
        self._worker = worker
        self._on_release = on_release
        self._held = True

    @property
    def leaving(self) -> bool:
        """Whether its worker is to leave as soon as the connection has gone."""
        return self._worker.retiring

    def announce(self, from_port: int) -> None:
        """Tell the worker where the connection will come from: it serves no other."""
        if self._held:
            self._from_port = from_port
            self._worker.tell_wired(from_port, made=True)

    def release(self) -> None:
        """The connection has gone."""
        if self._held:
            self._held = False
            if self._from_port:
                self._worker.tell_wired(self._from_port, made=False)
            self._worker.unwire()
            self._on_release(self._worker)


@dataclass(slots=True)
class _Waiter:
    future: asyncio.Future[Wire]
    since: float


class Wires:
    """Of one pool. Everything runs on the event loop."""

    def __init__(
        self,
        workers: Callable[[], Iterable[Worker]],
        fork: Callable[[], None],
        on_release: Callable[[Worker], None],
        wait_s: float,
        clock: Clock,
    ) -> None:
        """`workers`: those that serve or can serve; `fork` starts one more if there may be one; `on_release`
        is told of a worker with one connection less."""
        self._on_release = on_release
        self._workers = workers
        self._fork = fork
        self._wait_s = wait_s
        self._mono = clock.mono
        self._waiting: deque[_Waiter] = deque()

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def connect(self) -> asyncio.Future[Wire]:
        """A worker for a new connection; NoWorker if there is none in time."""
        future: asyncio.Future[Wire] = asyncio.get_running_loop().create_future()
        worker = self._least()
        if worker is None and len(self._waiting) >= _WAITING:
            future.set_exception(NoWorker(f"{_WAITING} connections wait for a worker already"))
        elif worker is None:
            self._waiting.append(_Waiter(future, self._mono()))
            self._fork()
        else:
            if worker.wires >= _CROWDED or worker.lags:
                self._fork()
            future.set_result(self._join(worker))
        return future

    def _join(self, worker: Worker) -> Wire:
        worker.wire()
        return Wire(worker, _port(worker), self._on_release)

    def _least(self) -> Worker | None:
        """The one with the fewest connections, of those whose event loop turns if there is one."""
        able = [one for one in self._workers() if _port(one)]
        return min(able, key=lambda one: (one.lags, one.wires), default=None)

    def on_ready(self, worker: Worker) -> None:
        """A worker can serve: those that wait get it."""
        while self._waiting and _port(worker):
            waiter = self._waiting.popleft()
            if not waiter.future.done():
                waiter.future.set_result(self._join(worker))

    def on_lost(self, why: str) -> None:
        """A worker did not get ready: the first one that waits is told."""
        self._refuse(why)

    def expire(self, now: float) -> None:
        """Turn away who waits for too long."""
        while self._waiting and now - self._waiting[0].since > self._wait_s:
            self._refuse(f"no worker became free in {self._wait_s:g} s")

    def _refuse(self, why: str) -> None:
        while self._waiting:
            future = self._waiting.popleft().future
            if not future.done():
                future.set_exception(NoWorker(why))
                return


def _port(worker: Worker) -> int:
    """Where it listens; 0 if it takes no connection."""
    ready = worker.ready
    if ready is None or worker.state not in (IDLE, BUSY) or worker.retiring or worker.condemned:
        return 0
    return int(ready.wire) if ready.wire.isascii() and ready.wire.isdecimal() and len(ready.wire) < 6 else 0
