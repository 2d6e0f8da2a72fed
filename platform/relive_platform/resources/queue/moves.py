"""Moving dead letters back: a task for each queue, which goes on after a restart."""

from __future__ import annotations

import asyncio
import base64
import logging
import sqlite3
import uuid
from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol, TypeVar

import msgspec
from relive_base.errors import NotFound, Refused, ReliveError

from relive_platform.durable.model import Clock
from relive_platform.resources.queue import statements as sql
from relive_platform.resources.queue.messages import MessageTable
from relive_platform.resources.queue.shelf import Shelf

__all__ = ["MoveInProgress", "MoveRows", "MoveTask", "Mover", "UnknownMove"]

_STEP: Final = 100
_KEPT: Final = 10  # finished tasks of a queue
_PAUSE_S: Final = 1.0
_log = logging.getLogger(__name__)
T = TypeVar("T")


class UnknownMove(NotFound):
    """There is no such task, or it has ended."""


class MoveInProgress(Refused):
    """A task moves the messages of this queue already."""


class MoveTask(msgspec.Struct, kw_only=True):
    """One task. An empty `target`: each message goes to the queue that it came from."""

    handle: str
    source: str
    target: str = ""
    rate: int = 0  # messages a second; 0: as fast as it goes
    status: str = "RUNNING"  # or COMPLETED, CANCELLED, FAILED
    moved: int = 0
    total: int = 0
    until_seq: int = 0
    started_ns: int = 0
    why: str = ""


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(MoveTask)


class MoveRows:
    """Not thread-safe: the committer's thread alone calls it."""

    def __init__(self, db: sqlite3.Connection, clock: Clock, shelf: Shelf, messages: MessageTable) -> None:
        self._db = db
        self._clock = clock
        self._shelf = shelf
        self._messages = messages

    def of(self, source: str) -> list[MoveTask]:
        """A queue's tasks, newest first. Raises UnknownQueue."""
        queue = self._shelf.get(source)
        rows = self._db.execute(sql.MOVES, (queue.id,)).fetchall()
        return sorted((_decoder.decode(text) for _, text in rows), key=lambda task: -task.started_ns)

    def running(self) -> list[MoveTask]:
        """Those that a server before has left."""
        return [
            task for queue in self._shelf for task in self.of(queue.info.name) if task.status == "RUNNING"
        ]

    def begin(self, source: str, target: str, rate: int) -> MoveTask:
        """A new task. Raises UnknownQueue, MoveInProgress."""
        queue = self._shelf.get(source)
        if target:
            self._shelf.get(target)
        tasks = self.of(source)
        if any(task.status == "RUNNING" for task in tasks):
            raise MoveInProgress
        now_ns = self._clock.time_ns()
        visible = queue.count - sum(self._messages.hidden(queue, now_ns))
        plain = msgspec.json.encode({"taskId": str(uuid.uuid4()), "sourceArn": source})
        task = MoveTask(
            handle=base64.urlsafe_b64encode(plain).decode(),
            source=source,
            target=target,
            rate=rate,
            total=visible,
            until_seq=self._db.execute(sql.LAST).fetchone()[0],
            started_ns=now_ns,
        )
        for old in tasks[_KEPT - 1 :]:
            self._db.execute(sql.DROP_MOVE, (old.handle,))
        self._put(task)
        return task

    def _put(self, task: MoveTask) -> None:
        queue = self._shelf.find(task.source)
        if queue is not None:
            self._db.execute(sql.PUT_MOVE, (task.handle, queue.id, _encoder.encode(task)))

    def find(self, handle: str) -> MoveTask:
        """A task that runs. Raises UnknownMove."""
        for task in self.running():
            if task.handle == handle:
                return task
        raise UnknownMove

    def cancel(self, handle: str) -> MoveTask:
        """End a task. Raises UnknownMove."""
        task = self.find(handle)
        task.status = "CANCELLED"
        self._put(task)
        return task

    def step(self, handle: str, count: int) -> MoveTask:
        """Move up to `count` messages of a task, and keep how far it is. Raises UnknownMove."""
        task = self.find(handle)
        queue = self._shelf.get(task.source)
        now_ns = self._clock.time_ns()
        rows = self._db.execute(sql.DUE_UNTIL, (queue.id, now_ns, task.until_seq, count)).fetchall()
        for row in rows:
            target = self._shelf.find(task.target or self._messages.origin(row))
            if target is None or target is queue:
                task.status, task.why = "FAILED", "CouldNotDetermineMessageSource"
                break
            self._messages.move(queue, row, target, now_ns)
            task.moved += 1
        else:
            if not rows:
                task.status = "COMPLETED"
        self._put(task)
        return task


class Rows(Protocol):
    """Runs work on the rows in the file's thread."""

    def __call__(self, work: Callable[[MoveRows], T], /) -> Awaitable[T]: ...


class Mover:
    """Has the tasks run, on the event loop."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._tasks: set[asyncio.Task[None]] = set()

    async def resume(self) -> None:
        """Go on with what a server before has left."""
        for task in await self._rows(lambda rows: rows.running()):
            self._run(task)

    async def begin(self, source: str, target: str, rate: int) -> MoveTask:
        """A new task. Raises UnknownQueue, MoveInProgress."""
        task = await self._rows(lambda rows: rows.begin(source, target, rate))
        self._run(task)
        return task

    async def cancel(self, handle: str) -> MoveTask:
        """End a task. Raises UnknownMove."""
        return await self._rows(lambda rows: rows.cancel(handle))

    async def listing(self, source: str) -> list[MoveTask]:
        """A queue's tasks, newest first. Raises UnknownQueue."""
        return await self._rows(lambda rows: rows.of(source))

    def close(self) -> None:
        """Pause: the next start goes on."""
        for task in self._tasks:
            task.cancel()

    def _run(self, task: MoveTask) -> None:
        running = asyncio.get_running_loop().create_task(self._move(task))
        self._tasks.add(running)
        running.add_done_callback(self._tasks.discard)

    async def _move(self, task: MoveTask) -> None:
        count = min(task.rate or _STEP, _STEP)
        while True:
            try:
                found: Any = await self._rows(lambda rows: rows.step(task.handle, count))
            except UnknownMove:
                return
            except ReliveError as error:
                _log.error("dead letters of %s cannot be moved now: %s", task.source, error)
                await asyncio.sleep(_PAUSE_S)
                continue
            if found.status != "RUNNING":
                return
            await asyncio.sleep(count / task.rate if task.rate else 0)
