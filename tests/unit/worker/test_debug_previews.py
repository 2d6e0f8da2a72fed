"""What a panel shows unasked: no code of the user's classes runs for it, and it has an end."""

from __future__ import annotations

import datetime
import decimal
import uuid
from collections import deque
from pathlib import PosixPath
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from relive_runtime.debugger.previews import fields, preview


class Loud(type):
    def __getattribute__(cls, name: str) -> Any:
        raise AssertionError(f"the metaclass was asked for {name}")


class Hostile(metaclass=Loud):
    """Every way to look at it that runs its code is a failure."""

    def __init__(self) -> None:
        object.__setattr__(self, "x", 1)

    def _fail(self, *_: object) -> Any:
        raise AssertionError("its code ran")

    __repr__ = __str__ = __len__ = __iter__ = __getitem__ = __eq__ = __bool__ = __getattribute__ = _fail
    __hash__ = object.__hash__


class Zone(datetime.tzinfo):
    def __repr__(self) -> str:
        raise AssertionError("its code ran")


class Endless(list[Any]):
    def __iter__(self) -> Any:
        raise AssertionError("its code ran")


def test_no_code_of_a_class_runs() -> None:
    noon = datetime.datetime(2026, 1, 1, tzinfo=Zone())
    for value in (Hostile(), [Hostile()], {"a": Hostile()}, {Hostile()}, noon, Endless([1, 2]), Hostile):
        assert preview(value)
        fields(value)
    assert preview(Hostile()) == "Hostile(x=1)"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ([1, "a", None], "[1, 'a', None]"),
        ((1,), "(1,)"),
        (set(), "set()"),
        ({"a": {"b": {"c": 1}}}, "{'a': {'b': {…}}}"),
        (list(range(20)), "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, … 8 more]"),
        (deque([1]), "deque([1])"),
        (decimal.Decimal("1.5"), "Decimal('1.5')"),
        (PosixPath("/a"), "PosixPath('/a')"),
        (uuid.UUID(int=1), "UUID('00000000-0000-0000-0000-000000000001')"),
        (10**5000, "<int of 16,610 bits>"),
        (Endless([1, 2]), "<Endless of 2 items>"),
        (decimal, "<module 'decimal'>"),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 30 else "",
)
def test_values_look_as_in_python(value: object, text: str) -> None:
    assert preview(value) == text


nested = st.recursive(
    st.one_of(st.text(max_size=2_000), st.binary(max_size=2_000), st.integers(), st.floats()),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(max_size=300), inner)),
    max_leaves=50,
)


@settings(max_examples=40)
@given(nested)
def test_it_has_an_end(value: object) -> None:
    assert len(preview(value)) <= 1_000
