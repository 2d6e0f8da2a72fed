"""The wire of the store process, parameters and the guard, as pure functions."""

from __future__ import annotations

import socket
import threading

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from relive_base.errors import UsageError
from relive_store import Columns, QueryError, open_store
from relive_store.chunks import chunk_token, chunked, row_count
from relive_store.process.messages import (
    Insert,
    Query,
    Result,
    decode_request,
    decode_response,
    encode_message,
    receive_message,
)
from relive_store.query.guard import check_query, without_literals
from relive_store.query.parameters import render_parameters

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
CELL = st.one_of(
    TEXT,
    st.integers(-(2**63), 2**64 - 1),
    st.floats(allow_nan=False),
    st.booleans(),
    st.none(),
    st.binary(max_size=20),
)


@given(st.dictionaries(TEXT, CELL, max_size=5), TEXT)
def test_a_query_comes_through_the_wire_as_it_was(parameters: dict[str, object], sql: str) -> None:
    message = Query(sql=sql, parameters=parameters, query_id="x", bytes_columns=["a"])
    assert decode_request(bytes(encode_message(message)[4:])) == message


@given(st.lists(st.lists(CELL, min_size=3, max_size=3), max_size=4))
def test_a_result_comes_through_the_wire_as_it_was(data: list[list[object]]) -> None:
    names = [str(index) for index in range(len(data))]
    message = Result(names=names, types=names, data=data)
    assert decode_response(bytes(encode_message(message)[4:])) == message


@given(st.binary(max_size=60))
def test_junk_is_refused_as_such(data: bytes) -> None:
    try:
        decode_request(data)
    except msgspec.DecodeError:
        return
    assert data  # whatever decodes was a whole message


@settings(deadline=None, max_examples=30)
@given(st.lists(st.binary(max_size=200), min_size=1, max_size=4), st.integers(1, 7))
def test_messages_are_cut_apart_however_they_arrive(bodies: list[bytes], step: int) -> None:
    messages = [Insert(table="t", columns=msgspec.Raw(msgspec.msgpack.encode({"d": [b]}))) for b in bodies]
    left, right = socket.socketpair()

    def send() -> None:
        data = b"".join(encode_message(message) for message in messages)
        for start in range(0, len(data), step):
            left.sendall(data[start : start + step])
        left.close()

    thread = threading.Thread(target=send)
    thread.start()
    with right:
        for body in bodies:
            received = receive_message(right)
            assert received is not None
            request = decode_request(received)
            assert isinstance(request, Insert)
            assert msgspec.msgpack.decode(request.columns) == {"d": [body]}
        assert receive_message(right) is None
    thread.join()


@given(TEXT)
def test_a_rendered_string_has_no_bare_special_character(text: str) -> None:
    rendered = render_parameters("", {"x": text})["x"]
    bare = rendered.replace("\\\\", "").replace("\\'", "")
    assert "'" not in bare
    assert not set("\n\t\0\r") & set(rendered)


def test_parameters_have_the_text_of_their_kind() -> None:
    sql = "{t:DateTime64(9)} {u:UInt64}"
    given_values = {"t": 5, "u": 5, "n": None, "b": True, "l": ["a", None, 1], "m": {"k": ["x"]}}
    rendered = render_parameters(sql, given_values)
    assert rendered == {
        "t": "0000000000.000000005",
        "u": "5",
        "n": "\\N",
        "b": "1",
        "l": "['a',NULL,1]",
        "m": "{'k':['x']}",
    }
    with pytest.raises(QueryError, match="object"):
        render_parameters("", {"x": object()})


@given(TEXT.filter(lambda text: "\\" not in text and "'" not in text))
def test_what_is_inside_a_literal_does_not_matter(text: str) -> None:
    assert without_literals(f"SELECT '{text}', 1") == "SELECT '', 1"
    assert check_query(f"SELECT '{text}';", read_only=True) == f"SELECT '{text}'"


@given(st.integers(0, 50), st.integers(1, 20))
def test_chunks_put_together_are_the_whole(rows: int, size: int) -> None:
    columns = {"a": list(range(rows)), "b": [str(number) for number in range(rows)]}
    parts = list(chunked(columns, rows, size))
    assert [cell for part in parts for cell in part["a"]] == columns["a"]
    assert all(row_count(part) <= size for part in parts)
    tokens = [chunk_token("t", index) for index in range(len(parts))]
    assert len(set(tokens)) == len(parts)


def test_columns_are_read_by_row_and_by_name() -> None:
    columns = Columns(["a", "b"], ["UInt8", "String"], [[1, 2], ["x", "y"]])
    assert list(columns.rows()) == [(1, "x"), (2, "y")]
    assert list(columns.dicts()) == [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]
    assert (len(columns), columns.scalar(), columns.column("b")) == (2, 1, ["x", "y"])
    with pytest.raises(KeyError, match="there are a, b"):
        columns.column("c")
    with pytest.raises(LookupError):
        Columns(["a"], ["UInt8"], []).scalar()


@pytest.mark.parametrize("url", ["", "sqlite:///x", "chdb://", "/a/path"])
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(UsageError, match="not a store"):
        open_store(url)
