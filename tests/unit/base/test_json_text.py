"""JSON for people: parsed and indented within bounds."""

from __future__ import annotations

import json

import pytest
from relive_base.json_text import MAX_DEPTH, depth_over, parse_bounded, pretty


@pytest.mark.parametrize(
    "text",
    [
        "[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1),
        "[" * 100_000,
        "[" + "[]," * 500_000 + "1]",
        '{"a": "\\ud800"}',
        "9" * 5_000,
        "{",
        b"\xff\xff",
    ],
    ids=range(7),
)
def test_what_is_too_much_or_no_text_is_a_value_error(text: str | bytes) -> None:
    with pytest.raises(ValueError):
        parse_bounded(text)


@pytest.mark.parametrize(
    "text", ['{"a": [1, "\\ud83d\\ude00"]}', "[" * MAX_DEPTH + "]" * MAX_DEPTH, b"\xef\xbb\xbf1"]
)
def test_all_else_is_what_json_says(text: str | bytes) -> None:
    assert parse_bounded(text) == json.loads(text)


def test_depth_counts_containers() -> None:
    assert not depth_over(1, 0)
    assert not depth_over([1], 1)
    assert depth_over([{"a": 1}], 1)


def test_indented_text_ends_at_its_limit() -> None:
    assert pretty({"a": [1]}, 100) == ('{\n  "a": [\n    1\n  ]\n}', False)

    text, cut = pretty([["x" * 1_000_000] * 10], 1_000)

    assert cut
    assert len(text) < 1_100
