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

SOURCE = Path(__file__).with_name("wrong_values.py")
EVENT = {"sku": "B-2", "count": 1, "fields": {"count": "3"}}
ANSWERS = {
    found[1]: number
    for number, line in enumerate(SOURCE.read_text().splitlines(), 1)
    if (found := re.search(r"# arose: ([a-z_]+)", line))
}


def _look(traveller: Traveller, failure: BaseException | None) -> list[Any]:
    trail = traveller.trail
    found = why(Runs(traveller), trail, failure, len(trail) - 1, "", traveller.own, -1)
    text = "\n".join(found.lines(lambda step: str(trail.line(step)), lambda step: ""))
    return [None if found.root is None else trail.line(found.root), text]


def test_there_are_over_thirty() -> None:
    assert len(ANSWERS) == 33


@pytest.mark.parametrize("handler", sorted(ANSWERS))
def test_why_names_the_line_of(handler: str, tmp_path: Path) -> None:
    # Given a run that has failed
    file = Path(shutil.copy(SOURCE, tmp_path / "application.py"))

    # When it is asked why
    line, text = in_a_worker(file, handler, _look, EVENT)

    # I expect the line at which the bad value arose
    assert line == ANSWERS[handler], text
