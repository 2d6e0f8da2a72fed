"""Values as text: bounded, encodable, and without calling the user's code."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from relive_tracer.record.text import attribute_text, bounded, encodable, plain_value

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(anything)
def test_any_value_becomes_bounded_text_that_utf8_carries(value: Any) -> None:
    text = attribute_text(value, 50)
    assert type(text) is str
    assert len(text) <= 50 or "\\u" in text or "\\x" in text
    text.encode("utf-8")


@given(st.text(st.characters()))
def test_surrogates_become_escapes(text: str) -> None:
    found = encodable(text)
    found.encode("utf-8")
    if not any("\ud800" <= c <= "\udfff" for c in text):
        assert found == text


def test_values_as_the_store_keeps_them() -> None:
    found = [
        attribute_text(v, 100)
        for v in ("t", True, 7, 0.5, (1, "a", None, True), {"k": [2.5]}, b"x\xff", None)
    ]
    assert found == ["t", "true", "7", "0.5", '[1,"a",null,true]', '{"k":[2.5]}', '"x\\\\xff"', "null"]
    assert json.loads(attribute_text(list(range(2_000)), 100_000))[-1] == "…"
    assert attribute_text(10**20_000, 50).startswith("0x")


def test_subclasses_are_never_asked_for_their_text() -> None:
    class Hostile(str):
        def __str__(self) -> str:
            raise AssertionError("called")

        __repr__ = __getitem__ = __len__ = __str__  # type: ignore[assignment]

    assert attribute_text(Hostile("safe"), 100) == "safe"
    assert type(encodable(Hostile("safe"))) is str
    assert bounded(Hostile("safe"), 3) == "sa…"
    assert plain_value(Hostile("safe")) is None


def test_cuts_end_with_an_ellipsis() -> None:
    assert bounded("x" * 11, 10) == "x" * 9 + "…"
    assert bounded("x" * 10, 10) == "x" * 10
