"""All queues of the file with what each holds; how much more one may take."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

import msgspec

from relive_platform.durable.model import Clock, DiskFull
from relive_platform.resources.queue import statements as sql
from relive_platform.resources.queue.model import MessageLimits, QueueFull, QueueInfo, UnknownQueue

__all__ = ["ROW_BYTES", "Queue", "Shelf"]

ROW_BYTES: Final = 300  # of a message beside its body and detail: the other columns and the indexes
_LOOK_AFTER_BYTES: Final = 1024 * 1024
_LOOK_AFTER_NS: Final = 200_000_000
_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(QueueInfo)


@dataclass(slots=True)
class Queue:
    """One queue. The numbers of what has become of messages count since the server's start."""

    id: int
    info: QueueInfo
    count: int = 0
    bytes: int = 0
    held: int = 0  # at most so many are in flight
    tally: dict[str, int] = field(default_factory=dict)

    def tell(self, what: str, count: int = 1) -> None:
        """Something has become of `count` messages."""
        self.tally[what] = self.tally.get(what, 0) + count


class Shelf:
    """Not thread-safe: the committer's thread alone calls it. `free_bytes` looks at the disk."""

    def __init__(
        self, db: sqlite3.Connection, clock: Clock, limits: MessageLimits, free_bytes: Callable[[], int]
    ) -> None:
        self._db = db
        self._clock = clock
        self._limits = limits
        self._free_bytes = free_bytes
        self._free = self._grown = self._looked_ns = 0
        self._queues: dict[str, Queue] = {}
        self.orphans: set[int] = set()  # of queues that are gone, whose messages are still to be deleted
        self.ready: set[str] = set()  # queues whose messages can be received since the last commit

    def load(self) -> None:
        """Read everything again."""
        tallies = {queue.id: queue.tally for queue in self._queues.values()}
        found = [(queue_id, _decoder.decode(text)) for queue_id, text in self._db.execute(sql.QUEUES)]
        self._queues = {info.name: Queue(queue_id, info) for queue_id, info in found}
        by_id = {queue.id: queue for queue in self._queues.values()}
        self.orphans = set()
        for queue_id, count, size in self._db.execute(sql.TOTALS):
            queue = by_id.get(queue_id)
            if queue is None:
                self.orphans.add(queue_id)
            else:
                queue.count, queue.bytes, queue.held = count, size + count * ROW_BYTES, count
        for queue in self._queues.values():
            queue.tally = tallies.get(queue.id, {})
        self.ready = set(self._queues)
        self._looked_ns = 0

    def __iter__(self) -> Iterator[Queue]:
        return iter(list(self._queues.values()))

    def __len__(self) -> int:
        return len(self._queues)

    def find(self, name: str) -> Queue | None:
        """A queue by its name."""
        return self._queues.get(name)

    def get(self, name: str) -> Queue:
        """A queue by its name. Raises UnknownQueue."""
        queue = self._queues.get(name)
        if queue is None:
            raise UnknownQueue(f"there is no queue {name!r}", hint="`relive resources` lists them")
        return queue

    def put(self, info: QueueInfo) -> Queue:
        """Add a queue, or change the one of that name."""
        document, queue = _encoder.encode(info), self._queues.get(info.name)
        if queue is None:
            row = self._db.execute(sql.ADD_QUEUE, (info.name, document)).lastrowid
            queue = self._queues[info.name] = Queue(int(row or 0), info)
        else:
            self._db.execute(sql.CHANGE_QUEUE, (document, queue.id))
            queue.info = info
        return queue

    def drop(self, queue: Queue) -> None:
        """Delete a queue; its messages go little by little."""
        self._db.execute(sql.DROP_QUEUE, (queue.id,))
        self._db.execute(sql.FORGET_SENT_OF, (queue.id,))
        self._db.execute(sql.DROP_MOVES, (queue.id,))
        del self._queues[queue.info.name]
        self.orphans.add(queue.id)

    # ------------------------------------------------------------ room

    def admit(self, queue: Queue, size: int) -> None:
        """Whether a queue may take a message of `size` bytes more. Raises QueueFull, DiskFull."""
        name, most = queue.info.name, queue.info.max_messages or self._limits.messages
        if queue.count >= most:
            raise QueueFull(
                f"the queue {name} holds {queue.count:,} messages, the most it may",
                hint="receive and delete some, or raise max_messages or RELIVE_MESSAGE_LIMIT",
            )
        room = queue.info.max_bytes or self._limits.bytes
        if queue.bytes + size > room:
            raise QueueFull(
                f"the queue {name} holds {queue.bytes:,} of {room:,} bytes",
                hint="receive and delete some, or raise max_bytes or RELIVE_MESSAGE_BYTES",
            )
        free = self.free(size)  # of a small disk a queue gets as much as it leaves to the others
        if queue.bytes + size > free:
            raise DiskFull(
                f"the queue {name} holds {queue.bytes:,} bytes, and the disk has {max(free, 0):,} left",
                hint="free disk space; messages that were accepted are safe",
            )

    def free(self, size: int) -> int:
        """What the disk has left after `size` more bytes; it is not asked for each small message."""
        now_ns = self._clock.monotonic_ns()
        stale = not self._looked_ns or now_ns - self._looked_ns > _LOOK_AFTER_NS
        if stale or self._grown > _LOOK_AFTER_BYTES:
            self._free, self._grown, self._looked_ns = self._free_bytes(), 0, now_ns
        self._grown += size + ROW_BYTES
        return self._free - self._grown
