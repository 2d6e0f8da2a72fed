"""Sending, receiving and deleting messages. Not thread-safe: the committer's thread alone calls it.

Every operation checks before it writes, so one that raises has changed nothing and its batch can go on.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec
from relive_base.errors import ReliveError, UsageError
from relive_base.ids import new_invocation_id

from relive_platform.durable.model import Clock
from relive_platform.resources.queue import statements as sql
from relive_platform.resources.queue.model import (
    Held,
    Message,
    MessageLimits,
    NotInFlight,
    OverInFlight,
    Received,
    Sent,
    StaleReceipt,
    TooLarge,
)
from relive_platform.resources.queue.receipts import Receipts
from relive_platform.resources.queue.shelf import ROW_BYTES, Queue, Shelf

__all__ = ["OTHERS", "OURS", "MessageTable", "message_bytes"]

NOBODY, OURS, OTHERS = range(3)
_NS: Final = 1_000_000_000
_PAUSE_NS: Final = 100_000_000  # a failure with a visibility timeout of 0 must not spin
_SENT_BEFORE_NS: Final = 300 * _NS
_MOST_AT_ONCE: Final = 10_000
_ROUNDS: Final = 100  # of looking for messages behind those that are too old, or dead letters


class MessageTable:
    """The operations on messages."""

    def __init__(
        self, db: sqlite3.Connection, clock: Clock, limits: MessageLimits, shelf: Shelf, receipts: Receipts
    ) -> None:
        self._db = db
        self._clock = clock
        self._limits = limits
        self._shelf = shelf
        self._receipts = receipts
        self._encoder = msgspec.json.Encoder()
        self._decoder = msgspec.json.Decoder(Message)

    # ------------------------------------------------------------ in

    def send(self, name: str, message: Message) -> Sent:
        """Add a message. Raises UnknownQueue, TooLarge, UsageError, QueueFull, DiskFull."""
        queue = self._shelf.get(name)
        info = queue.info
        self._check(queue, message)
        now_ns = self._clock.time_ns()
        known = scope = identity = None
        if info.fifo:
            scope = message.group if info.group_deduplication else ""
            identity = message.deduplication_id or hashlib.sha256(message.body).hexdigest()
            message = msgspec.structs.replace(message, deduplication_id=identity)
            known = self._db.execute(sql.SENT_BEFORE, (queue.id, scope, identity)).fetchone()
        if known is not None and known[2] > now_ns:
            return Sent(message_id=known[0], sequence=known[1], duplicate=True)
        message_id = message.message_id or new_invocation_id()
        detail = self._detail(message)
        self._shelf.admit(queue, len(message.body) + len(detail))
        delay_s = info.delay_s if message.delay_s is None else message.delay_s
        grp = message.group if info.fifo else None
        seq = self._insert(queue, now_ns, now_ns + delay_s * _NS, grp, message_id, detail, message.body)
        if identity is not None:
            row = (queue.id, scope, identity, now_ns + _SENT_BEFORE_NS, message_id, seq)
            self._db.execute(sql.REMEMBER, row)
        queue.tell("sent")
        return Sent(message_id=message_id, sequence=seq)

    def send_all(self, name: str, messages: Sequence[Message]) -> list[Sent | ReliveError]:
        """Each by itself, in their order. Raises UnknownQueue."""
        self._shelf.get(name)
        found: list[Sent | ReliveError] = []
        for message in messages:
            try:
                found.append(self.send(name, message))
            except ReliveError as error:
                found.append(error)
        return found

    def _check(self, queue: Queue, message: Message) -> None:
        info = queue.info
        size = message_bytes(message)
        if size > info.max_message_bytes:
            raise TooLarge(
                f"the message has {size:,} bytes with its attributes, of {info.max_message_bytes:,} at most",
                hint="keep large payloads elsewhere and send where they are",
                limit=info.max_message_bytes,
            )
        if not info.fifo:
            return
        if not message.group:
            raise UsageError("a message of a FIFO queue has a group", hint="give MessageGroupId")
        if message.delay_s:
            raise UsageError("a FIFO queue delays all its messages, or none", hint="leave DelaySeconds out")
        if not message.deduplication_id and not info.content_deduplication:
            raise UsageError(
                "a message of a FIFO queue has a deduplication id",
                hint="give MessageDeduplicationId, or set content_deduplication",
            )

    def _detail(self, message: Message) -> bytes:
        return self._encoder.encode(msgspec.structs.replace(message, body=b"", message_id="", delay_s=None))

    def _insert(
        self, queue: Queue, sent_ns: int, due_ns: int, grp: str | None, ident: str, detail: bytes, body: bytes
    ) -> int:
        head = grp is None or not self._db.execute(sql.IN_GROUP, (queue.id, grp)).fetchone()
        row = (queue.id, int(head), due_ns, sent_ns, grp, ident, detail, body)
        seq = self._db.execute(sql.INSERT, row).lastrowid
        queue.count += 1
        queue.bytes += len(body) + len(detail) + ROW_BYTES
        self._shelf.ready.add(queue.info.name)
        return int(seq or 0)

    # ------------------------------------------------------------ out

    def receive(
        self, name: str, count: int, visibility_s: float | None, holder: int, most_bytes: int
    ) -> tuple[list[Received], int | None]:
        """Up to `count` messages, hidden from others for `visibility_s` (None: the queue's), and if there is
        none, when the next is due. `most_bytes`: of their bodies together, but for the first."""
        queue = self._shelf.get(name)
        now_ns = self._clock.time_ns()
        count = min(count, _MOST_AT_ONCE, self._room(queue, now_ns))
        hidden_s = queue.info.visibility_timeout_s if visibility_s is None else visibility_s
        until_ns = now_ns + int(hidden_s * _NS)
        taken: list[Received] = []
        size = 0
        for _ in range(_ROUNDS):
            rows = list(self._due(queue, now_ns, count - len(taken)))
            for row in rows:
                size += len(row[-1])
                if taken and size > most_bytes:
                    return taken, None
                if self._unfit(queue, row, now_ns):
                    continue
                taken.append(self._take(queue, row, now_ns, until_ns, holder))
            if not rows or len(taken) >= count or hidden_s <= 0:
                break
        return taken, None if taken else self.next_due_ns(queue)

    def _due(self, queue: Queue, now_ns: int, count: int) -> Iterator[tuple[Any, ...]]:
        """Rows that may be received now, whole groups in their order."""
        heads = self._db.execute(sql.DUE, (queue.id, now_ns, count)).fetchall()
        if not queue.info.fifo:
            yield from heads
            return
        for head in heads:
            if count <= 0:
                return
            for row in self._db.execute(sql.GROUP_FROM, (queue.id, head[6], head[0], count)).fetchall():
                if row[1] > now_ns:
                    break  # it is in somebody's hands, and keeps back those behind it
                count -= 1
                yield row

    def _room(self, queue: Queue, now_ns: int) -> int:
        """How many more may be in flight. Raises OverInFlight."""
        limit = self._limits.in_flight_fifo if queue.info.fifo else self._limits.in_flight
        if queue.held >= limit:
            queue.held = self.hidden(queue, now_ns)[0]
        if queue.held >= limit:
            raise OverInFlight(
                f"{queue.held:,} messages of {queue.info.name} are received and not deleted",
                hint="delete what is done",
            )
        return limit - queue.held

    def _unfit(self, queue: Queue, row: tuple[Any, ...], now_ns: int) -> bool:
        """Whether a message is too old, or a dead letter; then it is gone from here."""
        seq, _, receives, _, sent_ns, _, grp, _, detail, body = row
        info = queue.info
        if now_ns - sent_ns > info.retention_s * _NS:
            self._remove(queue, seq, grp, True, len(detail) + len(body))
            queue.tell("expired")
            return True
        redrive = info.redrive
        if redrive is None or receives < redrive.max_receives:
            return False
        return self._bury(queue, row, now_ns)

    def _bury(self, queue: Queue, row: tuple[Any, ...], now_ns: int) -> bool:
        target = self._shelf.find(queue.info.redrive.queue) if queue.info.redrive is not None else None
        if target is None or target is queue:
            return False  # it is delivered on: better than lost
        self.move(queue, row, target, now_ns)
        queue.tell("dead")
        return True

    def move(self, queue: Queue, row: tuple[Any, ...], target: Queue, now_ns: int) -> None:
        """Put a message into another queue, at its end. No limit refuses that: it was accepted."""
        seq, _, _, _, sent_ns, _, grp, ident, detail, body = row
        message = self._decoder.decode(detail)
        detail = self._detail(msgspec.structs.replace(message, dead_from=queue.info.name))
        if target.info.fifo:
            sent_ns, grp = now_ns, grp or message.group or ident
        self._remove(queue, seq, row[6], True, len(row[8]) + len(body))
        self._insert(target, sent_ns, now_ns, grp if target.info.fifo else None, ident, detail, body)

    def origin(self, row: tuple[Any, ...]) -> str:
        """The queue whose dead letter it is; "" for none."""
        return self._decoder.decode(row[8]).dead_from

    def _take(self, queue: Queue, row: tuple[Any, ...], now_ns: int, until_ns: int, holder: int) -> Received:
        seq, due_ns, receives, token, sent_ns, first_ns, _, ident, detail, body = row
        self._db.execute(sql.TAKE, (until_ns, holder, now_ns, seq))
        queue.held += 1
        queue.tell("received")
        return Received(
            queue=queue.info.name,
            message=msgspec.structs.replace(self._decoder.decode(detail), body=body),
            message_id=ident,
            seq=seq,
            receipt=self._receipts.make(queue.id, seq, token + 1),
            receives=receives + 1,
            sent_ns=sent_ns,
            first_received_ns=first_ns or now_ns,
            due_ns=due_ns,
            token=token + 1,
        )

    def next_due_ns(self, queue: Queue) -> int | None:
        """When the next message can be received; None if there is none at all."""
        found: int | None = self._db.execute(sql.NEXT_DUE, (queue.id,)).fetchone()[0]
        return found

    def hidden(self, queue: Queue, now_ns: int) -> tuple[int, int]:
        """How many are in flight, and how many wait for their delay."""
        pairs = [self._db.execute(sql.HIDDEN, (queue.id, head, now_ns)).fetchone() for head in (0, 1)]
        return pairs[0][0] + pairs[1][0], pairs[0][1] + pairs[1][1]

    # ------------------------------------------------------------ by receipt handle

    def delete(self, name: str, receipt: str) -> None:
        """A message is done, or was already. Raises BadReceipt, StaleReceipt."""
        queue = self._shelf.get(name)
        held = self._receipts.read(receipt, queue.id)
        row = self._db.execute(sql.FIND, (queue.id, held.seq)).fetchone()
        if row is None:
            return
        token, visible_ns, _, grp, head, _, size = row
        # Of a standard queue an older receipt is good, too: whoever has worked on it has done so.
        if queue.info.fifo and (token != held.token or visible_ns <= self._clock.time_ns()):
            raise StaleReceipt
        self._remove(queue, held.seq, grp, head, size)
        queue.tell("deleted")

    def change_visibility(self, name: str, receipt: str, seconds: int) -> None:
        """Hide a message for `seconds` from now; 0: it can be received at once. Of a standard queue an older
        receipt is good, too, as with SQS. Raises BadReceipt, NotInFlight, StaleReceipt."""
        queue = self._shelf.get(name)
        held = self._receipts.read(receipt, queue.id)
        row = self._db.execute(sql.FIND, (queue.id, held.seq)).fetchone()
        now_ns = self._clock.time_ns()
        if row is None:
            raise NotInFlight
        if queue.info.fifo and (row[0] != held.token or row[1] <= now_ns):
            raise StaleReceipt
        self._db.execute(sql.HIDE, (now_ns + seconds * _NS, OTHERS, held.seq))
        self._shelf.ready.add(name)

    # ------------------------------------------------------------ by a trigger of this server

    def complete(self, name: str, held: Sequence[Held]) -> int:
        """These are done; gives how many still were in the hands of whoever says so."""
        queue = self._shelf.find(name)
        done = 0
        for each, row in self._mine(queue, held):
            assert queue is not None
            self._remove(queue, each.seq, row[3], row[4], row[6])
            queue.tell("deleted")
            done += 1
        return done

    def fail(self, name: str, held: Sequence[Held], since_ns: int) -> int:
        """These, received at `since_ns`, have failed: they come again after the visibility timeout, or are
        dead letters at once if it was the last time. What its function has hidden for a time of its own stays
        so. Gives how many died."""
        queue = self._shelf.find(name)
        now_ns = self._clock.time_ns()
        hidden_s = queue.info.visibility_timeout_s if queue is not None else 0
        until_ns = max(since_ns + hidden_s * _NS, now_ns + _PAUSE_NS)
        dead = 0
        for each, row in self._mine(queue, held):
            assert queue is not None
            if row[2] != OURS:
                continue
            redrive = queue.info.redrive
            if redrive is not None and row[5] >= redrive.max_receives:
                whole = self._db.execute(sql.ROW, (queue.id, each.seq)).fetchone()
                if self._bury(queue, whole, now_ns):
                    dead += 1
                    continue
            self._db.execute(sql.HIDE, (until_ns, NOBODY, each.seq))
            self._shelf.ready.add(name)
        return dead

    def give_back(self, name: str, held: Sequence[Held]) -> None:
        """These never reached a worker: no receive is counted."""
        queue = self._shelf.find(name)
        for each, _ in self._mine(queue, held):
            self._db.execute(sql.GIVE_BACK, (self._clock.time_ns(), each.seq))
            self._shelf.ready.add(name)

    def extend(self, name: str, held: Sequence[Held], seconds: float) -> None:
        """A heartbeat."""
        until_ns = self._clock.time_ns() + int(seconds * _NS)
        for each, row in self._mine(self._shelf.find(name), held):
            if row[2] == OURS:
                self._db.execute(sql.HIDE, (until_ns, OURS, each.seq))

    def _mine(
        self, queue: Queue | None, held: Sequence[Held]
    ) -> Iterator[tuple[Held, tuple[int, int, int, str | None, int, int, int]]]:
        """Those of `held` that nobody has received since."""
        for each in held if queue is not None else ():
            assert queue is not None
            row = self._db.execute(sql.FIND, (queue.id, each.seq)).fetchone()
            if row is not None and row[0] == each.token:
                yield each, row

    def _remove(self, queue: Queue, seq: int, grp: str | None, head: int, size: int) -> None:
        self._db.execute(sql.DELETE, (seq,))
        queue.count -= 1
        queue.bytes -= size + ROW_BYTES
        queue.held = min(queue.held, queue.count)
        if grp is not None and head:
            following = self._db.execute(sql.NEXT_IN_GROUP, (queue.id, grp)).fetchone()
            if following is not None:
                self._db.execute(sql.MAKE_HEAD, following)
                self._shelf.ready.add(queue.info.name)

    # ------------------------------------------------------------ many

    def purge(self, name: str, until_seq: int, count: int) -> int:
        """Delete up to `count` messages that were there when `until_seq` was the last. Gives how many."""
        queue = self._shelf.get(name)
        rows = self._db.execute(sql.SOME, (queue.id, until_seq, count)).fetchall()
        for seq, grp, _, size in rows:
            self._remove(queue, seq, grp, True, size)
        return len(rows)

    def expire(self, queue: Queue, now_ns: int, count: int) -> int:
        """Delete up to `count` messages that are too old. Gives how many."""
        before_ns = now_ns - queue.info.retention_s * _NS
        rows = self._db.execute(sql.EXPIRED, (queue.id, before_ns, count)).fetchall()
        for seq, grp, head, size in rows:
            self._remove(queue, seq, grp, head, size)
        if rows:
            queue.tell("expired", len(rows))
        return len(rows)


def message_bytes(message: Message) -> int:
    """Its size as SQS counts it: the body, and the attributes' names, types and values."""
    size = len(message.body)
    for name, value in message.attributes.items():
        size += len(name.encode()) + len(value.type.encode()) + len(value.text.encode()) + len(value.binary)
    return size
