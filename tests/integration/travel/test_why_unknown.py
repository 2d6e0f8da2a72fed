"""What `why` says of a value that it can follow no further: that it was there before, or why nobody knows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from relive_runtime.travel.runs import Runs
from relive_runtime.travel.traveller import Traveller
from travel_harness import in_a_worker

BEFORE = "what it was before the handler began"
UNKNOWN = "not known where it arose: "

LONG = """
TABLE = {"price": None}


def spin(count):
    total = 0
    for number in range(count):
        total += number
    return total


def make():
    return {"price": None}


def bound_long_ago(event, context):
    found = event.get("found")
    spin(400)
    return found + 1


def held_long_ago(event, context):
    table = make()
    spin(400)
    return table["price"] + 1


def of_the_event(event, context):
    spin(400)
    return event["found"] + 1


def of_the_module(event, context):
    spin(400)
    return TABLE["price"] + 1
"""

OTHERS = """
import asyncio
import functools
import json
import sys
from concurrent.futures import ThreadPoolExecutor

RATES = {"EUR": 1}
RATE = 1
FILL = RATES.update
SET = vars(sys.modules[__name__]).update
SEEN = {}


def apply(text, hook):
    return json.loads(text, object_hook=hook)


def filled_by_a_library(event, context):
    first = RATES["EUR"]
    apply('{"EUR": null}', FILL)
    count = 2
    factor = count * first
    return RATES["EUR"] * factor


def bound_by_a_library(event, context):
    apply('{"RATE": null}', SET)
    count = 2
    return RATE * count


def add(total, item):
    return total + item


def called_by_a_library(event, context):
    rows = [1, 2]
    begin = event.get("begin")
    together = functools.partial(functools.reduce, add, rows, begin)
    return together()


def note(name):
    SEEN[name] = None


def in_a_thread(event, context):
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(note, ["a", "b"]))
    count = len(done)
    return SEEN["a"] + count


def pairs(names):
    for name in names:
        count = None
        yield name, count


def given_out(event, context):
    table = dict(pairs(["a", "b"]))
    return table["a"] + 1


async def load(count):
    await asyncio.sleep(0)
    return count + 1


async def made_as_a_task(event, context):
    first = None  # arose
    return await asyncio.gather(load(2), load(first))
"""


def look(traveller: Traveller, failure: BaseException | None) -> list[Any]:
    """The line that `why` names, and all that it says."""
    assert failure is not None
    found = Runs(traveller).explained(failure=failure)
    text = "\n".join(found.lines(lambda step: str(traveller.trail.line(step)), lambda step: ""))
    return [None if found.root < 0 else traveller.trail.line(found.root), text]


def asked(folder: Path, source: str, handler: str) -> tuple[int, str]:
    """After a failure."""
    file = folder / "application.py"
    file.write_text(source)
    line, text = in_a_worker(file, handler, look, json.loads('{"found": null}'))
    return line, text


@pytest.mark.parametrize("handler", ["bound_long_ago", "held_long_ago"])
def test_what_is_older_than_the_steps_that_are_looked_at_is_not_known(
    handler: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a value from before the last steps, which alone are looked at
    monkeypatch.setattr("relive_runtime.travel.runs._JOURNAL_STEPS", 200)

    # When it is asked why
    _, text = asked(tmp_path, LONG, handler)

    # I expect to be told that it is not known, and why; and not that it was so before the handler began
    assert f"{UNKNOWN}steps before " in text, text
    assert BEFORE not in text


@pytest.mark.parametrize("handler", ["of_the_event", "of_the_module"])
def test_what_was_there_at_the_first_step_was_there_before(
    handler: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a value of the event or of the module, and a run that is longer than what is looked at
    monkeypatch.setattr("relive_runtime.travel.runs._JOURNAL_STEPS", 200)

    # When it is asked why
    _, text = asked(tmp_path, LONG, handler)

    # I expect it to be known
    assert BEFORE in text, text
    assert UNKNOWN not in text


@pytest.mark.parametrize(
    ("handler", "reason"),
    [
        ("filled_by_a_library", "it was changed between step 1 and step "),
        ("bound_by_a_library", "no line that was followed has put it there"),
        ("called_by_a_library", "a library has called add with it"),
        ("in_a_thread", "code in other threads, from step "),
    ],
)
def test_what_others_did_is_not_known(handler: str, reason: str, tmp_path: Path) -> None:
    # Given a value that a library or another thread has put where it is
    # When it is asked why
    _, text = asked(tmp_path, OTHERS, handler)

    # I expect to be told that it is not known, and why; and not that it was so before the handler began
    assert reason in text, text
    assert UNKNOWN in text, text
    assert BEFORE not in text


def test_an_argument_of_a_task_is_followed_to_who_has_made_it(tmp_path: Path) -> None:
    # Given a coroutine that a loop has called, and that somebody else has made
    # When it is asked why
    line, text = asked(tmp_path, OTHERS, "made_as_a_task")

    # I expect the line that gave the argument its value
    assert line == next(n for n, row in enumerate(OTHERS.splitlines(), 1) if row.endswith("# arose")), text


def test_a_generator_gives_out_what_it_yields(tmp_path: Path) -> None:
    # Given a value that a library has taken from a generator, which then came to its end
    # When it is asked why
    line, text = asked(tmp_path, OTHERS, "given_out")

    # I expect it to be led into the generator, and not to the end of its loop
    rows = OTHERS.splitlines()
    assert line in (rows.index("        count = None") + 1, rows.index("        yield name, count") + 1), text
