"""A run as a strip, and what a moment of it is made of."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from relive_base.values import ValueNode
from relive_tui.models.layout.text import line_text, line_width
from relive_tui.models.travel import (
    Locals,
    Step,
    Strip,
    changed,
    parse_step,
    parse_strip,
    read_moment,
    strip_lines,
    told,
)

STRIP = Strip(total=8, failing=7, depths=(0, 0, 1, 2, 2, 1, 0, 0))


def test_the_mark_stands_below_the_step() -> None:
    bars, mark = map(line_text, strip_lines(STRIP, Step(3), 60))
    assert bars == " ▁▁▄██▄▁▁✖"
    assert mark == "    ▲ step 3 of 8"
    bars, mark = map(line_text, strip_lines(STRIP, Step(), 60))
    assert mark == "         ▲ the failure, after 8 steps"


@given(st.integers(1, 400), st.integers(20, 200), st.data())
def test_it_never_is_wider_than_the_screen(columns: int, width: int, data: Any) -> None:
    # Given a run of any length, and any of its steps
    total = data.draw(st.integers(columns, 5_000_000))
    step = data.draw(st.none() | st.integers(0, total - 1))
    strip = Strip(
        total, total - 1, tuple(data.draw(st.lists(st.integers(0, 90), min_size=columns, max_size=columns)))
    )
    # I expect the bars and the mark below one of them
    bars, mark = strip_lines(strip, Step(step), width)
    assert line_width(bars) <= width
    assert line_width(mark) <= width
    at = line_text(mark).index("▲")
    assert (line_text(bars)[at] == "✖") is (step is None)


def test_what_is_no_strip_is_an_empty_one() -> None:
    text = json.dumps({"total": 3, "step": None, "failing": 2, "cut": False, "depths": [0, 1, 0]})
    assert parse_strip(f"note: one\n{text}\n") == Strip(3, 2, (0, 1, 0))
    for wrong in ("", "{}", "[1]", '{"total": 1, "depths": 5}', "*** no line"):
        assert parse_strip(wrong) == Strip()
    assert "no lines" in line_text(strip_lines(Strip(), Step(), 80)[0])


def test_prompts_say_where_one_stands() -> None:
    assert [parse_step(text) for text in ("step 12", "(step 12) ", "failure", "")] == [
        Step(12),
        Step(12),
        Step(),
        Step(),
    ]


def test_what_pdb_says_of_its_place_is_left_out() -> None:
    hint = "9 steps led here: rs goes back by one, h lists commands"
    said = f"x = 1  was given by step 3\n> /a/b.py(3)f()\n-> x = 1\n{hint}"
    assert told(said) == ["x = 1  was given by step 3", "9 steps led here"]


def test_names_that_are_others_are_marked() -> None:
    def names(**given: str) -> Locals:
        return Locals(tuple((name, ValueNode(type="int", text=text)) for name, text in given.items()))

    assert changed(names(a="1", b="2"), names(a="1", b="3", c="4")) == {"b", "c"}


def test_a_moment_has_the_locals_of_the_innermost_own_frame_with_their_expressions() -> None:
    # Given an adapter whose innermost frame is a library's
    rows = {
        1: [{"name": "cart", "value": "{…}", "type": "dict", "variablesReference": 2, "namedVariables": 60,
             "evaluateName": "cart"}],
        2: [{"name": "'sku'", "value": "None", "evaluateName": "cart['sku']"}],
    }  # fmt: skip
    frames = [
        {"id": 7, "name": "loads", "line": 1, "presentationHint": "subtle", "source": {"name": "json.py"}},
        {"id": 8, "name": "handler", "line": 2, "presentationHint": "normal",
         "source": {"name": "main.py", "sourceReference": 1}},
    ]  # fmt: skip
    answers: dict[str, Any] = {
        "threads": {"threads": [{"id": 1, "name": "failure"}]},
        "stackTrace": {"stackFrames": frames},
        "scopes": {"scopes": [{"name": "Locals", "variablesReference": 1}]},
        "source": {"content": "def handler():\n    loads()"},
    }

    def ask(command: str, arguments: dict[str, Any]) -> dict[str, Any]:
        if command == "variables":
            return {"variables": rows[arguments["variablesReference"]]}
        return dict(answers[command])

    moment = read_moment(ask, Step(4), STRIP, "said")

    # I expect the own frame's source and names, what is in them, and that there is more
    assert (moment.selected, moment.idents) == (1, (7, 8))
    assert moment.frames[1].source == ("def handler():", "    loads()")
    ((name, cart),) = moment.names.values
    assert (name, cart.children[0][0], cart.more) == ("cart", "'sku'", 59)
    assert moment.names.paths == {(0,): "cart", (0, 0): "cart['sku']"}


def test_an_own_frame_without_a_text_is_shown_without_it() -> None:
    answers: dict[str, Any] = {
        "threads": {"threads": []},
        "stackTrace": {"stackFrames": [
            {"id": 1, "name": "f", "line": 3, "presentationHint": "normal",
             "source": {"name": "<made>", "origin": "no text of it is there"}},
        ]},
        "scopes": {"scopes": []},
    }  # fmt: skip
    (frame,) = read_moment(lambda command, _given: dict(answers[command]), Step(1), STRIP).frames
    assert (frame.file, frame.source, frame.in_app) == ("<made>", (), True)
