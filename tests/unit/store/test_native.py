"""The Native codec: what is encoded is decoded as it was."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from relive_store import QueryError
from relive_store.native import codec as native
from relive_store.native.codec import decode, encode
from relive_store.native.maps import ATTRIBUTES

NOW = 1_790_000_000_123_456_789
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
KINDS: dict[str, st.SearchStrategy[object]] = {
    "UInt8": st.integers(0, 255),
    "Int64": st.integers(-(2**63), 2**63 - 1),
    "UInt64": st.integers(0, 2**64 - 1),
    "Float64": st.floats(allow_nan=False),
    "String": TEXT,
    "LowCardinality(String)": TEXT,
    "DateTime64(9)": st.integers(0, 2**63 - 1),
    "Bool": st.booleans(),
    "Nullable(Int32)": st.none() | st.integers(-(2**31), 2**31 - 1),
    "Map(LowCardinality(String), String)": st.dictionaries(TEXT, TEXT, max_size=4),
    "Array(UInt64)": st.lists(st.integers(0, 2**64 - 1), max_size=5),
    "Array(String)": st.lists(TEXT, max_size=2),
    "Array(DateTime64(9))": st.lists(st.integers(0, 2**63 - 1), max_size=5),
    "Array(LowCardinality(String))": st.lists(TEXT, max_size=5),
    "Array(Map(LowCardinality(String), String))": st.lists(
        st.dictionaries(TEXT, TEXT, max_size=3), max_size=3
    ),
}


@settings(deadline=None, max_examples=40)
@given(st.data(), st.integers(1, 6))
def test_a_block_is_decoded_as_it_was_encoded(data: st.DataObject, rows: int) -> None:
    types = {f"c{index}": spec for index, spec in enumerate(KINDS)}
    columns = {
        name: data.draw(st.lists(KINDS[spec], min_size=rows, max_size=rows)) for name, spec in types.items()
    }
    read = decode(encode(columns, types))
    assert dict(zip(read.names, read.types, strict=True)) == types
    assert dict(zip(read.names, read.data, strict=True)) == columns


def test_columns_of_attributes_and_of_empty_lists_are_as_the_driver_writes_them() -> None:
    same = {"service.name": "shop", "long": "x" * 300, "empty": ""}
    columns: dict[str, list[object]] = {
        "resources": [same] * 5,
        "none": [{}] * 5,
        "mixed": [same, {}, {f"n{i}": str(i) for i in range(300)}, {"empty": "é"}, same],
        "events": [[]] * 5,
        "names": [[]] * 5,
        "details": [[]] * 5,
    }
    kinds = [ATTRIBUTES] * 3 + ["Array(String)", "Array(LowCardinality(String))", f"Array({ATTRIBUTES})"]
    types = dict(zip(columns, kinds, strict=True))

    read = decode(encode(columns, types))

    assert dict(zip(read.names, read.data, strict=True)) == columns


def test_several_blocks_are_one_result() -> None:
    types = {"s": "String"}
    read = decode(encode({"s": ["a"]}, types) + encode({"s": ["b", "c" * 3_000_000]}, types))
    assert read.column("s") == ["a", "b", "c" * 3_000_000]


def test_bytes_stay_bytes_where_asked() -> None:
    data = encode({"s": [b"\xff\x00"], "t": [b"\xff"]}, {"s": "String", "t": "String"})
    assert decode(data, ["s"]).column("s") == [b"\xff\x00"]
    assert decode(data, ["s"]).column("t") == ["\N{REPLACEMENT CHARACTER}"]


@pytest.mark.parametrize("cut", [1, 5, 12])
def test_cut_off_data_is_refused(cut: int) -> None:
    data = encode({"s": ["hello"], "n": [1]}, {"s": "String", "n": "UInt64"})
    with pytest.raises(QueryError, match="cannot be read"):
        decode(data[:-cut])


def test_the_state_of_an_aggregate_is_refused_with_what_reads_it() -> None:
    # Given a block whose column is such a state
    head = b"".join(
        bytes([len(text)]) + text for text in (b"q", b"AggregateFunction(quantiles(0.5, 0.9), UInt64)")
    )
    with pytest.raises(QueryError) as refused:
        decode(b"\x01\x01" + head + b"\x00")
    # I expect the function that merges it; its bytes as text would help nobody
    assert "quantilesMerge(0.5, 0.9)(COLUMN)" in str(refused.value.hint)
    assert "toString" not in str(refused.value.hint)


@pytest.mark.parametrize(
    "value", [["text"], [-1], [2**64], [None], [[1]]], ids=["text", "negative", "large", "none", "list"]
)
def test_values_that_do_not_fit_are_refused(value: list[object]) -> None:
    with pytest.raises(QueryError, match="do not fit"):
        encode({"n": value}, {"n": "UInt64"})


@pytest.mark.parametrize(
    ("spec", "cell"),
    [
        ("String", "ä" * 3_000),
        ("String", ""),
        ("LowCardinality(String)", "hello"),
        ("LowCardinality(String)", ""),
        ("UInt8", 255),
        ("UInt64", 2**64 - 1),
        ("Int64", -(2**63)),
        ("DateTime64(9)", NOW),
        ("Bool", True),
        ("Float64", -0.0),
        ("Nullable(Int32)", None),
    ],
)
@pytest.mark.parametrize("rows", [63, 64, 300])
def test_a_cell_that_is_repeated_is_encoded_as_the_driver_does(
    spec: str, cell: object, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given what the driver makes of such a column
    columns, types = {"a": [cell] * rows, "b": list(range(rows))}, {"a": spec, "b": "UInt64"}
    with monkeypatch.context() as patched:
        patched.setattr(native, "write_repeated", lambda *_: False)
        expected = encode(columns, types)
    # When it is encoded, I expect columns that are decoded alike
    found = encode(columns, types)
    assert decode(found).data == decode(expected).data
    # and the very same bytes, but for the numbers that the driver gives to low cardinality's keys
    assert found == expected or "LowCardinality" in spec


def test_a_repeated_cell_that_does_not_fit_is_refused() -> None:
    for spec, cell in (("UInt8", 256), ("Int64", "text"), ("LowCardinality(String)", 7)):
        with pytest.raises(QueryError):
            encode({"a": [cell] * 100}, {"a": spec})


def test_zeros_of_either_sign_stay_what_they_are() -> None:
    found = decode(encode({"a": [0.0, *[-0.0] * 99, 0.0]}, {"a": "Float64"})).data[0]
    assert [str(cell) for cell in found] == ["0.0", *["-0.0"] * 99, "0.0"]
