"""Changes of tables as a source: `peek` at a slot, and `advance` it as the acknowledgement.

Peeking never loses anything: what is not advanced over comes again. A transaction is read through a cursor
that PostgreSQL holds, so that a large one is neither in our memory nor keeps a snapshot open.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any, Final

from relive_base.within import within

from relive_platform.triggers.pull.connector import Lag, Lost, Record
from relive_platform.triggers.pull.postgres import statements as sql
from relive_platform.triggers.pull.postgres.config import PostgresTrigger
from relive_platform.triggers.pull.postgres.pgoutput import Relation, parse
from relive_platform.triggers.pull.postgres.setup import connect, ensure_publication, ensure_slot, slot_name
from relive_platform.triggers.pull.postgres.transactions import Transactions, lsn_text
from relive_platform.triggers.pull.postgres.types import TypeBook
from relive_platform.triggers.pull.postgres.wake import Wake

__all__ = ["ChangesConnector", "left_behind"]

PEEK_CHANGES: Final = 2_000  # PostgreSQL ends at the first commit after so many
ROWS_AT_ONCE: Final = 200
_IDLE_ADVANCE_S: Final = 10.0
_IDLE_ADVANCE_BYTES: Final = 16 * 1024 * 1024
_WITH_NOTES: Final = 140_000  # PostgreSQL 14 sends what pg_logical_emit_message wrote
_MB: Final = 1024 * 1024


class ChangesConnector:
    """One slot. The next peek comes when all of the last one is acknowledged."""

    extend_s = 0.0
    answer_s = 3_600.0  # a large transaction is decoded before its first row comes

    def __init__(self, trigger: PostgresTrigger, address: str, tag: str) -> None:
        import psycopg  # noqa: F401 - the puller tells which extra is missing

        self.keep_s = 900.0
        self._trigger = trigger
        self._address = address
        self._tag = tag
        self._slot = slot_name(trigger, tag)
        self._publication = ""
        self._connection: Any = None
        self._wake = Wake(trigger.channel, trigger.poll_s)
        self._first: list[Any] = []
        self._idle = False
        self._reading: Any = None  # the cursor of the peek that is not read to its end
        self._transactions: Transactions | None = None
        self._types: TypeBook | None = None
        self._outstanding = 0
        self._settled = asyncio.Event()
        self._empty_at = -1  # the last position at which a peek found nothing
        self._advanced_to = 0
        self._advanced_s = 0.0

    async def open(self) -> None:
        self._connection = await connect(self._address)
        self._publication = await ensure_publication(self._connection, self._trigger, self._tag)
        await ensure_slot(self._connection, self._trigger, self._tag)
        # After a crash PostgreSQL may have the slot where it was at the checkpoint before.
        cursor = await self._connection.execute(sql.CHECKPOINT_TIMEOUT)
        found = await cursor.fetchone()
        self.keep_s = 2.0 * (found[0] if found is not None else 300) + 60.0
        self._types = TypeBook(self._connection)
        await self._wake.open(self._address)

    async def fetch(self, count: int, wait_s: float, full: frozenset[str]) -> list[Record]:
        if self._reading is None:
            if self._outstanding:
                await self._all_settled(wait_s)
                return []
            if self._idle and not await self._wake.wait(wait_s):
                return []
            self._idle = not await self._peek()
            if self._idle:
                return []
        return await self._read(min(count, ROWS_AT_ONCE))

    async def _all_settled(self, wait_s: float) -> None:
        try:
            await within(self._settled.wait(), wait_s)
        except TimeoutError:
            pass  # the function has not taken them yet

    async def _peek(self) -> bool:
        """Whether there is anything. What commits while we look has a later position than `flushed`."""
        flushed = await self._flushed()
        if flushed == self._empty_at:
            return False
        notes = self._connection.info.server_version >= _WITH_NOTES
        assert self._types is not None
        self._transactions = Transactions(
            self._types,
            self._connection.info.dbname,
            self._trigger.operations,
            self._trigger.trace_column,
        )
        cursor = self._connection.cursor("relive_changes", withhold=True)
        statement = sql.PEEK_WITH_NOTES if notes else sql.PEEK
        publications = '"' + self._publication.replace('"', '""') + '"'
        await cursor.execute(statement, (self._slot, PEEK_CHANGES, publications), binary=True)
        rows = await cursor.fetchmany(1)
        if not rows:
            await cursor.close()
            self._empty_at = flushed
            await self._pass_over(flushed)
            return False
        self._reading, self._first = cursor, rows
        return True

    async def _flushed(self) -> int:
        cursor = await self._connection.execute(sql.FLUSHED)
        found: int = (await cursor.fetchone())[0]
        return found

    async def _pass_over(self, flushed: int) -> None:
        """Nothing of ours is before `flushed`: what others write must not be kept back for us."""
        far = flushed - self._advanced_to > _IDLE_ADVANCE_BYTES
        if far or time.monotonic() - self._advanced_s > _IDLE_ADVANCE_S:
            await self._advance(flushed)

    async def _read(self, count: int) -> list[Record]:
        """Rows of the peek; at its end the cursor is closed."""
        transactions, types = self._transactions, self._types
        assert transactions is not None
        assert types is not None
        rows, self._first = self._first, []
        rows = [*rows, *await self._reading.fetchmany(count)]
        records: list[Record] = []
        for (data,) in rows:
            message = parse(bytes(data))
            if message is None:
                continue
            if isinstance(message, Relation):
                await types.learn(column.type_oid for column in message.columns)
            records += transactions.feed(message)
        self._outstanding += len(records)
        if self._outstanding:
            self._settled.clear()
        if not rows:
            await self._reading.close()
            self._reading = None
            if not self._outstanding:  # transactions without a change that is asked for
                await self._advance(transactions.ended_lsn)
        return records

    def holds(self, record: Record) -> bool:
        return True

    async def ack(self, records: Sequence[Record]) -> None:
        ends = [record.handle for record in records if record.handle is not None]
        self._outstanding -= len(records)
        if not self._outstanding and self._reading is None and self._transactions is not None:
            ends.append(self._transactions.ended_lsn)
        if ends:
            await self._advance(max(ends))
        if not self._outstanding:
            self._settled.set()

    async def _advance(self, lsn: int) -> None:
        if lsn > self._advanced_to:
            await self._connection.execute(sql.ADVANCE, (self._slot, lsn_text(lsn)))
            self._advanced_to, self._advanced_s = lsn, time.monotonic()

    async def nak(self, records: Sequence[Record]) -> None:
        """They were not advanced over: they come again."""

    async def extend(self, records: Sequence[Record]) -> None:
        """Nobody else reads the slot."""

    async def lag(self) -> Lag:
        cursor = await self._connection.execute(sql.SLOT, (self._slot,))
        found = await cursor.fetchone()
        if found is None:
            raise Lost(f"the slot {self._slot} is gone: somebody has dropped it, and changes may be lost")
        _, _, status, _, behind, kept, _ = found
        details = {"slot": self._slot, "publication": self._publication, "kept_bytes": kept, "wal": status}
        limit_mb = self._trigger.max_lag_mb
        if kept is None or kept <= limit_mb * _MB:
            warning = self._wake.warning
            return Lag(behind, "bytes", warning, details)
        over = f"the slot {self._slot} keeps back {kept // _MB:,} MB of WAL, over {limit_mb:,} MB"
        if self._trigger.over_lag == "drop":
            await self._connection.execute(sql.DROP_SLOT, (self._slot,))
            raise Lost(f"{over}: it was dropped, and the changes in it are lost", hint="a new one begins now")
        return Lag(behind, "bytes", f"{over}: PostgreSQL's disk may fill", details)

    def envelope(self, records: Sequence[Record], encoded: Sequence[Any]) -> Any:
        return {
            "eventSource": "relive:postgres",
            "database": self._connection.info.dbname,
            "records": list(encoded),
        }

    async def close(self) -> None:
        await self._wake.close()
        if self._connection is not None:
            await self._connection.close()


async def left_behind(address: str, tag: str, trigger: PostgresTrigger) -> Lag | None:
    """The slot of a trigger that nobody has any more; it is dropped if that was asked for."""
    if trigger.outbox:
        return None
    name = slot_name(trigger, tag)
    connection = await connect(address)
    try:
        cursor = await connection.execute(sql.LEFT_BEHIND, (name,))
        found = await cursor.fetchone()
        if found is None:
            return None
        kept = found[0] or 0
        if trigger.over_lag == "drop" and kept > trigger.max_lag_mb * _MB:
            await connection.execute(sql.DROP_SLOT, (name,))
            return None
        drop = f"SELECT pg_drop_replication_slot('{name}')"
        warning = f"no function has it any more, and its slot keeps WAL back: deploy it again, or {drop}"
        if not trigger.publication:
            warning += f"; DROP PUBLICATION {name}"
        return Lag(kept, "bytes", warning, {"slot": name})
    finally:
        await connection.close()
