"""PostgreSQL's texts as values."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from relive_platform.triggers.pull.postgres.values import Kind, array_of, value_of

NESTED = st.recursive(
    st.one_of(st.none(), st.text(max_size=8)),
    lambda inner: st.lists(inner, min_size=1, max_size=3),
    max_leaves=12,
)


def written(value: Any) -> str:
    """As PostgreSQL writes an array: every text in quotes."""
    if value is None:
        return "NULL"
    if isinstance(value, list):
        return "{" + ",".join(map(written, value)) + "}"
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def depth(value: Any) -> int:
    return 1 + max(map(depth, value), default=0) if isinstance(value, list) else 0


@settings(max_examples=50)
@given(st.lists(NESTED, max_size=4).filter(lambda value: depth(value) <= 6))
def test_arrays_come_back_as_they_were_written(value: list[Any]) -> None:
    assert array_of(written(value), ",", str) == value
    assert array_of(f"[0:3]={written(value)}", ",", str) == value


@settings(max_examples=50)
@given(st.text(alphabet='{}",\\ aN[]=:', max_size=20))
def test_any_text_is_an_array_or_none(text: str) -> None:
    found = array_of(text, ",", str)
    assert found is None or isinstance(found, list)


@settings(max_examples=50)
@given(
    st.binary(max_size=20),
    st.sampled_from(["bool", "bytes", "int", "float", "timestamp", "timestamptz", "text"]),
)
def test_any_bytes_have_a_value_that_json_can_hold(data: bytes, scalar: str) -> None:
    for kind in (Kind(scalar), Kind(scalar, True)):
        json.loads(msgspec.json.encode(value_of(data, kind)))


@pytest.mark.parametrize(
    ("text", "scalar", "expected"),
    [
        ("t", "bool", True),
        ("9223372036854775807", "int", 2**63 - 1),
        ("Infinity", "float", "Infinity"),
        ("1e-05", "float", 1e-05),
        ("12.50", "numeric", "12.50"),
        ("2027-01-02 03:04:05.6+00", "timestamptz", "2027-01-02T03:04:05.6Z"),
        ("2027-01-02 03:04:05", "timestamp", "2027-01-02T03:04:05"),
        ("infinity", "timestamptz", "infinity"),
        ("0044-03-15 00:00:00 BC", "timestamp", "0044-03-15 00:00:00 BC"),
        ("\\xff00", "bytes", "/wA="),
        ("(1,2)", "text", "(1,2)"),
    ],
)
def test_each_type(text: str, scalar: str, expected: object) -> None:
    assert value_of(text.encode(), Kind(scalar)) == expected


def test_json_stays_as_it_is() -> None:
    found = value_of(b'{"a": 1.10}', Kind("json"))
    assert msgspec.json.encode({"doc": found}) == b'{"doc":{"a": 1.10}}'
