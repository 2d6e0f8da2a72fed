"""An outbox table as a source: its rows are read in order, and deleted once they are safe here.

It needs no replication slot, and keeps nothing back. One reader at a time has a lock of the database on it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Final

from relive_platform.triggers.pull.connector import Lag, PullError, Record, SetupError
from relive_platform.triggers.pull.postgres import statements as sql
from relive_platform.triggers.pull.postgres.config import PostgresTrigger
from relive_platform.triggers.pull.postgres.setup import connect
from relive_platform.triggers.pull.postgres.types import TypeBook
from relive_platform.triggers.pull.postgres.values import value_of
from relive_platform.triggers.pull.postgres.wake import Wake

__all__ = ["OutboxConnector"]

_TRACE_CHARS: Final = 128


class OutboxConnector:
    """A row is seen when its transaction has committed, which need not be in the order of keys."""

    extend_s = 0.0
    keep_s = 900.0
    answer_s = 300.0

    def __init__(self, trigger: PostgresTrigger, address: str, tag: str) -> None:
        import psycopg  # noqa: F401 - the puller tells which extra is missing

        self._trigger = trigger
        self._address = address
        self._connection: Any = None
        self._types: TypeBook | None = None
        self._wake = Wake(trigger.channel, trigger.poll_s)
        self._idle = False
        self._schema = self._table = self._key = ""
        self._held: dict[str, Any] = {}  # the key's text -> its value
        self._select: Any = None
        self._delete: Any = None
        self._count: Any = None

    async def open(self) -> None:
        from psycopg.sql import SQL, Identifier

        self._connection = await connect(self._address)
        self._types = TypeBook(self._connection)
        await self._find()
        table, key = Identifier(self._schema, self._table), Identifier(self._key)
        order = Identifier(self._trigger.order_by or self._key)
        self._select = SQL(
            "SELECT t.{key}::text, t.{key}, t.* FROM {table} AS t"
            " WHERE t.{key}::text <> ALL (%s) ORDER BY t.{order} LIMIT %s"
        ).format(key=key, table=table, order=order)
        self._delete = SQL("DELETE FROM {table} WHERE {key} = ANY (%s)").format(table=table, key=key)
        self._count = SQL("SELECT count(*) FROM {table}").format(table=table)
        await self._wake.open(self._address)

    async def _find(self) -> None:
        name = self._trigger.outbox
        cursor = await self._connection.execute(sql.TABLE, (name,))
        found = await cursor.fetchone()
        if found is None:
            raise SetupError(f"there is no table {name!r}", hint="write its schema too, as in public.outbox")
        self._schema, self._table = found[:2]
        cursor = await self._connection.execute(sql.PRIMARY_KEY, (name,))
        keys = await cursor.fetchall()
        if len(keys) != 1:
            message = f"the outbox {name!r} has no primary key of one column"
            raise SetupError(message, hint="give it one, such as id bigserial PRIMARY KEY")
        self._key = keys[0][0]
        cursor = await self._connection.execute(sql.LOCK, (name,))
        if not (await cursor.fetchone())[0]:
            raise PullError(
                f"somebody else reads the outbox {name!r} now", hint="two servers must not share one"
            )

    async def fetch(self, count: int, wait_s: float, full: frozenset[str]) -> list[Record]:
        if self._idle and not await self._wake.wait(wait_s):
            return []
        cursor = await self._connection.execute(self._select, (list(self._held), count))
        columns = [(column.name, column.type_code) for column in cursor.description][2:]
        assert self._types is not None
        result = cursor.pgresult
        texts = [
            [result.get_value(number, index) for index in range(len(columns) + 2)]
            for number in range(result.ntuples)
        ]
        rows = await cursor.fetchall()
        await self._types.learn(oid for _, oid in columns)
        self._idle = len(rows) < count
        records = []
        for row, cells in zip(rows, texts, strict=True):
            self._held[row[0]] = row[1]
            records.append(self._record(row[0], columns, cells[2:]))
        return records

    def _record(self, key: str, columns: list[tuple[str, int]], cells: list[bytes | None]) -> Record:
        assert self._types is not None
        values: dict[str, Any] = {}
        digest = hashlib.blake2b(digest_size=4)
        for (name, oid), cell in zip(columns, cells, strict=True):
            digest.update(b"\0" if cell is None else b"\1" + cell)
            values[name] = None if cell is None else value_of(cell, self._types.kind(oid))
        trace = values.get(self._trigger.trace_column)
        data = {
            "operation": "insert",
            "schema": self._schema,
            "table": self._table,
            "key": {self._key: values.get(self._key)},
            "before": None,
            "after": values,
        }
        return Record(
            mark=f"{key}:{digest.hexdigest()}",
            data=data,
            contents=("after",),
            type="postgres.outbox",
            source=f"/postgres/{self._connection.info.dbname}",
            subject=f"{self._schema}.{self._table}",
            payload=values,
            traceparent=trace[:_TRACE_CHARS] if isinstance(trace, str) else "",
            handle=key,
        )

    def holds(self, record: Record) -> bool:
        return True

    async def ack(self, records: Sequence[Record]) -> None:
        keys = [self._held[record.handle] for record in records]
        await self._connection.execute(self._delete, (keys,))
        for record in records:
            self._held.pop(record.handle, None)

    async def nak(self, records: Sequence[Record]) -> None:
        """They stay in the table."""

    async def extend(self, records: Sequence[Record]) -> None:
        """The lock lasts as long as the connection."""

    async def lag(self) -> Lag:
        cursor = await self._connection.execute(self._count)
        count = (await cursor.fetchone())[0]
        return Lag(count, "records", self._wake.warning, {"table": f"{self._schema}.{self._table}"})

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
