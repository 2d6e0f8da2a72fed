"""What `relive alerts --follow` prints of an alert."""

from __future__ import annotations

import pytest
from relive.commands.health import alerts
from relive_views.health.alerts import AlertView


def told(capsys: pytest.CaptureFixture[str], reason: str, problem: str = "") -> str:
    view = AlertView(
        name="orders", app="shop", state="no data", since_ns=0, value=None, limit=3.0, condition="", for_s=0,
        reason=reason, problem=problem, severity="", description="", silenced=False, checked_ns=1, changes=0,
    )  # fmt: skip
    alerts._tell(view, notify=False, as_json=False)
    return capsys.readouterr().out


def test_a_look_that_fails_says_why_here_too(capsys: pytest.CaptureFixture[str]) -> None:
    # Given an alert whose query is wrong, I expect that said, not that nobody has looked
    line = told(capsys, "not looked at yet", "Unknown identifier `nonsense`\x1b[31m")
    assert line.endswith("orders  ! Unknown identifier `nonsense`\\x1b[31m\n")
    assert told(capsys, "the query is 5, above 3").endswith("orders  the query is 5, above 3\n")
