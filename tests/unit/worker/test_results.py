"""Encoding results, and naming the value that cannot be encoded."""

from __future__ import annotations

import json
import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from relive_platform.worker.handlers import event_answer
from relive_platform.worker.http_function import to_answer
from relive_platform.worker.results import (
    BadResult,
    check_head,
    encode_result,
    find_unserialisable,
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
    assert find_unserialisable(value) == ""


LOOP: list[object] = []
LOOP.append({"again": LOOP})
DEEP: list[object] = []
for _ in range(100_000):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ({"a": [1, {"b": {3}}]}, 'result["a"][1]["b"]: set'),
        ([1, b"x"], "result[1]: bytes"),
        (object(), "result: object"),
        ({"a": Hostile()}, 'result["a"]: Hostile'),
        ({(1, 2): 1}, "result: a key of type tuple"),
        ({"x": float("inf")}, 'result["x"]: NaN or an infinity'),
        ([Decimal("NaN")], "result[0]: Decimal that is not finite"),
        (["\ud800"], "result[0]: str with a lone surrogate at index 0"),
        (LOOP, 'result[0]["again"]: a reference to one of its own parents'),
        (DEEP, "nested more than 200 levels deep"),
        ({"first": [1], "second": {1}}, 'result["second"]: set'),
    ],
)
def test_the_path_of_what_broke_is_named(value: object, place: str) -> None:
    with pytest.raises(BadResult) as caught:
        encode_result(value)
    assert place in caught.value.message


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
    assert caught.value.remedy


def test_a_head_that_can_be_sent_passes() -> None:
    check_head(204, [("x-a", "é 🎉"), ("set-cookie", "a=1; Path=/"), ("X_B", "")])
