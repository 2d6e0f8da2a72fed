"""Event patterns: what EventBridge documents, case by case, and what is wrong with a pattern."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from relive_platform.triggers.patterns import PatternError, compile_pattern

EVENT: dict[str, Any] = {
    "version": "0",
    "id": "1",
    "detail-type": "Order placed",
    "source": "shop.orders",
    "resources": ["order/1", "order/2"],
    "detail": {
        "state": "running",
        "count": 5,
        "price": 301.8,
        "ip": "10.0.0.33",
        "ip6": "2001:db8::1",
        "file": "dir/Photo.JPG",
        "flag": True,
        "nothing": None,
        "empty": "",
        "none": [],
        "tags": ["a", "b", ["c"]],
        "items": [{"sku": "x", "n": 1}, {"sku": "y", "n": 2}],
        "inner": {"leaf": 1},
    },
}


def detail(name: str, *tests: Any) -> dict[str, Any]:
    return {"detail": {name: list(tests)}}


FITTING = [
    {"source": ["shop.orders"]},
    {"source": ["other", "shop.orders"], "detail-type": ["Order placed"]},
    {"resources": ["order/2"]},
    detail("count", 5),
    detail("count", 5.0),
    detail("flag", True),
    detail("nothing", None),
    detail("empty", ""),
    detail("tags", "c"),
    detail("state", {"prefix": "run"}),
    detail("state", {"prefix": {"equals-ignore-case": "RUN"}}),
    detail("file", {"suffix": ".JPG"}),
    detail("file", {"suffix": {"equals-ignore-case": ".jpg"}}),
    detail("file", {"equals-ignore-case": "DIR/photo.jpg"}),
    detail("file", {"wildcard": "dir/*.JPG"}),
    detail("file", {"wildcard": "*Photo*"}),
    detail("state", {"anything-but": "stopped"}),
    detail("state", {"anything-but": ["stopped", "failed"]}),
    detail("count", {"anything-but": [1, 2]}),
    detail("state", {"anything-but": {"prefix": "st"}}),
    detail("state", {"anything-but": {"suffix": ["x", "y"]}}),
    detail("state", {"anything-but": {"wildcard": "s*d"}}),
    detail("state", {"anything-but": {"equals-ignore-case": ["STOPPED"]}}),
    detail("tags", {"anything-but": "a"}),  # of a list: one that is another
    detail("count", {"numeric": [">", 0, "<=", 5]}),
    detail("price", {"numeric": ["=", 3.018e2]}),
    detail("count", {"exists": True}),
    detail("missing", {"exists": False}),
    detail("inner", {"exists": False}),  # it is no leaf
    detail("none", {"exists": False}),  # nor is there one
    {"missing": {"deep": [{"exists": False}]}},
    {"detail": {"state": {"deep": [{"exists": False}]}}},
    detail("missing", {"exists": False}, "x"),
    detail("ip", {"cidr": "10.0.0.0/24"}),
    detail("ip6", {"cidr": "2001:db8::/32"}),
    detail("ip6", "2001:0db8:0:0:0:0:0:1"),  # the same address
    {"detail": {"items": {"sku": ["y"], "n": [2]}}},
    {"$or": [{"source": ["x"]}, {"detail": {"count": [{"numeric": ["<", 10]}]}}]},
    {"source": ["shop.orders"], "detail": {"$or": [{"count": [9]}, {"state": ["running"]}]}},
]
OTHER = [
    {"source": ["shop"]},
    {"source": ["shop.orders"], "detail-type": ["x"]},
    detail("count", "5"),
    detail("flag", 1),
    detail("count", True),
    detail("nothing", "null"),
    detail("state", {"prefix": "RUN"}),
    detail("count", {"prefix": "5"}),
    detail("file", {"wildcard": "dir/*.png"}),
    detail("file", {"wildcard": "dir/Photo"}),
    detail("state", {"anything-but": "running"}),
    detail("missing", {"anything-but": "x"}),
    detail("count", {"anything-but": {"prefix": "x"}}),
    detail("count", {"numeric": [">", 5]}),
    detail("state", {"numeric": [">", 5]}),
    detail("flag", {"numeric": ["=", 1]}),
    detail("missing", {"exists": True}),
    detail("inner", {"exists": True}),
    detail("none", {"exists": True}),
    detail("count", {"exists": False}),
    detail("ip", {"cidr": "10.0.1.0/24"}),
    detail("ip", {"cidr": "2001:db8::/32"}),
    detail("state", {"cidr": "0.0.0.0/0"}),
    {"detail": {"items": {"sku": ["x"], "n": [2]}}},  # of two objects of the list
    {"detail": {"items": {"sku": [{"exists": False}], "n": [1]}}},
    {"$or": [{"source": ["x"]}, {"detail": {"count": [7]}}]},
    {"source": ["x"], "$or": [{"detail": {"count": [5]}}, {"detail": {"count": [7]}}]},
    {"$or": [{"prefix": "b"}, {"suffix": "c"}]},  # a field like any other, which the event lacks
]


@pytest.mark.parametrize("pattern", FITTING, ids=json.dumps)
def test_it_fits(pattern: dict[str, Any]) -> None:
    assert compile_pattern(pattern).matches(EVENT)


@pytest.mark.parametrize("pattern", OTHER, ids=json.dumps)
def test_it_does_not_fit(pattern: dict[str, Any]) -> None:
    assert not compile_pattern(pattern).matches(EVENT)


@pytest.mark.parametrize("value", [None, 1, "text", [], [EVENT]])
def test_what_is_no_object_never_fits(value: Any) -> None:
    assert not compile_pattern({"missing": [{"exists": False}]}).matches(value)


@pytest.mark.parametrize(
    ("pattern", "where"),
    [
        ([], ""),
        ({}, ""),
        ({"a": []}, "a"),
        ({"a": {}}, "a"),
        ({"a": "x"}, "a"),
        ({"a": {"b": [{}]}}, "a.b[0]"),
        ({"a": [{"prefix": "x", "suffix": "y"}]}, "a[0]"),
        ({"a": [{"like": "x"}]}, "a[0]"),
        ({"a": [{"prefix": 1}]}, "a[0].prefix"),
        ({"a": ["x", {"wildcard": "a**b"}]}, "a[1].wildcard"),
        ({"a": [{"wildcard": "a\\b"}]}, "a[0].wildcard"),
        ({"a": [{"wildcard": "a\\"}]}, "a[0].wildcard"),
        ({"a": [{"cidr": "10.0.0.0/99"}]}, "a[0].cidr"),
        ({"a": [{"numeric": [">", "0"]}]}, "a[0].numeric"),
        ({"a": [{"numeric": [">", 0, ">", 1]}]}, "a[0].numeric"),
        ({"a": [{"numeric": [[], 0]}]}, "a[0].numeric"),
        ({"a": [{"exists": "yes"}]}, "a[0].exists"),
        ({"a": [{"anything-but": [1, "x"]}]}, "a[0].anything-but"),
        ({"a": [{"anything-but": []}]}, "a[0].anything-but"),
        ({"a": [{"anything-but": {"prefix": ""}}]}, "a[0].anything-but"),
        ({"a": [{"anything-but": {"cidr": "10.0.0.0/8"}}]}, "a[0].anything-but"),
        ({"$or": [{"a": [1]}, {}]}, "$or[1]"),
        ({"a": [["x"]]}, "a[0]"),
        ({"a": list(range(1001))}, "a"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(pattern: Any, where: str) -> None:
    with pytest.raises(PatternError) as caught:
        compile_pattern(pattern)
    assert caught.value.where == where


def test_a_pattern_that_is_too_deep_is_refused() -> None:
    document: Any = [1]
    for _ in range(100):
        document = {"a": document}
    with pytest.raises(PatternError, match="levels deep"):
        compile_pattern(document)


def test_an_event_of_lists_in_lists_needs_no_recursion() -> None:
    # Given an event as deep as a sender likes
    value: Any = "x"
    for _ in range(100_000):
        value = [value]

    # I expect it to be looked into
    assert compile_pattern({"a": ["x"]}).matches({"a": value})


def test_many_wildcards_on_a_long_text_take_no_time() -> None:
    pattern = compile_pattern({"a": [{"wildcard": "*a" * 30 + "*b"}]})
    assert not pattern.matches({"a": "a" * 200_000})


words = st.text(alphabet="ab*\\", max_size=6)


@given(words, words)
def test_a_wildcard_without_stars_is_the_text_itself(text: str, other: str) -> None:
    quoted = text.replace("\\", "\\\\").replace("*", "\\*")
    pattern = compile_pattern({"a": [{"wildcard": quoted}]})
    assert pattern.matches({"a": text})
    assert pattern.matches({"a": other}) == (text == other)


@given(
    st.lists(st.text(alphabet="ab", max_size=3), min_size=2, max_size=4), st.text(alphabet="ab", max_size=10)
)
def test_wildcards_are_what_a_regular_expression_says(pieces: list[str], text: str) -> None:
    import re

    shown = "*".join(pieces)
    if "**" in shown:
        return
    expected = re.fullmatch(".*".join(re.escape(piece) for piece in pieces), text) is not None
    assert compile_pattern({"a": [{"wildcard": shown}]}).matches({"a": text}) == expected


leaves = st.none() | st.booleans() | st.integers(-3, 3) | st.text(alphabet="ab", max_size=2)
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from("abc"), values, max_size=3), st.sampled_from("abc"))
def test_a_field_is_there_or_not(event: dict[str, Any], name: str) -> None:
    there = compile_pattern({name: [{"exists": True}]}).matches(event)
    missing = compile_pattern({name: [{"exists": False}]}).matches(event)
    assert there != missing
