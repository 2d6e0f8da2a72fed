"""What PostgreSQL's output plugin `pgoutput` writes, version 1 of its protocol: bytes to messages."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from relive_platform.triggers.pull.connector import PullError

__all__ = [
    "UNCHANGED",
    "Begin",
    "Change",
    "Column",
    "Commit",
    "Malformed",
    "Note",
    "Relation",
    "Truncate",
    "Unchanged",
    "parse",
]

_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)


class Malformed(PullError):
    """A message of PostgreSQL cannot be read."""


class Unchanged:
    """In the place of a large value that an update did not touch, and which PostgreSQL does not send."""

    __slots__ = ()


UNCHANGED: Final = Unchanged()
Cell = bytes | None | Unchanged
Row = list[Cell]


@dataclass(frozen=True, slots=True)
class Begin:
    """A transaction; all of its changes follow. `lsn`: of its commit."""

    lsn: int
    time: str
    xid: int


@dataclass(frozen=True, slots=True)
class Commit:
    """Its end. `end_lsn`: what to advance to."""

    end_lsn: int


@dataclass(frozen=True, slots=True)
class Column:
    """Of a relation. `key`: part of its replica identity."""

    name: str
    key: bool
    type_oid: int


@dataclass(frozen=True, slots=True)
class Relation:
    """A table, told before its first change."""

    oid: int
    schema: str
    name: str
    identity: str  # "d": its primary key, "f": the whole row, "i": an index, "n": nothing
    columns: tuple[Column, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """A row. `whole`: whether `old` is all of it, and not its key alone."""

    operation: str  # "insert" | "update" | "delete"
    relation: int
    old: Row | None
    new: Row | None
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Truncate:
    """Tables that were emptied."""

    relations: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Note:
    """Of pg_logical_emit_message."""

    prefix: str
    content: bytes


Message = Begin | Commit | Relation | Change | Truncate | Note


class _Reader:
    """Every read is checked: what ends too early is malformed."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, count: int) -> bytes:
        end = self._at + count
        if count < 0 or end > len(self._data):
            raise Malformed(f"a message of pgoutput ends after {len(self._data)} bytes")
        found = self._data[self._at : end]
        self._at = end
        return found

    def number(self, form: str) -> int:
        found: int = struct.unpack(f">{form}", self.take(struct.calcsize(f">{form}")))[0]
        return found

    def text(self) -> str:
        end = self._data.find(b"\0", self._at)
        if end < 0:
            raise Malformed("a text of pgoutput has no end")
        found = self._data[self._at : end]
        self._at = end + 1
        return found.decode("utf-8", "backslashreplace")

    def row(self) -> Row:
        cells: Row = []
        for _ in range(self.number("H")):
            kind = self.take(1)
            if kind == b"n":
                cells.append(None)
            elif kind == b"u":
                cells.append(UNCHANGED)
            elif kind == b"t":
                cells.append(self.take(self.number("i")))
            else:
                raise Malformed(f"a column of pgoutput has the unknown kind {kind!r}")
        return cells


def parse(data: bytes) -> Message | None:
    """One message; None for those that say nothing of rows. Raises Malformed."""
    reader = _Reader(data)
    reads = _READS.get(reader.take(1))
    return reads(reader) if reads is not None else None


def _begin(reader: _Reader) -> Begin:
    lsn, micros = reader.number("Q"), reader.number("q")
    try:
        time = (_EPOCH + timedelta(microseconds=micros)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    except OverflowError as error:
        raise Malformed(f"a transaction's time is {micros}") from error
    return Begin(lsn, time, reader.number("I"))


def _commit(reader: _Reader) -> Commit:
    reader.number("b")
    reader.number("Q")
    return Commit(reader.number("Q"))


def _relation(reader: _Reader) -> Relation:
    oid = reader.number("I")
    schema = reader.text() or "pg_catalog"
    name, identity = reader.text(), reader.take(1).decode("latin-1")
    columns = []
    for _ in range(reader.number("H")):
        key = bool(reader.number("b") & 1)
        column = Column(reader.text(), key, reader.number("I"))
        reader.number("i")
        columns.append(column)
    return Relation(oid, schema, name, identity, tuple(columns))


def _insert(reader: _Reader) -> Change:
    oid = reader.number("I")
    _expect(reader, b"N")
    return Change("insert", oid, None, reader.row())


def _update(reader: _Reader) -> Change:
    oid, kind, old = reader.number("I"), reader.take(1), None
    if kind in (b"K", b"O"):
        old = reader.row()
        _expect(reader, b"N")
    elif kind != b"N":
        raise Malformed(f"an update of pgoutput has the unknown row {kind!r}")
    return Change("update", oid, old, reader.row(), kind == b"O")


def _delete(reader: _Reader) -> Change:
    oid, kind = reader.number("I"), reader.take(1)
    if kind not in (b"K", b"O"):
        raise Malformed(f"a delete of pgoutput has the unknown row {kind!r}")
    return Change("delete", oid, reader.row(), None, kind == b"O")


def _truncate(reader: _Reader) -> Truncate:
    count = reader.number("I")
    reader.number("b")
    return Truncate(tuple(reader.number("I") for _ in range(count)))


def _note(reader: _Reader) -> Note:
    reader.number("b")
    reader.number("Q")
    prefix = reader.text()
    return Note(prefix, reader.take(reader.number("i")))


def _expect(reader: _Reader, kind: bytes) -> None:
    found = reader.take(1)
    if found != kind:
        raise Malformed(f"pgoutput has {found!r} in the place of {kind!r}")


_READS: Final[dict[bytes, Callable[[_Reader], Message]]] = {
    b"B": _begin,
    b"C": _commit,
    b"R": _relation,
    b"I": _insert,
    b"U": _update,
    b"D": _delete,
    b"T": _truncate,
    b"M": _note,
}
