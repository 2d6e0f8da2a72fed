"""Where an error went by: a `with` is named for it if it has swallowed the error, a loop's end is none."""

from __future__ import annotations

from pathlib import Path

import pytest
from travel_harness import in_a_worker, talked

SOURCE = """
from contextlib import nullcontext, suppress


class Numbers:
    def __init__(self, most):
        self.most = most

    def __iter__(self):
        return self

    def __next__(self):
        if not self.most:
            raise StopIteration
        self.most -= 1
        return self.most


class Locks:
    def suppress(self, name):
        return nullcontext()


def loop(event, context):
    found = None
    with suppress(KeyError):
        for one in Numbers(3):
            if one == 7:
                found = one
    return found + 1


def another(event, context):
    found = None
    try:
        with suppress(KeyError):
            found = int("x")
    except ValueError:
        print("none")
    return found + 1


def own(event, context):
    found = None
    try:
        with Locks().suppress("x"):
            found = int("x")
    except ValueError:
        print("none")
    return found + 1


def swallowed(event, context):
    found = None
    with suppress(ValueError):
        found = int("x")
    return found + 1
"""


def why(handler: str, folder: Path) -> list[str]:
    """What is said of a run of a handler."""
    file = folder / "application.py"
    file.write_text(SOURCE)
    return in_a_worker(file, handler, talked(["why", "quit"])).splitlines()


@pytest.mark.parametrize("handler", ["loop", "another", "own"])
def test_a_with_that_has_swallowed_nothing_is_not_said_to(handler: str, tmp_path: Path) -> None:
    # When a loop in it has come to its end, or an error has gone through it
    said = why(handler, tmp_path)

    # I expect it not to be named for that, and no error to be told of that was none
    assert any("→ " in row for row in said), said
    assert not [row for row in said if "an error was swallowed" in row]
    assert not [row for row in said if "been swallowed" in row or "StopIteration" in row]


def test_a_with_that_has_swallowed_an_error_is_named(tmp_path: Path) -> None:
    # When an error was of the class that it suppresses
    said = why("swallowed", tmp_path)

    # I expect it to be named, and why
    assert [row for row in said if "→ may have been swallowed" in row], said
    assert [row for row in said if "an error was swallowed in it" in row], said
