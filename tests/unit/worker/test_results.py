"""Encoding results, and naming the value that cannot be encoded."""

from __future__ import annotations

import json
import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from relive_capture.record import find_unserialisable
from relive_runtime.adapters.event.answers import event_answer
from relive_runtime.adapters.http.function import to_answer
from relive_runtime.adapters.http.streaming import joined
from relive_runtime.adapters.results import (
    BadResult,
    check_head,
    encode_result,
    limit_size,
)

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(-1e9, 1e9) | st.text("abé\u2028"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("ab"), inner, max_size=4),
    max_leaves=20,
)


class Hostile:
    """Every way of looking at it runs user code."""

    def __repr__(self) -> str:
        raise AssertionError("user code was called")

    __str__ = __repr__

    def __len__(self) -> int:
        raise AssertionError("user code was called")


@given(VALUES)
def test_results_are_what_json_dumps_makes_of_them(value: object) -> None:
    assert json.loads(encode_result(value)) == json.loads(json.dumps(value))
    assert find_unserialisable(value) == ("", "")


LOOP: list[object] = []
LOOP.append({"again": LOOP})
DEEP: list[object] = []
for _ in range(100_000):
    DEEP = [DEEP]


def shallow(levels: int) -> object:
    made: object = 1
    for _ in range(levels):
        made = [made]
    return made


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ({"a": [1, {"b": {3}}]}, 'result["a"][1]["b"]: set'),
        ([1, b"x"], "result[1]: bytes"),
        (object(), "result: object"),
        ({"a": Hostile()}, 'result["a"]: '),
        ({(1, 2): 1}, "result: a key of type tuple"),
        ({"x": float("inf")}, 'result["x"]: NaN or an infinity'),
        ([Decimal("NaN")], "result[0]: Decimal that is not finite"),
        (["\ud800"], "result[0]: str with a lone surrogate at index 0"),
        (LOOP, 'result[0]["again"]: a reference to one of its own parents'),
        (DEEP, "nested more than 200 levels deep"),
        ({"first": [1], "second": {1}}, 'result["second"]: set'),
        ({"total": Decimal("1"), "tags": {"a"}}, 'result["tags"]: set'),
        ({"deep": shallow(300), "set": {1}}, 'result["set"]: set'),
        ({"a.b": {'q"': {1}}}, 'result["a.b"]["q\\""]: set'),
        ({1: {None: {True: {1.5: b""}}}}, "result[1][None][True][1.5]: bytes"),
        ([10**5000], "result[0]: int of"),
        ([Decimal("1e5000")], "result[0]: Decimal that is too large"),
        ({float("nan"): 1}, "result: a key that is NaN or an infinity"),
        ({"\ud800": 1}, "result: a key that is str with a lone surrogate"),
        ([(1, [b"x"])], "result[0][1][0]: bytes"),
    ],
)
def test_the_path_of_what_broke_is_named(value: object, place: str) -> None:
    with pytest.raises(BadResult) as caught:
        encode_result(value)
    assert place in caught.value.message


ODD = st.recursive(
    st.none()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=()))
    | st.decimals()
    | st.binary()
    | st.sets(st.integers()),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text("ab") | st.floats() | st.binary() | st.tuples(), inner, max_size=4)
        | st.tuples(inner, inner)
    ),
    max_leaves=12,
)


@given(ODD)
def test_what_the_encoder_cannot_write_is_found_and_nothing_else(value: object) -> None:
    found = find_unserialisable(value)
    if found == ("", ""):
        encode_result(value)
        return
    with pytest.raises(BadResult) as caught:
        encode_result(value)
    assert caught.value.place == found
    assert f"{found[0]}: {found[1]}" in caught.value.message
    if not found[1].startswith("a key"):
        broken = eval(found[0], {"result": value})
        with pytest.raises(BadResult, match=r"not JSON: result: "):
            encode_result(broken)


def test_parts_of_an_http_answer_are_named_within_the_whole_result() -> None:
    with pytest.raises(BadResult) as caught:
        event_answer({"statusCode": 200, "body": {"a": {1}}})
    assert caught.value.place == ('result["body"]["a"]', "set")
    with pytest.raises(BadResult) as caught:
        to_answer(({"a": [b""]}, 200), {})
    assert caught.value.place == ('result[0]["a"][0]', "bytes")


def test_lambdas_rules_hold() -> None:
    assert encode_result({1: (1, 2), None: Decimal("2.50")}) == b'{"1":[1,2],"null":2.5}'
    assert encode_result([Decimal("7"), "é"]) == '[7,"é"]'.encode()


def test_a_result_over_the_limit_says_both_sizes() -> None:
    limit_size(10, 10)
    with pytest.raises(BadResult, match=r"11 bytes, over the limit of 10"):
        limit_size(11, 10)


def test_an_event_function_answers_http_with_status_headers_cookies_and_body() -> None:
    answer = event_answer(
        {
            "statusCode": "202",
            "headers": {"Content-Type": "image/png", "X-A": 1, "Content-Length": "9"},
            "cookies": ["a=1", "b=2"],
            "body": "YWJj",
            "isBase64Encoded": True,
        }
    )
    assert (answer.status, answer.body, answer.content_type) == (202, b"abc", "image/png")
    assert answer.headers == [("x-a", "1"), ("set-cookie", "a=1"), ("set-cookie", "b=2")]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"statusCode": "soon"}, "statusCode is 'soon'"),
        ({"statusCode": 200, "body": "%%%", "isBase64Encoded": True}, "base64"),
    ],
)
def test_a_broken_http_answer_is_a_bad_result(value: object, message: str) -> None:
    with pytest.raises(BadResult, match=message):
        event_answer(value)


@pytest.mark.parametrize("value", ["caf\udce9", {"statusCode": 200, "body": "caf\udce9"}])
def test_a_body_that_utf8_cannot_carry_is_a_bad_result(value: object) -> None:
    with pytest.raises(BadResult, match="lone surrogate at index 3"):
        event_answer(value) if isinstance(value, dict) else to_answer(value, {})


def test_a_part_that_utf8_cannot_carry_is_a_bad_result() -> None:
    with pytest.raises(BadResult, match="lone surrogate at index 3"):
        joined(iter(["fine", "caf\udce9"]), 100)


def test_values_without_a_status_code_are_json() -> None:
    assert (event_answer([1]).status, event_answer([1]).body) == (200, b"[1]")
    assert event_answer({"body": 1}).body == b'{"body":1}'
    assert event_answer({"statusCode": 200, "body": {"a": 1}}).body == b'{"a":1}'


@pytest.mark.parametrize(
    ("status", "header", "says"),
    [
        (99, ("x-a", "1"), "99"),
        (600, ("x-a", "1"), "600"),
        (200, ("x-ü", "1"), "'x-ü'"),
        (200, ("x a", "1"), "'x a'"),
        (200, ("", "1"), "''"),
        (200, ("x-a", "1\r\nset-cookie: b"), "'x-a'"),
        (200, ("x-a", "caf\udce9"), "'x-a' is a str with a lone surrogate at index 3"),
    ],
)
def test_a_head_that_cannot_be_sent_is_named(status: int, header: tuple[str, str], says: str) -> None:
    with pytest.raises(BadResult, match=re.escape(says)) as caught:
        check_head(status, [("x-fine", "1"), header])
    assert caught.value.hint


def test_a_head_that_can_be_sent_passes() -> None:
    check_head(204, [("x-a", "é 🎉"), ("set-cookie", "a=1; Path=/"), ("X_B", "")])
