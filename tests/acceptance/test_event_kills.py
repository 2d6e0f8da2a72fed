"""Events from outside, from buses, folders and other functions' records survive a kill. Forty rounds of it:
`python tests/support/event_rounds.py`."""

from __future__ import annotations

from pathlib import Path

from event_rounds import run_rounds


def test_what_was_accepted_reaches_its_function_over_a_kill(tmp_path: Path) -> None:
    # Given webhooks, CloudEvents, bus events, files and log lines, while server and collector are killed at
    # once
    outcome = run_rounds(tmp_path, rounds=1, seed=7, most=20)

    # I expect each that was accepted to have reached its function
    assert outcome.clean, outcome
    assert outcome.rounds == {"both": 1}
    assert {kind: outcome.accepted[kind] for kind in ("hook", "cloud", "bus", "file", "log")} == {
        "hook": 20, "cloud": 60, "bus": 20, "file": 20, "log": 20,
    }  # fmt: skip
