"""Functions that fail some time after a value went wrong: the line where it did is found."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from relive_runtime.travel.causes.statements import Statements
from relive_runtime.travel.origins import Spot
from relive_runtime.travel.runs import Runs
from relive_runtime.travel.traveller import Traveller
from travel_harness import in_a_worker
from wrong_value_sets import Case, cases, sets, unseen

HERE = Path(__file__).parent
SOURCES = [HERE / name for name in ("wrong_values.py", "wrong_values_again.py")]
EVENT = {"sku": "B-2", "count": 1, "fields": {"count": "3"}}
ANSWERS = {
    found[1]: (source, number)
    for source in SOURCES
    for number, line in enumerate(source.read_text().splitlines(), 1)
    if (found := re.search(r"# arose: ([a-z_]+)", line))
}
MISSED = frozenset(
    (
        *("wrong_unit", "wrong_branch", "from_generator", "any_names", "suppressed", "row_without_number"),
        *("mutable_default", "aliased_list", "shallow_copy", "late_binding", "used_up", "kept_by_setdefault"),
    )
)
"""Another line is named. Of the latter six it is the one to mend (the alias, the default, the copy, the
closure, the generator), where the answer has the one that changed or used what they share."""
FIRST, AMONG = 722, 980
"""Of all the sets: how many are named first, and how many beside another line or first."""
EVERY = 30
"""Of the cases of the sets, every so many is run here, and `scripts/why_scores.py` runs all."""


MODULES = [case for path in sets() for case in cases(path)]


def look(traveller: Traveller, failure: BaseException | None) -> list[Any]:
    """The lines that `why` names, the likeliest first, and all that it says."""
    trail = traveller.trail
    assert failure is not None
    found = Runs(traveller).explained(failure=failure)
    text = "\n".join(
        found.lines(lambda step: str(trail.line(step)), lambda step: "", lambda _, line: str(line))
    )
    if found.root < 0:
        return [[], text]
    named = found.named if found.named.step >= 0 else Spot(found.root)
    return [[spot.line or trail.line(spot.step) for spot in (named, *found.others)], text]


def test_at_least_four_of_five_are_found_in_each_of_the_first_sets() -> None:
    for source, total in zip(SOURCES, (33, 32), strict=True):
        handlers = {handler for handler, answer in ANSWERS.items() if answer[0] == source}
        assert len(handlers) == total
        assert len(handlers - MISSED) >= 0.8 * total


def test_of_the_sets_no_fewer_are_found_than_were() -> None:
    names = [case.name for case in MODULES]
    found = Counter(case.found for case in MODULES)
    unseen_ones = Counter(case.found for path in unseen() for case in cases(path))

    assert len(names) == len(set(names)) == 1_081
    assert found["first"] >= FIRST
    assert found["first"] + found["beside"] >= AMONG
    assert unseen_ones["first"] >= 37


@pytest.mark.parametrize("case", [case for case in MODULES if case.found == "beside"][:: EVERY * 2], ids=str)
def test_why_names_the_line_beside_another_one(case: Case, tmp_path: Path) -> None:
    # Given a run of a whole module that has failed
    file = tmp_path / "application.py"
    file.write_text(case.text)

    # When it is asked why
    lines, text = in_a_worker(file, "handler", look, case.event)

    # I expect the line among those that may be to blame, and no certainty about another
    assert is_named(case, lines), text
    assert "→ may have " in text


@pytest.mark.parametrize("handler", sorted(ANSWERS.keys() - MISSED))
def test_why_names_the_line_of(handler: str, tmp_path: Path) -> None:
    # Given a run that has failed
    source, expected = ANSWERS[handler]
    file = Path(shutil.copy(source, tmp_path / "application.py"))

    # When it is asked why
    lines, text = in_a_worker(file, handler, look, EVENT)

    # I expect the line at which the bad value arose
    assert lines[:1] == [expected], text


@pytest.mark.parametrize("case", [case for case in MODULES if case.found == "first"][::EVERY], ids=str)
def test_why_names_the_line_in_the_module(case: Case, tmp_path: Path) -> None:
    # Given a run of a whole module that has failed
    file = tmp_path / "application.py"
    file.write_text(case.text)

    # When it is asked why
    lines, text = in_a_worker(file, "handler", look, case.event)

    # I expect the statement in which the bad value arose
    assert is_named(case, lines[:1]), text


def is_named(case: Case, lines: list[int]) -> bool:
    """A long statement may be named by any of its lines."""
    statements = Statements(case.text)
    return any(statements.statement(line) is statements.statement(case.arose) for line in lines)


HOSTILE = """
ARMED = []


class Key:
    def __init__(self, name):
        self.name = name

    def __hash__(self):
        if ARMED:
            raise RuntimeError("hashed")
        return 7

    def __eq__(self, other):
        if ARMED:
            raise RuntimeError("compared")
        return self is other

    def __len__(self):
        raise RuntimeError("asked for its length")

    def __bool__(self):
        return False if not ARMED else 1 / 0

    def __getattr__(self, name):
        raise RuntimeError(name)


def lookup(table, keys):
    found = None
    for key in keys:
        if key in table and not key:
            found = table[key]
    rows = {}
    for key in keys:
        rows[key] = {"name": key.name}
        rows[key] = {"other": key}
    ARMED.append(True)
    return rows, found


def handler(event, context):
    keys = [Key("a"), Key("b")]
    rows, found = lookup({keys[0]: None}, keys)
    return [row["name"] for row in rows.values()]
"""


def test_why_runs_nothing_of_the_users_objects(tmp_path: Path) -> None:
    # Given objects whose code fails from some moment on
    file = tmp_path / "application.py"
    file.write_text(HOSTILE)

    # When it is asked why
    lines, text = in_a_worker(file, "handler", look, {})

    # I expect an answer, and none of it to have been run
    assert lines, text
    assert "could not be followed" not in text
