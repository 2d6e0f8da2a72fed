"""Columns as msgpack."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from relive_store import QueryError
from relive_store.packing import pack, unpack

CELLS = st.text(st.characters(exclude_categories=["Cs"]), max_size=3) | st.integers(0, 3) | st.none()


@given(st.dictionaries(st.text("abc", max_size=2), st.lists(CELLS, max_size=6), max_size=4))
def test_columns_are_unpacked_as_they_were_packed(columns: dict[str, list[object]]) -> None:
    assert unpack(pack(columns)) == columns


def test_a_column_of_equal_cells_takes_no_more_room_with_more_of_them() -> None:
    few, many = ({"resource": [{"service.name": "shop"}] * count} for count in (100, 10_000))

    assert len(pack(many)) <= len(pack(few)) + 4
    assert unpack(pack(many)) == many


@pytest.mark.parametrize(
    "packed",
    [
        msgspec.msgpack.encode([1, 2]),
        msgspec.msgpack.encode({"a": msgspec.msgpack.Ext(9, b"x")}),
        msgspec.msgpack.encode({"a": msgspec.msgpack.Ext(1, msgspec.msgpack.encode((1 << 40, "x")))}),
    ],
)
def test_what_no_writer_of_ours_has_packed_is_refused(packed: bytes) -> None:
    with pytest.raises(QueryError):
        unpack(packed)
