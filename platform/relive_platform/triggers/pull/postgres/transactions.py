"""Messages of pgoutput become records, transaction by transaction."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from relive_platform.triggers.pull.connector import Record
from relive_platform.triggers.pull.postgres.pgoutput import (
    UNCHANGED,
    Begin,
    Change,
    Commit,
    Malformed,
    Note,
    Relation,
    Row,
    Truncate,
    Unchanged,
)
from relive_platform.triggers.pull.postgres.types import TypeBook
from relive_platform.triggers.pull.postgres.values import value_of

__all__ = ["Transactions", "lsn_text"]

TRACE_PREFIX: Final = "traceparent"
_TRACE_BYTES: Final = 128


class Transactions:
    """`feed` each message of one peek. A record is given once the next message is known: the last one of a
    transaction carries the position to advance to."""

    def __init__(
        self, types: TypeBook, database: str, operations: Collection[str], trace_column: str
    ) -> None:
        self._types = types
        self._database = database
        self._operations = operations
        self._trace_column = trace_column
        self._relations: dict[int, Relation] = {}
        self._begin = Begin(0, "", 0)
        self._index = 0
        self._trace = ""
        self._last: Record | None = None
        self.ended_lsn = 0  # of the last transaction that was read to its end

    def feed(self, message: Begin | Commit | Relation | Change | Truncate | Note) -> list[Record]:
        """The records that are complete now."""
        if isinstance(message, Begin):
            self._begin, self._index, self._trace = message, 0, ""
        elif isinstance(message, Relation):
            self._relations[message.oid] = message
        elif isinstance(message, Note):
            if message.prefix == TRACE_PREFIX:
                self._trace = message.content[:_TRACE_BYTES].decode("latin-1")
        elif isinstance(message, Commit):
            return self._commit(message)
        else:
            return self._changed(message)
        return []

    def _commit(self, message: Commit) -> list[Record]:
        self.ended_lsn = message.end_lsn
        last, self._last = self._last, None
        if last is None:
            return []
        last.final, last.handle = True, message.end_lsn
        return [last]

    def _changed(self, message: Change | Truncate) -> list[Record]:
        operation = message.operation if isinstance(message, Change) else "truncate"
        if operation not in self._operations:
            return []
        found: list[Record] = []
        oids = (message.relation,) if isinstance(message, Change) else message.relations
        for oid in oids:
            if self._last is not None:
                found.append(self._last)
            if oid not in self._relations:
                raise Malformed(f"a change is of table {oid}, which pgoutput has not described")
            change = message if isinstance(message, Change) else None
            self._last = self._record(operation, self._relations[oid], change)
        return found

    def _record(self, operation: str, relation: Relation, change: Change | None) -> Record:
        begin = self._begin
        table = f"{relation.schema}.{relation.name}"
        data: dict[str, Any] = {
            "operation": operation,
            "schema": relation.schema,
            "table": relation.name,
            "key": {},
            "before": None,
            "after": None,
            "transaction": {
                "id": begin.xid,
                "lsn": lsn_text(begin.lsn),
                "index": self._index,
                "committed_at": begin.time,
            },
        }
        if change is not None:
            self._rows(data, relation, change)
        trace = self._trace_of(data)
        record = Record(
            mark=f"{begin.lsn:X}-{begin.xid}",
            index=self._index,
            final=False,
            data=data,
            contents=("before", "after"),
            type=f"postgres.{operation}",
            source=f"/postgres/{self._database}",
            subject=table,
            time=begin.time,
            payload=data,
            traceparent=trace,
        )
        self._index += 1
        return record

    def _rows(self, data: dict[str, Any], relation: Relation, change: Change) -> None:
        old, new = change.old, change.new
        missing: list[str] = []
        if new is not None:
            new, missing = _filled(relation, old if change.whole else None, new)
        whole = change.whole or relation.identity == "f"
        if old is not None and whole:
            data["before"] = self._values(relation, old)
        if new is not None:
            data["after"] = self._values(relation, new)
        keyed = old if old is not None else new  # of an update that changes the key: the old one
        if keyed is not None:
            data["key"] = self._values(relation, keyed, key_only=True)
        if missing:
            data["unchanged"] = missing

    def _values(self, relation: Relation, row: Row, *, key_only: bool = False) -> dict[str, Any]:
        found: dict[str, Any] = {}
        keyed = relation.identity != "f"  # else every column counts as key
        for column, cell in zip(relation.columns, row, strict=False):
            if isinstance(cell, Unchanged) or (key_only and not (column.key and keyed)):
                continue
            kind = self._types.kind(column.type_oid)
            found[column.name] = None if cell is None else value_of(cell, kind)
        return found

    def _trace_of(self, data: dict[str, Any]) -> str:
        for side in ("after", "before"):
            row = data[side]
            if row and isinstance(found := row.get(self._trace_column), str):
                return found[:_TRACE_BYTES]
        return self._trace


def _filled(relation: Relation, old: Row | None, new: Row) -> tuple[Row, list[str]]:
    """A new row with what the old one has of it, and the names of columns that neither has."""
    filled: Row = []
    missing = []
    for number, cell in enumerate(new):
        if cell is UNCHANGED and old is not None and number < len(old):
            cell = old[number]
        if cell is UNCHANGED and number < len(relation.columns):
            missing.append(relation.columns[number].name)
        filled.append(cell)
    return filled, missing


def lsn_text(lsn: int) -> str:
    """As PostgreSQL writes it: 0/16B3748."""
    return f"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:X}"
