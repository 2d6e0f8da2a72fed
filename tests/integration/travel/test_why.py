"""Functions that fail some time after a value went wrong: the line where it did is found."""

from __future__ import annotations

import ast
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from relive_runtime.travel.runs import Runs
from relive_runtime.travel.traveller import Traveller
from travel_harness import in_a_worker

HERE = Path(__file__).parent
SOURCES = [HERE / name for name in ("wrong_values.py", "wrong_values_again.py")]
SETS = [
    HERE / "wrong_values_sets" / f"{name}.txt" for name in ("third", "fourth", "fifth", "sixth", "seventh")
]
EVENT = {"sku": "B-2", "count": 1, "fields": {"count": "3"}}
ANSWERS = {
    found[1]: (source, number)
    for source in SOURCES
    for number, line in enumerate(source.read_text().splitlines(), 1)
    if (found := re.search(r"# arose: ([a-z_]+)", line))
}
MISSED = frozenset(
    (
        *("zero_count", "from_generator", "any_names", "row_without_number"),  # a line further on the way
    )
)
MISSED_IN_MODULES = frozenset(
    (
        *(
            "used_generator",
            "env_limit",
            "namedtuple_replace",
            "wrong_default_key",
        ),  # a line further on the way
        *("cookie_parse", "missing_return", "stack_machine"),  # likewise
        *("late_callback", "percent_unit", "stale_total", "token_expiry"),  # another computation of the way
        *("median_unsorted", "wrong_separator_join", "unquoted_property", "matrix_rows"),  # likewise
        *("sentinel_index", "argument_order"),  # likewise
        *("removed_while_looping", "substring_role", "first_match", "inclusive_range"),  # a branch
        *("prefix_match", "limit_inclusive", "merge_sorted"),  # likewise
        *(
            "decimal_of_float",
            "graph_parent",
            "replace_ignored",
            "reused_row",
            "closed_range",
        ),  # another value
        *("heap_order", "nested_default", "lru_mutable"),  # likewise
        *(
            "blank_columns",
            "squeezed_batch",
            "merged_playlist",
        ),  # a class's own value; a shape; a missing key
    )
)
"""Another line of the chain is named, or another value followed."""
EVERY = 6
"""Of the cases of the sets, every so many is run here, and `scripts/why_scores.py` runs all."""


@dataclass(frozen=True)
class Case:
    """A module with a handler that fails, an event, and the line at which the bad value arises."""

    name: str
    text: str
    arose: int


def cases(path: Path) -> list[Case]:
    """Of a set: each begins with `### NAME`."""
    found = []
    for part in re.split(r"^### ", path.read_text(), flags=re.MULTILINE)[1:]:
        name, _, text = part.partition("\n")
        lines = text.splitlines()
        (arose,) = [number for number, line in enumerate(lines, 1) if line.endswith("# arose")]
        found.append(Case(name, text.replace("  # arose\n", "\n"), arose))
    return found


MODULES = [case for path in SETS for case in cases(path)]


def look(traveller: Traveller, failure: BaseException | None) -> list[Any]:
    """The line that `why` names, and all that it says."""
    trail = traveller.trail
    assert failure is not None
    found = Runs(traveller).explained()
    text = "\n".join(found.lines(lambda step: str(trail.line(step)), lambda step: ""))
    return [None if found.root < 0 else trail.line(found.root), text]


def test_at_least_four_of_five_are_found_in_each_of_the_first_sets() -> None:
    for source, total in zip(SOURCES, (33, 32), strict=True):
        handlers = {handler for handler, answer in ANSWERS.items() if answer[0] == source}
        assert len(handlers) == total
        assert len(handlers - MISSED) >= 0.8 * total


@pytest.mark.parametrize("handler", sorted(ANSWERS.keys() - MISSED))
def test_why_names_the_line_of(handler: str, tmp_path: Path) -> None:
    # Given a run that has failed
    source, expected = ANSWERS[handler]
    file = Path(shutil.copy(source, tmp_path / "application.py"))

    # When it is asked why
    line, text = in_a_worker(file, handler, look, EVENT)

    # I expect the line at which the bad value arose
    assert line == expected, text


@pytest.mark.parametrize(
    "case",
    [case for case in MODULES if case.name not in MISSED_IN_MODULES][::EVERY],
    ids=lambda case: case.name,
)
def test_why_names_the_line_in_the_module(case: Case, tmp_path: Path) -> None:
    # Given a run of a whole module that has failed
    file = tmp_path / "application.py"
    file.write_text(case.text)
    event = ast.literal_eval(re.split(r"^EVENT = ", case.text, flags=re.MULTILINE)[1])

    # When it is asked why
    line, text = in_a_worker(file, "handler", look, event)

    # I expect the line at which the bad value arose
    assert line == case.arose, text
