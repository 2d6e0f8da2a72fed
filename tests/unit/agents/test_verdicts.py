"""What an agent is told of its fix."""

from __future__ import annotations

from typing import Any

import pytest
from relive_agents.verdicts import next_of, text_of, verdict


def outcome(found: str, **calls: list[str]) -> dict[str, Any]:
    error = {"type": "KeyError", "message": "'a'", "file": "app.py", "line": 3}
    run = {
        "outcome": found,
        "error": None if found == "passed" else error,
        "result": {"ok": 1},
        "differences": [
            {"what": "message", "recorded": "'a'", "replayed": "'b'"},
            {"what": "place", "recorded": "app.py in f", "replayed": "app.py in g"},
        ],
        "calls": {"answered": 2, **calls},
        "log": ["one\nline"],
    }
    return {
        "function": "shop", "code": "the working copy", "outcome": found, "counts": {found: 1},
        "recorded": error, "notes": [], "runs": [run],
    }  # fmt: skip


SAME = outcome("same")


@pytest.mark.parametrize(
    ("ran", "recorded", "own", "said"),
    [
        (outcome("passed"), SAME, True, "verified: "),
        (outcome("passed"), outcome("passed"), True, "passed, not verified: "),
        (outcome("passed"), None, True, "passed, not verified: "),
        (outcome("passed", missing=["GET http://a.test/"]), SAME, True, "passed, not verified: "),
        (outcome("passed"), None, False, "passed: the code that failed does not fail now"),
        (SAME, None, True, "not fixed: "),
        (SAME, None, False, "the same failure again"),
        (outcome("past"), None, True, "past the failing line: "),
        (outcome("unrecorded"), None, True, "undecided: "),
        (outcome("other"), None, True, "another failure"),
    ],
)
def test_verified_is_what_failed_again_and_passes_now(
    ran: dict[str, Any], recorded: dict[str, Any] | None, own: bool, said: str
) -> None:
    assert verdict(ran, recorded, own=own).startswith(said)


def test_the_next_step_names_the_call_that_has_no_answer() -> None:
    ran = outcome("past", missing=["SEND orders"])
    assert next_of(ran, verdict(ran, None, own=True), "01a2").endswith("being what was called: orders")
    text = text_of(ran)
    assert "not recorded: SEND orders" in text
    assert "differs:  place: recorded app.py in f, now app.py in g" in text
    assert "differs:  message" not in text
