"""Log lines at a terminal: what is known is not repeated, and long ones go on under their beginning."""

from __future__ import annotations

from typing import Any

import pytest
from click import unstyle
from hypothesis import given
from hypothesis import strategies as st
from relive.output.log_lines import LineForm
from relive.output.wrapping import wrapped
from rich.cells import cell_len

IDENT = "0192b0a0-0000-7000-8000-000000000007"


def row(body: str, severity: str = "INFO") -> dict[str, Any]:
    return {
        "timestamp_ns": 1,
        "severity": severity,
        "body": body,
        "function": "checkout",
        "invocation_id": IDENT,
        "stacktrace": "",
    }


@pytest.mark.parametrize("width", [80, 100, 140])
@pytest.mark.parametrize("body", ["word " * 60, "无法处理订单" * 40, "x" * 300, "one\ntwo"])
def test_every_line_fits_and_nothing_is_lost(width: int, body: str) -> None:
    lines = [unstyle(line) for line in LineForm(width=width, short={IDENT: IDENT[:13]}).lines(row(body))]

    assert all(cell_len(line) <= width for line in lines)
    assert all(line.startswith("    ") for line in lines[1:])
    told = "".join(lines).replace(" ", "")
    assert body.replace(" ", "").replace("\n", "") in told
    assert IDENT[:13] in lines[0]


def test_a_pipe_gets_one_line() -> None:
    (line,) = LineForm(width=None).lines(row("word " * 60))
    assert cell_len(line) > 300


def test_a_line_of_several_passes_for_no_line_of_somebody_else() -> None:
    # Given a record whose second line looks like one of another function, in a pipe
    forged = "2026-11-30 12:00:00.000 ERROR pricing  0192b0a0-0000-7  disk full"
    lines = "\n".join(LineForm(width=None).lines(row(f"one\n{forged}\n"))).split("\n")

    # I expect it to stand below the first, as on a terminal
    assert len(lines) == 2
    assert lines[1] == f"    {forged}"


def test_what_was_asked_for_is_not_repeated() -> None:
    (line,) = LineForm(width=None, function=False, invocation=False).lines(row("hello"))

    assert "checkout" not in line
    assert IDENT[:8] not in line


def test_an_id_whose_neighbours_are_not_known_is_longer() -> None:
    (line,) = LineForm(width=None).lines(row("hello"))
    assert IDENT[:18] in line


def test_controls_of_the_function_do_nothing() -> None:
    (line,) = LineForm(width=80).lines(row("a\x1b]0;evil\x07b"))
    assert "\x1b]" not in line
    assert "\\x1b" in line


@given(st.text("ab 价\n", max_size=80), st.integers(2, 20), st.integers(2, 20))
def test_wrapping_keeps_all_but_spaces_at_the_breaks(text: str, first: int, rest: int) -> None:
    lines = wrapped(text, first, rest)

    assert cell_len(lines[0]) <= first
    assert all(cell_len(line) <= rest for line in lines[1:])
    assert "".join(lines).replace(" ", "") == text.replace(" ", "").replace("\n", "")
