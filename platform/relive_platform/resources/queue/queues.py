"""The queues of messages as the rest of the platform uses them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeVar

from relive_base.errors import ReliveError

from relive_platform.durable.committer import Committer
from relive_platform.durable.model import Clock, CommitLimits, QueueError, SystemClock
from relive_platform.resources.queue.messages import OTHERS
from relive_platform.resources.queue.model import (
    Held,
    Message,
    MessageLimits,
    QueueCounts,
    QueueInfo,
    Received,
    Sent,
)
from relive_platform.resources.queue.moves import Mover
from relive_platform.resources.queue.store import QueueStore

__all__ = ["MessageQueues"]

_NS: Final = 1_000_000_000
_NO_LIMIT: Final = 1 << 62
_PURGE_STEP: Final = 500
_LOOK_AGAIN_S: Final = 5.0  # if nobody says that there is something
_SOON_S: Final = 0.01
T = TypeVar("T")


class MessageQueues:
    """All queues of a home, in one file of their own; it is made with the first queue. Every coroutine
    belongs to the event loop, and returns after the commit that makes its outcome durable."""

    def __init__(self, path: Path, limits: MessageLimits | None = None, clock: Clock | None = None) -> None:
        self._path = path
        self._limits = limits or MessageLimits()
        self._clock = clock or SystemClock()
        self._committer: Committer | None = None
        self._store: QueueStore | None = None
        self._opening = asyncio.Lock()
        self._closed = False
        self.mover = Mover(lambda work: self._do(lambda store: work(store.moves)))
        self._waiting: dict[str, set[asyncio.Future[None]]] = {}

    async def open(self, *, make: bool = True) -> bool:
        """Open the file, or make it. Whether it is open. Raises QueueError."""
        fresh = False
        async with self._opening:
            if self._store is None and not self._closed and (make or self._path.exists()):
                self._store = await asyncio.to_thread(self._open, asyncio.get_running_loop())
                fresh = True
        if fresh:
            await self.mover.resume()
        return self._store is not None

    def _open(self, loop: asyncio.AbstractEventLoop) -> QueueStore:
        limits = CommitLimits(
            what="the queues' file",
            thing="messages",
            backlog=self._limits.backlog,
            setting="RELIVE_MESSAGE_BACKLOG",
            ballast_bytes=self._limits.ballast_bytes,
            thread="relive-queues",
        )
        committer = Committer(self._path, self._clock, limits)
        store = QueueStore(committer.db, self._clock, self._limits, committer.free_bytes)

        def begin() -> None:
            committer.space.open()
            store.open()

        def committed() -> None:
            if store.shelf.ready:
                names, store.shelf.ready = store.shelf.ready, set()
                try:
                    loop.call_soon_threadsafe(self._ready, names)
                except RuntimeError:
                    pass  # the loop has ended: there is nobody left to wake

        committer.prepare(begin)
        committer.reload = store.shelf.load
        committer.committed = committed
        committer.tidy = store.tidy
        committer.idle = store.idle
        committer.start()
        self._committer = committer
        return store

    def stop(self) -> None:
        """Begin nothing more."""
        self.mover.close()

    def close(self) -> None:
        """Work off what waits and close the file. Blocks; safe to call twice."""
        self._closed = True
        if self._committer is not None:
            self._committer.close()

    def copy(self, target: Path, limit_s: float, wanted: Callable[[], bool]) -> Future[None] | None:
        """The queues' file as it is at one moment, as `target`; None if it is not open."""
        return None if self._committer is None else self._committer.copy(target, limit_s, wanted)

    @property
    def disk_full(self) -> bool:
        """Whether the disk is full, so that messages are refused."""
        return self._committer is not None and self._committer.disk_full

    async def _do(self, work: Callable[[QueueStore], T], *, adds_to: str = "") -> T:
        await self.open()
        store, committer = self._store, self._committer
        if store is None or committer is None:
            raise QueueError("the queues' file is closed", where=str(self._path))
        return await asyncio.wrap_future(committer.submit(lambda: work(store), adds_to=adds_to))

    # ------------------------------------------------------------ queues

    async def create(self, wanted: QueueInfo, same: Collection[str] = ("fifo",)) -> QueueInfo:
        """A new queue, or the one of that name if it is the `same` in these fields. Raises QueueExists,
        QueueFull."""
        return await self._do(lambda store: store.create(wanted, same))

    async def declare(self, wanted: Sequence[QueueInfo]) -> None:
        """These are the queues that applications declare."""

        def work(store: QueueStore) -> None:
            for info in wanted:
                store.declare(info)
            store.undeclare(frozenset(info.name for info in wanted))

        if wanted or await self.open(make=False):
            await self._do(work)

    async def change(self, name: str, change: Callable[[QueueInfo], QueueInfo]) -> QueueInfo:
        """Set attributes of a queue. Raises UnknownQueue, and what `change` raises, in the file's thread."""
        return await self._do(lambda store: store.change(name, change))

    async def delete_queue(self, name: str) -> None:
        """A queue with all in it. Raises UnknownQueue."""
        await self._do(lambda store: store.delete(name))

    async def info(self, name: str) -> QueueInfo:
        """One queue. Raises UnknownQueue."""
        return await self._do(lambda store: store.shelf.get(name).info)

    async def infos(self) -> list[QueueInfo]:
        """All queues, by name; none if there never was one."""
        return await self._do(lambda store: store.infos()) if await self.open(make=False) else []

    async def counts(self, name: str) -> QueueCounts:
        """How much is in a queue. Raises UnknownQueue."""
        return await self._do(lambda store: store.counts(name))

    async def purge(self, name: str, *, often: bool = False) -> int:
        """Delete the messages that are in a queue now. Gives how many. Raises UnknownQueue, and PurgeTooOften
        unless it may be done `often`."""
        last = await self._do(lambda store: store.begin_purge(name, often=often))
        total = 0
        while count := await self._do(lambda store: store.messages.purge(name, last, _PURGE_STEP)):
            total += count
        return total

    # ------------------------------------------------------------ messages

    async def send(self, name: str, message: Message) -> Sent:
        """A message is durable when this returns. Raises UnknownQueue, TooLarge, QueueFull, QueueBusy,
        DiskFull, and UsageError for what a FIFO queue wants."""
        return await self._do(lambda store: store.messages.send(name, message), adds_to=name)

    async def send_all(self, name: str, messages: Sequence[Message]) -> list[Sent | ReliveError]:
        """Several, in their order and in one commit; what is refused has its error in place."""
        return await self._do(lambda store: store.messages.send_all(name, messages), adds_to=name)

    async def receive(
        self,
        name: str,
        count: int = 1,
        *,
        wait_s: float = 0.0,
        visibility_s: float | None = None,
        holder: int = OTHERS,
        most_bytes: int = _NO_LIMIT,
        wanted: Callable[[], bool] = lambda: True,
    ) -> list[Received]:
        """Up to `count` messages; waits up to `wait_s` for the first, as long as they are `wanted` (see
        `wake`). They are hidden from others for `visibility_s`. Raises UnknownQueue, OverInFlight."""
        loop = asyncio.get_running_loop()
        end = loop.time() + wait_s
        while True:
            with self._watching(name) as waiter:  # before it looks: what comes in between must be heard
                work = self._do(
                    lambda store: store.messages.receive(name, count, visibility_s, holder, most_bytes)
                )
                found, due_ns = await self._or_back(name, asyncio.ensure_future(work))
                left_s = end - loop.time()
                if found or left_s <= 0 or not wanted():
                    return found
                await asyncio.wait([waiter], timeout=min(left_s, self._pause_s(due_ns)))

    def _pause_s(self, due_ns: int | None) -> float:
        if due_ns is None:
            return _LOOK_AGAIN_S
        return min(max((due_ns - self._clock.time_ns()) / _NS, _SOON_S), _LOOK_AGAIN_S)

    @contextmanager
    def _watching(self, name: str) -> Iterator[asyncio.Future[None]]:
        """A future that is set when messages of a queue may be received."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        line = self._waiting.setdefault(name, set())
        line.add(waiter)
        try:
            yield waiter
        finally:
            line.discard(waiter)
            if not line and self._waiting.get(name) is line:
                del self._waiting[name]

    async def _or_back(
        self, name: str, taking: asyncio.Future[tuple[list[Received], int | None]]
    ) -> tuple[list[Received], int | None]:
        """What is taken; given back if whoever asked for it has gone meanwhile."""
        try:
            return await asyncio.shield(taking)
        except asyncio.CancelledError:
            taking.add_done_callback(lambda done: self._return(name, done))
            raise

    def _return(self, name: str, taken: asyncio.Future[tuple[list[Received], int | None]]) -> None:
        store = self._store
        if taken.cancelled() or taken.exception() is not None or self._committer is None or store is None:
            return
        held = [Held(received.seq, received.token) for received in taken.result()[0]]
        if held:
            self._committer.submit(lambda: store.messages.give_back(name, held))

    def wake(self, name: str) -> None:
        """Have those who wait for a queue's messages look whether they are still wanted."""
        self._ready({name})

    def _ready(self, names: set[str]) -> None:
        for name in names:
            for waiter in self._waiting.get(name, ()):
                if not waiter.done():
                    waiter.set_result(None)

    async def delete(self, name: str, receipt: str) -> None:
        """A message is done. Raises UnknownQueue, BadReceipt, StaleReceipt."""
        await self._do(lambda store: store.messages.delete(name, receipt))

    async def change_visibility(self, name: str, receipt: str, seconds: int) -> None:
        """Hide a received message for `seconds` from now. Raises UnknownQueue, BadReceipt, NotInFlight,
        StaleReceipt."""
        await self._do(lambda store: store.messages.change_visibility(name, receipt, seconds))

    async def complete(self, name: str, held: Sequence[Held]) -> int:
        """These are done; gives how many were still held."""
        return await self._do(lambda store: store.messages.complete(name, held))

    async def fail(self, name: str, held: Sequence[Held], since_ns: int) -> int:
        """These, received at `since_ns`, have failed; gives how many are dead letters now."""
        return await self._do(lambda store: store.messages.fail(name, held, since_ns))

    async def give_back(self, name: str, held: Sequence[Held]) -> None:
        """These never reached a worker."""
        await self._do(lambda store: store.messages.give_back(name, held))

    async def extend(self, name: str, held: Sequence[Held], seconds: float) -> None:
        """These are still worked on."""
        await self._do(lambda store: store.messages.extend(name, held, seconds))
