"""Where an alert stands after looks at it, on a clock that the test moves."""

from __future__ import annotations

from typing import Any

import pytest
from relive_platform.alerts.config import AlertConfig
from relive_platform.alerts.standing import Standing, stepped
from relive_platform.alerts.verdicts import Verdict

S = 1_000_000_000
WRONG, FINE, NOTHING = (
    Verdict(True, 9.0, 5.0, "9"),
    Verdict(False, 1.0, 5.0, "1"),
    Verdict(None, reason="none"),
)


def states(looks: list[tuple[int, Verdict]], **config: Any) -> list[str]:
    """The states after looks at those seconds."""
    given = AlertConfig(metric="failed", above=5, **config)
    standing = Standing()
    found = []
    for second, verdict in looks:
        standing = stepped(given, standing, verdict, second * S)
        found.append(standing.state)
    return found


def test_it_fires_when_it_was_wrong_for_long_enough() -> None:
    looks = [(100, FINE), (130, WRONG), (160, WRONG), (190, WRONG), (220, FINE)]
    assert states(looks, for_s=60) == ["ok", "pending", "pending", "firing", "ok"]
    assert states(looks) == ["ok", "firing", "firing", "firing", "ok"]


def test_what_is_fine_in_between_begins_anew() -> None:
    looks = [(100, WRONG), (130, FINE), (160, WRONG), (190, WRONG), (220, WRONG)]
    assert states(looks, for_s=60) == ["pending", "ok", "pending", "pending", "firing"]


def test_a_time_that_nobody_looked_does_not_count() -> None:
    # Given one that is pending, when nobody has looked for an hour
    assert states([(100, WRONG), (3_700, WRONG), (3_760, WRONG)], for_s=60) == [
        "pending",
        "pending",
        "firing",
    ]
    # ... but one that fires goes on
    assert states([(100, WRONG), (3_700, WRONG)]) == ["firing", "firing"]


@pytest.mark.parametrize(
    ("policy", "expected"),
    [("no data", "no data"), ("ok", "ok"), ("firing", "firing"), ("keep", "firing")],
)
def test_nothing_to_measure(policy: str, expected: str) -> None:
    assert states([(100, WRONG), (130, NOTHING)], no_data=policy)[-1] == expected


def test_changes_are_counted_and_dated() -> None:
    config = AlertConfig(metric="failed", above=5, for_s=30)
    first = stepped(config, Standing(), WRONG, 100 * S)
    second = stepped(config, first, WRONG, 130 * S)
    third = stepped(config, second, WRONG, 160 * S)
    assert [(one.state, one.number, one.since_ns // S) for one in (first, second, third)] == [
        ("pending", 1, 100), ("firing", 2, 130), ("firing", 2, 130),
    ]  # fmt: skip


def test_a_clock_that_goes_back_makes_no_negative_times() -> None:
    config = AlertConfig(metric="failed", above=5, for_s=30)
    first = stepped(config, Standing(), WRONG, 100 * S)
    second = stepped(config, first, WRONG, 40 * S)
    assert (second.state, second.wrong_since_ns) == ("pending", 40 * S)
