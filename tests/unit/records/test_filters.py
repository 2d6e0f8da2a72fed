"""Filter patterns of CloudWatch Logs."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from relive_platform.subscriptions.filters import BadFilter, compile_filter

LINE = json.dumps(
    {
        "level": "error",
        "ms": 120,
        "user": None,
        "ok": False,
        "tags": ["a", "b"],
        "at": {"file-name": "x.py", "n.1": 5},
    }
)


@pytest.mark.parametrize(
    ("pattern", "line", "fits"),
    [
        ("", "anything", True),
        ("ERROR", "an ERROR here", True),
        ("ERROR", "an error here", False),
        ("ERROR disk", "disk ERROR", True),
        ("ERROR disk", "ERROR", False),
        ('"disk full"', "the disk full of it", True),
        ('"disk full"', "disk is full", False),
        ("ERROR -health", "ERROR in health", False),
        ('ERROR -"health check"', "ERROR in health", True),
        ("?WARN ?ERROR", "WARN", True),
        ("?WARN ?ERROR", "INFO", False),
        ("ERROR ?WARN", "ERROR", True),
        ('"a \\"quoted\\" b"', 'a "quoted" b', True),
        ('{ $.level = "error" }', LINE, True),
        ('{ $.level = "err*" }', LINE, True),
        ('{ $.level = "*ror" }', LINE, True),
        ('{ $.level = "*rr*" }', LINE, True),
        ('{ $.level != "error" }', LINE, False),
        ('{ $.missing != "error" }', LINE, False),
        ("{ $.ms > 100 }", LINE, True),
        ("{ $.ms = 120.0 }", LINE, True),
        ("{ $.ms < 100 }", LINE, False),
        ("{ $.level > 1 }", LINE, False),
        ("{ $.user IS NULL }", LINE, True),
        ("{ $.ok IS FALSE && $.nothing NOT EXISTS }", LINE, True),
        ("{ $.ok IS TRUE || $.tags[1] = b }", LINE, True),
        ("{ ($.ms > 1000 || $.level = error) && $.at.file-name = x.py }", LINE, True),
        ('{ $.at["n.1"] = 5 }', LINE, True),
        ("{ $.tags[7] = b }", LINE, False),
        ('{ $.level = "error" }', "no JSON", False),
        ('{ $.level = "error" }', "{broken", False),
        ('{ $.level = "error" }', "[" * 100_000, False),
    ],
)
def test_what_fits(pattern: str, line: str, fits: bool) -> None:
    assert compile_filter(pattern)(line) is fits


@pytest.mark.parametrize(
    "pattern",
    [
        "[ip, user]",
        "%a+%",
        "a %b%",
        '"open',
        "{ }",
        "{ $.a }",
        "{ $.a = }",
        "{ a = 1 }",
        "{ $.a > x }",
        "{ $.a IS 1 }",
        "{ ($.a = 1 }",
        "{ $.a = 1",
        "{ $.a = 1 } x",
        "{ $.a = 1 && }",
        "x" * 1_025,
        "{ " + "(" * 100 + "$.a = 1 }",
    ],
)
def test_what_is_no_filter_is_refused(pattern: str) -> None:
    with pytest.raises(BadFilter) as caught:
        compile_filter(pattern)
    assert caught.value.hint


@given(st.text(alphabet='{}$.a1="&|()<>![]*% -?\\', max_size=30), st.text(alphabet='{}"a:1 ', max_size=20))
def test_any_text_is_a_filter_or_refused(pattern: str, line: str) -> None:
    try:
        fits = compile_filter(pattern)
    except BadFilter:
        return
    assert fits(line) in (True, False)
