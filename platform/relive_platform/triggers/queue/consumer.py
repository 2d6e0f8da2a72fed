"""Takes events from the durable queue to the dispatcher: at least once, a crash of a worker is an attempt."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Future
from typing import Any, Final, Protocol

import msgspec
from relive_base.errors import NotFound, ReliveError, UsageError
from relive_base.within import within

from relive_platform.engine.dispatcher import Dispatcher
from relive_platform.engine.errors import Stopping
from relive_platform.engine.invocation import Outcome
from relive_platform.triggers.queue.events import EventQueue
from relive_platform.triggers.queue.model import Lease, QueuedEvent, StaleLease
from relive_platform.triggers.queue.publisher import request_of

__all__ = ["Consumer"]

RUNNING_LIMIT: Final = 128
_ROUND_S: Final = 1.0
_REFUSED_PAUSE_S: Final = 0.25
_UNKNOWN_IN_FLIGHT: Final = 4
_RESULT_KEPT_BYTES: Final = 262_144
_SETTLE_AGAIN_S: Final = 1.0
_log = logging.getLogger(__name__)


class Elsewhere(Protocol):
    """Where outcomes of events go."""

    def takes(self, function: str) -> bool:
        """Whether events for this name are not for a function."""

    async def deliver(self, event: QueuedEvent) -> None:
        """It is safe where it belongs when this returns. Raises ReliveError."""

    def after_success(self, lease: Lease, outcome: Outcome) -> QueuedEvent | None:
        """What follows an event that is done."""


async def _nothing(function: str, qualifier: str) -> None:
    """Versions that are not in service are ready by themselves."""


class Consumer:
    """Runs on the event loop; `wake` may be called from any thread."""

    def __init__(
        self,
        queue: EventQueue,
        dispatcher: Dispatcher,
        in_flight: Callable[[], Mapping[str, int]],
        lease_s: float = 30.0,
        ready: Callable[[str, str], Awaitable[None]] | None = None,
        elsewhere: Elsewhere | None = None,
    ) -> None:
        """`ready` has a version that is not in service ready for an event that asks for it by its number.
        `elsewhere` takes events that are for no function, and says what follows those that are done."""
        self._ready = ready or _nothing
        self._queue = queue
        self._dispatcher = dispatcher
        self._in_flight = in_flight
        self._lease_s = lease_s
        self._elsewhere = elsewhere
        self._loop = asyncio.get_running_loop()
        self._wake = asyncio.Event()
        self._leases: dict[int, Lease] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._background: list[asyncio.Task[None]] = []
        self._stopping = False
        self._started_ns = time.time_ns()

    def wake(self) -> None:
        """Events became ready."""
        try:
            self._loop.call_soon_threadsafe(self._wake.set)
        except RuntimeError:
            pass  # the loop has ended: there is nobody left to wake

    def start(self) -> None:
        """Begin to deliver."""
        self._background = [
            self._loop.create_task(self._deliver_all()),
            self._loop.create_task(self._heartbeat()),
        ]

    async def _deliver_all(self) -> None:
        while not self._stopping:
            self._wake.clear()
            try:
                pause = await self._round()
            except ReliveError as error:
                _log.error("events cannot be leased: %s", error)
                pause = _ROUND_S
            try:
                await within(self._wake.wait(), pause)
            except TimeoutError:
                pass  # the round is due

    async def _round(self) -> float:
        """Lease what there is room for; gives how long to wait for the next round."""
        room = RUNNING_LIMIT - len(self._tasks)
        if room <= 0:
            return _ROUND_S  # a delivery that ends wakes us
        # Half of what is free at most: slow events of some functions leave room for those of the others.
        leases = await asyncio.wrap_future(
            self._queue.lease(max(room // 2, 1), self._shares(), _UNKNOWN_IN_FLIGHT)
        )
        for lease in leases:
            self._leases[lease.seq] = lease
            task = self._loop.create_task(self._deliver(lease))
            self._tasks.add(task)
            task.add_done_callback(self._ended)
        due_ns = await asyncio.wrap_future(self._queue.next_due_ns())
        if due_ns is None:
            return _ROUND_S
        return min(max((due_ns - time.time_ns()) / 1e9, 0.01 if leases else 0.05), _ROUND_S)

    def _shares(self) -> dict[str, int]:
        """How many events of each function may run at once: its workers, and no more than it leaves free."""
        running = Counter(lease.event.function for lease in self._leases.values())
        total = len(self._tasks)
        return {
            function: min(workers, max((RUNNING_LIMIT - total + running[function]) // 2, 1))
            for function, workers in self._in_flight().items()
        }

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._wake.set()
        if not task.cancelled() and task.exception() is not None:
            _log.error("an event was not delivered", exc_info=task.exception())

    async def _deliver(self, lease: Lease) -> None:
        try:
            await self._run(lease)
        finally:  # whatever went wrong: a lease that nobody works on must run out
            self._leases.pop(lease.seq, None)

    async def _run(self, lease: Lease) -> None:
        if self._elsewhere is not None and self._elsewhere.takes(lease.event.function):
            await self._hand_on(lease, self._elsewhere)
            return
        try:
            request = request_of(lease, self._started_ns)
        except (msgspec.MsgspecError, ValueError) as error:
            # No retry could help; left alone, its lease would be extended for ever.
            text = f"it cannot be read: {error}"
            await self._settled(lease, lambda: self._queue.fail(lease, text, retry=False))
            return
        try:
            if request.qualifier:
                await self._ready(request.function, request.qualifier)
            outcome = await self._dispatcher.submit(request)
        except Stopping:
            await self._settled(lease, lambda: self._queue.release(lease))
            return
        except NotFound as error:  # the function, the version or the alias
            text = error.message
            await self._settled(lease, lambda: self._queue.fail(lease, text, retry=False))
            return
        await self._conclude(lease, outcome)

    async def _hand_on(self, lease: Lease, elsewhere: Elsewhere) -> None:
        try:
            await elsewhere.deliver(lease.event)
        except ReliveError as error:
            text = f"{type(error).__name__}: {error.message}"
            retry = not isinstance(error, UsageError)  # no retry makes it smaller, or readable
            await self._settled(lease, lambda: self._queue.fail(lease, text, retry=retry))
        except (msgspec.MsgspecError, ValueError, OSError) as error:
            text = f"{type(error).__name__}: {error}"
            await self._settled(lease, lambda: self._queue.fail(lease, text))
        else:
            await self._settled(lease, lambda: self._queue.complete(lease))

    async def _conclude(self, lease: Lease, outcome: Outcome) -> None:
        record = outcome.record
        if outcome.ok:
            body = outcome.body if len(outcome.body) <= _RESULT_KEPT_BYTES else None
            then = self._elsewhere.after_success(lease, outcome) if self._elsewhere is not None else None
            await self._settled(
                lease,
                lambda: self._queue.complete(
                    lease, invocation_id=record.invocation_id, result=body, then=then
                ),
            )
        elif record.error is not None and record.error.kind in ("cancelled", "loop"):
            # Who ended it does not want it once more; a loop is one the next time, too.
            text = f"{record.error.type}: {record.error.message}"
            await self._settled(lease, lambda: self._queue.fail(lease, text, retry=False))
        elif record.status == "rejected":
            # It never reached a worker: that is no attempt, but the queue must not spin.
            await asyncio.sleep(_REFUSED_PAUSE_S)
            await self._settled(lease, lambda: self._queue.release(lease))
        else:
            error = record.error
            text = f"{error.type}: {error.message}" if error is not None else record.status
            await self._settled(lease, lambda: self._queue.fail(lease, text))

    async def _settled(self, lease: Lease, settle: Callable[[], Future[Any]]) -> None:
        """Tell the queue how a delivery ended. What the disk refuses now is told again until it takes it: the
        event has run, and must not run twice for that."""
        told = False
        while True:
            try:
                await asyncio.wrap_future(settle())
                break
            except StaleLease:
                _log.warning("the lease of event %s had run out: it may run twice", lease.event.event_id)
                break
            except ReliveError as error:
                if not told:
                    _log.error("the end of event %s is not written yet: %s", lease.event.event_id, error)
                told = True
            await asyncio.sleep(_SETTLE_AGAIN_S)  # the heartbeat keeps the lease

    async def _heartbeat(self) -> None:
        while True:
            await asyncio.sleep(self._lease_s / 3)
            for lease in list(self._leases.values()):
                if self._leases.get(lease.seq) is not lease:
                    continue  # its delivery has ended since
                try:
                    await asyncio.wrap_future(self._queue.extend(lease))
                except ReliveError as error:
                    if isinstance(error, StaleLease) and self._leases.get(lease.seq) is not lease:
                        continue  # it ended meanwhile
                    _log.warning("the lease of event %s was not extended: %s", lease.event.event_id, error)

    async def stop(self) -> None:
        """Take no more events; those that run go on."""
        self._stopping = True
        self._wake.set()

    async def close(self, timeout_s: float) -> None:
        """Wait for what runs, then let go; what is left is delivered again after the next start."""
        await self.stop()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=timeout_s)
        for task in [*self._tasks, *self._background]:
            task.cancel()
        await asyncio.gather(*self._tasks, *self._background, return_exceptions=True)
