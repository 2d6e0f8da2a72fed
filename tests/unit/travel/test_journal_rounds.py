"""Journals are alike on every Python, where a comprehension is a frame of its own and where it is none."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from relive_runtime.travel.causes.indexes import Choices
from relive_runtime.travel.causes.journal import Journal
from relive_runtime.travel.causes.recorder import Recorder
from relive_runtime.travel.causes.values import MISSING
from relive_runtime.travel.causes.why import explained

SOURCE = """
def handler(rows):
    doubled = None
    doubled = [row * 2 for row in rows]
    return doubled
"""
BOUND = 4
LONG = """
def handler(rows):
    return {
        "sum": sum(row for row in rows),
        "each": [row + 1 for row in rows],
        "share": rows[0] + None,
    }
"""
SHARE = 6
LOOP = """
def handler(rows):
    total = 0
    for number in [row + 1 for row in rows]:
        total += number
    return total
"""


def _journal(folder: Path, rows: list[Any], source: str = SOURCE) -> Journal:
    """Of a run of the handler."""
    file = folder / "application.py"
    file.write_text(source)
    names: dict[str, Callable[..., Any]] = {}
    exec(compile(source, str(file), "exec"), names)  # noqa: S102 - the source is above
    journal = Journal()
    recorder = Recorder(journal, -1, lambda path: path == str(file), lambda: None, lambda: None)
    before = sys.gettrace()
    sys.settrace(recorder.trace)
    try:
        names["handler"](rows)
    except TypeError:
        pass
    finally:
        sys.settrace(before)
    return journal


def _steps(journal: Journal) -> list[int]:
    return [step for step in range(len(journal)) if journal.line(step) == BOUND]


def test_what_a_comprehension_gave_is_told_of_the_step_at_which_it_began(tmp_path: Path) -> None:
    # When a statement with a comprehension runs
    journal = _journal(tmp_path, [1, 2, 3])
    first, *rounds = _steps(journal)

    # I expect its first step to have bound the name, and none of its rounds, not even to what it was before
    assert journal.bound(first, "doubled") == [2, 4, 6]
    assert {journal.bound(step, "doubled") is MISSING for step in rounds} == {True}
    assert journal.read(first, "row") is MISSING
    assert [journal.read(step, "row") for step in rounds][-1] == 3


def test_a_round_is_not_where_the_function_is(tmp_path: Path) -> None:
    # When a statement with a comprehension runs
    journal = _journal(tmp_path, [1, 2, 3])
    first, *rounds = _steps(journal)

    # I expect its rounds to be in one place, which is another one than that of the function's statements
    assert journal.place(first) == journal.place(0) == journal.place(len(journal) - 1)
    assert len({journal.place(step) for step in rounds}) == 1
    assert journal.place(rounds[0]) != journal.place(first)


def test_what_fails_in_a_round_has_failed_the_statement(tmp_path: Path) -> None:
    # When the third round fails
    journal = _journal(tmp_path, [1, 2, None])
    first, *rounds = _steps(journal)

    # I expect the error where the statement began, and what the round was at
    assert type(journal.raised[first]) is TypeError
    failed = [step for step in rounds if step in journal.raised]
    assert failed
    assert journal.read(failed[-1], "row") is None


def test_why_begins_at_the_round_that_failed(tmp_path: Path) -> None:
    # Given a run whose third round has failed
    journal = _journal(tmp_path, [1, 2, None])
    error = next(iter(journal.raised.values()))

    # When it is asked why
    found = explained(journal, error, "", -1, 0, lambda path: path.startswith(str(tmp_path)))

    # I expect it to begin where the error was raised, not where the comprehension was left
    assert found.failing in journal.raised
    assert journal.read(found.failing, "row") is None


def test_a_line_beside_a_comprehension_is_none_of_its_rounds(tmp_path: Path) -> None:
    # When a statement of several lines fails after its comprehension and its generator are through
    journal = _journal(tmp_path, [1, 2], LONG)

    # I expect the line that failed to be where the function is
    failed = [step for step in range(len(journal)) if journal.line(step) == SHARE]
    assert failed
    assert failed[0] in journal.raised
    assert journal.place(failed[0]) == journal.place(0)


def test_a_loop_over_a_comprehension_is_gone_into(tmp_path: Path) -> None:
    # When a loop goes over what a comprehension gives
    journal = _journal(tmp_path, [1, 2], LOOP)
    head = _steps(journal)[0]

    # I expect its first step to have led into its body, and to have given the first number
    assert Choices(journal).taken(head) == 0
    assert journal.bound(head, "number") == 2
