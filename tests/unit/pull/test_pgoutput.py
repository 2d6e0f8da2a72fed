"""Messages of pgoutput: any bytes are a message or malformed, and what PostgreSQL writes is read."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from relive_platform.triggers.pull.postgres.pgoutput import (
    UNCHANGED,
    Begin,
    Change,
    Column,
    Commit,
    Malformed,
    Note,
    Relation,
    Truncate,
    parse,
)


def cell(value: object) -> bytes:
    """As pgoutput writes one column."""
    if value is None:
        return b"n"
    if value is UNCHANGED:
        return b"u"
    assert isinstance(value, bytes)
    return b"t" + struct.pack(">i", len(value)) + value


def row(values: list[object]) -> bytes:
    return struct.pack(">H", len(values)) + b"".join(map(cell, values))


CELLS = st.lists(st.one_of(st.none(), st.just(UNCHANGED), st.binary(max_size=20)), max_size=8)


@settings(max_examples=50)
@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_malformed(data: bytes) -> None:
    try:
        parse(data)
    except Malformed:
        pass  # never anything else


@settings(max_examples=50)
@given(st.sampled_from(b"BCRIUDTM"), st.binary(max_size=80))
def test_any_rest_of_a_known_message_is_a_message_or_malformed(kind: int, rest: bytes) -> None:
    try:
        parse(bytes([kind]) + rest)
    except Malformed:
        pass


@settings(max_examples=50)
@given(CELLS, CELLS)
def test_rows_come_back_as_they_were_written(old: list[object], new: list[object]) -> None:
    head = struct.pack(">I", 7)
    assert parse(b"I" + head + b"N" + row(new)) == Change("insert", 7, None, new)
    assert parse(b"U" + head + b"K" + row(old) + b"N" + row(new)) == Change("update", 7, old, new)
    assert parse(b"U" + head + b"O" + row(old) + b"N" + row(new)) == Change("update", 7, old, new, True)
    assert parse(b"D" + head + b"O" + row(old)) == Change("delete", 7, old, None, True)


@settings(max_examples=50)
@given(CELLS, st.integers(1, 5))
def test_a_message_that_ends_too_early_is_malformed(new: list[object], missing: int) -> None:
    whole = b"I" + struct.pack(">I", 7) + b"N" + row([*new, b"12345"])
    with pytest.raises(Malformed):
        parse(whole[:-missing])


def test_the_other_messages() -> None:
    begin = parse(b"B" + struct.pack(">QqI", 0x16B3748, 0, 812))
    assert begin == Begin(0x16B3748, "2000-01-01T00:00:00.000000Z", 812)
    assert parse(b"C" + struct.pack(">bQQq", 0, 1, 2, 3)) == Commit(2)
    columns = struct.pack(">H", 1) + b"\1id\0" + struct.pack(">Ii", 20, -1)
    relation = parse(b"R" + struct.pack(">I", 7) + b"\0orders\0d" + columns)
    assert relation == Relation(7, "pg_catalog", "orders", "d", (Column("id", True, 20),))
    assert parse(b"T" + struct.pack(">IbII", 2, 0, 7, 8)) == Truncate((7, 8))
    assert parse(b"M" + struct.pack(">bQ", 1, 5) + b"traceparent\0" + struct.pack(">i", 2) + b"00") == Note(
        "traceparent", b"00"
    )
    assert parse(b"Y" + b"whatever") is None
    with pytest.raises(Malformed, match="time"):
        parse(b"B" + struct.pack(">QqI", 1, 2**62, 1))
