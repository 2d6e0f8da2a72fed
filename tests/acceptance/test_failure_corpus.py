"""A corpus of realistic failures: each leaves a scene with the root line, a local's value and the event."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from failure_corpus import Outcome, corpus, repeats, run_all, serving
from relive_cli import Relive

FUNCTIONS = corpus()


@pytest.fixture(scope="module")
def home() -> Iterator[Relive]:
    with serving(FUNCTIONS) as running:
        yield running


@pytest.fixture(scope="module")
def outcomes(home: Relive) -> dict[str, Outcome]:
    """All of them, run once on one server."""
    return {outcome.expected.name: outcome for outcome in run_all(home, FUNCTIONS)}


def test_the_corpus_is_large() -> None:
    assert len(FUNCTIONS) >= 44
    assert len({one.name for one in FUNCTIONS}) == len(FUNCTIONS)


@pytest.mark.timeout(900)  # the first one runs all that the others look at
@pytest.mark.parametrize("name", [one.name for one in FUNCTIONS])
def test_the_scene_of(outcomes: dict[str, Outcome], name: str) -> None:
    # I expect a scene with all that the function's docstring says
    assert outcomes[name].problems == []


def test_every_failure_leaves_a_scene_and_nearly_all_have_line_locals_and_event(
    outcomes: dict[str, Outcome],
) -> None:
    found = list(outcomes.values())
    with_frames = [outcome for outcome in found if outcome.expected.has_frames]

    assert all(outcome.scene is not None for outcome in found)
    assert all(outcome.has_event for outcome in found)
    assert all(outcome.has_root for outcome in with_frames)
    assert sum(outcome.has_locals for outcome in with_frames) >= 0.9 * len(with_frames)


@pytest.mark.parametrize(
    "name",
    ["order_twice", "merge_that_repeats", "service_is_down", "slow_pattern", "task_dies_unseen"],
)
def test_the_replay_is_the_same_failure_for(home: Relive, outcomes: dict[str, Outcome], name: str) -> None:
    # `make bench BENCH_FLAGS=capture/failures` replays all of them
    assert repeats(home, outcomes[name]) == ""


@pytest.mark.parametrize("name", ["key_of_a_large_map", "large_table", "broken_repr", "endless_recursion"])
def test_the_capture_does_not_take_long_for(outcomes: dict[str, Outcome], name: str) -> None:
    scene = outcomes[name].scene

    # 10 ms of processor time; the clock on the wall runs on while the machine does other things
    assert scene is not None
    assert 0 < scene.manifest["capture_ns"] < 20e9


def test_relive_lists_and_shows_them(home: Relive, outcomes: dict[str, Outcome]) -> None:
    # When a user lists the failures
    def rows() -> dict[str, Any]:
        found = {row["function"]: row for row in home.json("failures", "--limit", "1000")}
        return found if len(found) == len(outcomes) else {}

    # I expect all of them, as soon as the store has them
    listed = home.eventually(rows)
    assert set(listed) == set(outcomes)
    assert {row["kind"] for row in listed.values()} >= {
        "exception",
        "timeout",
        "signal",
        "background",
        "memory",
    }

    # ... and what failed beside the handler is shown with the failure
    shown = home.run("failure", outcomes["thread_dies_first"].invocation_id).stdout
    assert "Failed beside it" in shown
    assert "OverflowError" in shown
