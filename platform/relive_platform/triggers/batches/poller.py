"""Takes the messages of a queue to a function, batch by batch, and tells the queue what became of each."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, Protocol

from relive_base.errors import ReliveError

from relive_platform.engine.invocation import InvokeRequest, Outcome
from relive_platform.resources.queue.messages import OURS
from relive_platform.resources.queue.model import Held, Received, UnknownQueue
from relive_platform.resources.queue.naming import QueueNaming
from relive_platform.resources.queue.queues import MessageQueues
from relive_platform.triggers.batches.event import failed_items
from relive_platform.triggers.batches.mapping import MappingReport, QueueMapping
from relive_platform.triggers.batches.tracing import batch_request

__all__ = ["Poller", "Teller"]

_WAIT_S: Final = 20.0
_HOLD_S: Final = 60.0  # after a kill -9 the next start gives back what was held
_PAUSE_S: Final = 1.0
_REFUSED_PAUSE_S: Final = 0.25
_EVENT_BYTES: Final = 4 * 1024 * 1024  # of bodies: with what is around them an event stays below 6 MB
_log = logging.getLogger(__name__)


class Teller(Protocol):
    """Who is told how a batch ended, to tell the traces of its messages."""

    def __call__(
        self, batch: Sequence[Received], failed: set[str], outcome: Outcome, began_ns: int, /
    ) -> None: ...


class Poller:
    """One mapping at work. Everything runs on the event loop."""

    def __init__(
        self,
        mapping: QueueMapping,
        queues: MessageQueues,
        submit: Callable[[InvokeRequest], Awaitable[Outcome]],
        naming: QueueNaming,
        tell: Teller,
        matches: Callable[[Received], bool] | None = None,
    ) -> None:
        """`matches`: which messages the function wants; the others are deleted."""
        self.mapping = mapping
        self.report = MappingReport(uuid=mapping.uuid, function=mapping.function, queue=mapping.queue)
        self._queues = queues
        self._submit = submit
        self._naming = naming
        self._tell = tell
        self._matches = matches
        self._slots = asyncio.Semaphore(mapping.max_concurrency)
        self._held: dict[int, Held] = {}  # by the message's number
        self._batches: set[asyncio.Task[None]] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = False

    def start(self) -> None:
        """Begin."""
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._poll()), loop.create_task(self._heartbeat())]

    def stop(self) -> None:
        """Receive nothing more; what runs goes on."""
        self._stopping = True
        self._queues.wake(self.mapping.queue)

    async def close(self, timeout_s: float) -> None:
        """Wait for what runs, then let go; what is left is received again after the next start."""
        self.stop()
        tasks = {*self._batches, *self._tasks[:1]}
        if tasks:
            await asyncio.wait(tasks, timeout=timeout_s)
        for task in (*self._batches, *self._tasks):
            task.cancel()
        await asyncio.gather(*self._batches, *self._tasks, return_exceptions=True)

    # ------------------------------------------------------------ receiving

    async def _poll(self) -> None:
        while not self._stopping:
            await self._slots.acquire()
            taken = False
            try:
                batch = await self._gather()
                self.report.problem = ""
                taken = bool(batch)
            except UnknownQueue as error:
                self.report.problem = error.message
                await asyncio.sleep(_PAUSE_S)
            except ReliveError as error:  # a full disk, a file that cannot be read: it may pass
                self.report.problem = error.message
                _log.error("messages of %s cannot be received: %s", self.mapping.queue, error)
                await asyncio.sleep(_PAUSE_S)
            finally:
                if not taken:
                    self._slots.release()
            if taken:
                task = asyncio.get_running_loop().create_task(self._deliver(batch))
                self._batches.add(task)
                task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._batches.discard(task)
        self._slots.release()
        if not task.cancelled() and task.exception() is not None:
            _log.error("a batch of %s was not delivered", self.mapping.queue, exc_info=task.exception())

    async def _gather(self) -> list[Received]:
        """The next batch: full, or what came within the window after its first message."""
        mapping, loop = self.mapping, asyncio.get_running_loop()
        batch = await self._receive(mapping.batch_size, _WAIT_S, _EVENT_BYTES)
        end = loop.time() + mapping.batch_window_s
        size = sum(len(received.message.body) for received in batch)
        while batch and len(batch) < mapping.batch_size and size < _EVENT_BYTES and not self._stopping:
            left_s = end - loop.time()
            if left_s <= 0:
                break
            more = await self._receive(mapping.batch_size - len(batch), left_s, _EVENT_BYTES - size)
            batch += more
            size += sum(len(received.message.body) for received in more)
        return batch

    async def _receive(self, count: int, wait_s: float, most_bytes: int) -> list[Received]:
        received = await self._queues.receive(
            self.mapping.queue,
            count,
            wait_s=wait_s,
            visibility_s=_HOLD_S,
            holder=OURS,
            most_bytes=most_bytes,
            wanted=lambda: not self._stopping,
        )
        self._held |= {entry.seq: Held(entry.seq, entry.token) for entry in received}
        self.report.held = len(self._held)
        if self._matches is None:
            return received
        wanted = [entry for entry in received if self._matches(entry)]
        others = [entry for entry in received if entry not in wanted]
        if others:
            await self._settled(others, self._queues.complete)
            self.report.filtered += len(others)
        return wanted

    async def _heartbeat(self) -> None:
        while True:
            await asyncio.sleep(_HOLD_S / 3)
            if self._held:
                try:
                    await self._queues.extend(self.mapping.queue, list(self._held.values()), _HOLD_S)
                except ReliveError as error:
                    _log.warning("messages of %s are not held on to: %s", self.mapping.queue, error)

    # ------------------------------------------------------------ delivering

    async def _deliver(self, batch: list[Received]) -> None:
        began_ns = time.time_ns()
        self.report.running += 1
        try:
            await self._run(batch, began_ns)
        finally:
            self.report.running -= 1
            self._let_go(batch)

    async def _run(self, batch: list[Received], began_ns: int) -> None:
        try:
            outcome = await self._submit(batch_request(self.mapping, batch, self._naming))
        except ReliveError as error:  # it stops, or has no such function: nothing has run
            self.report.problem = error.message
            await asyncio.sleep(_REFUSED_PAUSE_S)
            await self._settled(batch, self._queues.give_back)
            return
        record = outcome.record
        refused = record.error.kind if record.error is not None else ""
        if record.status == "rejected" and refused not in ("cancelled", "loop"):
            # It never reached a worker: that is no receive, but the queue must not spin.
            self.report.last_result = f"PROBLEM: {record.error.message if record.error else 'throttled'}"
            await asyncio.sleep(_REFUSED_PAUSE_S)
            await self._settled(batch, self._queues.give_back)
            return
        failed = self._failed(batch, outcome)
        self._count(batch, failed, outcome)
        done = [received for received in batch if received.message_id not in failed]
        left = [received for received in batch if received.message_id in failed]
        if done:
            await self._settled(done, self._queues.complete)
        if left:
            await self._settled(left, lambda name, held: self._queues.fail(name, held, began_ns))
        self._tell(batch, failed, outcome, began_ns)

    def _failed(self, batch: Sequence[Received], outcome: Outcome) -> set[str]:
        known = {received.message_id for received in batch}
        if not outcome.ok:
            return known
        if not self.mapping.report_batch_item_failures:
            return set()
        found = failed_items(outcome.body, known)
        if found is None:
            _log.warning(
                "%s: its answer to a batch of %s has no valid batchItemFailures: all of it has failed",
                self.mapping.function,
                self.mapping.queue,
            )
            return known
        return found

    def _count(self, batch: Sequence[Received], failed: set[str], outcome: Outcome) -> None:
        report, error = self.report, outcome.error
        report.batches += 1
        report.messages += len(batch)
        report.failed += len(failed)
        if error is not None:
            report.last_result = f"PROBLEM: {error.type}: {error.message}"
        else:
            report.last_result = f"PROBLEM: {len(failed)} of {len(batch)} messages failed" if failed else "OK"

    async def _settled(
        self, batch: Sequence[Received], settle: Callable[[str, Sequence[Held]], Awaitable[Any]]
    ) -> None:
        """Tell the queue. What the disk refuses now is told again until it takes it: the batch has run, and
        must not run twice for that."""
        held = [Held(received.seq, received.token) for received in batch]
        told = False
        while True:
            try:
                await settle(self.mapping.queue, held)
                break
            except ReliveError as error:
                if not told:
                    _log.error("the end of a batch of %s is not written yet: %s", self.mapping.queue, error)
                told = True
            await asyncio.sleep(_PAUSE_S)  # the heartbeat keeps the messages
        self._let_go(batch)

    def _let_go(self, batch: Sequence[Received]) -> None:
        for received in batch:
            self._held.pop(received.seq, None)
        self.report.held = len(self._held)
