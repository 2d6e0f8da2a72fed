"""A corpus of realistic failures: each leaves a scene with the root line, a local's value and the event."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from failure_corpus import Outcome, corpus, run_all, serving

FUNCTIONS = corpus()


@pytest.fixture(scope="module")
def outcomes() -> Iterator[dict[str, Outcome]]:
    """All of them, run once on one server."""
    with serving(FUNCTIONS) as home:
        yield {outcome.expected.name: outcome for outcome in run_all(home, FUNCTIONS)}


def test_the_corpus_is_large() -> None:
    assert len(FUNCTIONS) >= 44
    assert len({one.name for one in FUNCTIONS}) == len(FUNCTIONS)


@pytest.mark.timeout(240)
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
