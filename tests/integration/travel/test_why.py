"""Functions that fail some time after a value went wrong: the line where it did is found."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from relive_runtime.travel.runs import Runs
from relive_runtime.travel.traveller import Traveller
from relive_runtime.travel.why import why
from travel_harness import in_a_worker

SOURCES = [Path(__file__).with_name(name) for name in ("wrong_values.py", "wrong_values_again.py")]
EVENT = {"sku": "B-2", "count": 1, "fields": {"count": "3"}}
ANSWERS = {
    found[1]: (source, number)
    for source in SOURCES
    for number, line in enumerate(source.read_text().splitlines(), 1)
    if (found := re.search(r"# arose: ([a-z_]+)", line))
}
MISSED = frozenset(
    (
        *("null_in_json", "row_without_number"),  # a line further or less far on the value's way
        *(
            "used_up",
            "end_before_start",
        ),  # the line that computed the value, not what was wrong with its input
        *("zip_stops", "set_loses"),  # where the key arose; what is too short is the container
    )
)
"""Of the second set: another line of the chain is named, or another value followed."""


def _look(traveller: Traveller, failure: BaseException | None) -> list[Any]:
    trail = traveller.trail
    found = why(Runs(traveller), trail, failure, len(trail) - 1, "", traveller.own, -1)
    text = "\n".join(found.lines(lambda step: str(trail.line(step)), lambda step: ""))
    return [None if found.root is None else trail.line(found.root), text]


def test_at_least_four_of_five_are_found_in_each_set() -> None:
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
    line, text = in_a_worker(file, handler, _look, EVENT)

    # I expect the line at which the bad value arose
    assert line == expected, text
