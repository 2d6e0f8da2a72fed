"""Metrics as charts, alerts with their changes and silences."""

from __future__ import annotations

import json
from typing import Any

import pytest
from relive_store import open_store
from relive_tui.app import ReliveApp
from relive_tui.models.alerts import SilenceProblem, parse_silence
from relive_tui.models.charts import Chart, ChartGrid, chart_lines
from relive_tui.models.layout.format import day_clock
from relive_tui.models.layout.text import line_text, line_width
from relive_tui.source.home import DataSource
from textual.widgets import Input
from tui_driving import opened, press, settle, shown

S = 1_000_000_000


async def test_metrics_are_charted_for_the_function_under_the_cursor(sample: Any) -> None:
    # Given a function that fails, and one of which nothing ran of late
    async with opened(sample, "metrics", None, (80, 24)) as (app, pilot):
        text = shown(app)
        assert "Charts  checkout" in text
        assert "errors  now 1.7%  most 1.7%" in text
        assert "rate per s  now 14  most 14" in text
        assert "waited p95" in text
        # When the other one is chosen, Then its charts say that nothing was measured at the end
        await press(app, pilot, "j")
        assert "p95  now ·  most 300ms" in shown(app)
        # And Enter shows its invocations
        await press(app, pilot, "enter")
        assert (app.navigator.here.view, app.navigator.here.scope.function) == ("invocations", "resize")
        # And v shows the platform itself
        await press(app, pilot, "escape", "v")
        assert "relive.workers state=busy" in shown(app)
        assert "286M" in shown(app)


async def test_a_chart_is_opened_on_the_function_one_comes_from(sample: Any) -> None:
    async with opened(sample) as (app, pilot):
        await press(app, pilot, "tab", "j", "7")
        assert "Charts  resize" in shown(app)


def test_a_chart_tells_gaps_from_zero_and_shows_its_highest_value() -> None:
    # Given a series that ends in a gap, of which the constant part is the highest
    chart = Chart("x [b]", [0.0, 5.0, 5.0, None], 0, 4 * S, lambda value: f"{value:g}")
    # When it is drawn
    lines = [line_text(line) for line in chart_lines(chart, 40, 8)]
    # Then the first line says so, and the highest dots are on the first line of the plot
    assert lines[0].startswith("x [b]  now ·  most 5 at ")
    dots = lines[1].split("│")[1]
    assert any(cell != "\u2800" for cell in dots)
    assert set(dots[-8:]) == {"\u2800"}
    assert len(lines) == 8
    # ... and on little room first when it was left out, then the highest value with its word
    titles = [line_text(chart_lines(chart, width, 8)[0]) for width in (25, 20, 19)]
    assert titles == ["x [b]  now ·  most 5", "x [b]  now ·  most 5", "x [b]  now ·"]
    # And of nothing that is said
    late = Chart("z", [1.0, 2.0, None, None], 0, 4 * S, str, late=2)
    assert "now 2.0" in line_text(chart_lines(late, 40, 8)[0])
    # And when the highest stretch began, though the last one has only just begun
    minute = 60 * S
    cut = Chart("w", [1.0, 9.0, 2.0, 1.0], 0, 183 * S, str, starts_ns=[0, minute, 2 * minute, 3 * minute])
    assert f"most 9.0 at {day_clock(minute, 183 * S)[:5]}" in line_text(chart_lines(cut, 60, 8)[0])
    empty = Chart("y", [None, None], 0, S, str)
    assert "nothing was measured" in "".join(line_text(line) for line in chart_lines(empty, 40, 7))
    grid = ChartGrid([chart, empty, chart], 80, 20)
    assert {line_width(line) for line in grid.lines} <= {40, 80}


async def test_an_alert_that_fires_is_first_and_is_silenced_for_a_time(sample: Any) -> None:
    # Given an alert that fires and one that could not be looked at
    async with opened(sample, "alerts", None, (80, 24)) as (app, pilot):
        text = shown(app)
        assert "✖ firing" in text
        assert "wrong if error_rate above 0.05 for 120 s" in text
        assert "Changes of errors  1" in text
        assert "\x1b" not in text
        # When m is pressed, and a time and a reason are typed
        await press(app, pilot, "m")
        app.screen.query_one(Input).value = "30m db moves"
        await press(app, pilot, "enter")
        # Then the server is told so
        assert "silence errors 1800 'db moves'" in sample.asked
        assert "nobody is told of errors till" in [note.message for note in app._notifications][-1]
        # And changes of all are there with A
        await press(app, pilot, "A")
        assert "Changes of all alerts  2" in shown(app)


@pytest.mark.parametrize(
    ("line", "meant"),
    [("2h", (7200.0, "")), ("30m  the db moves ", (1800.0, "the db moves")), ("0", (0.0, ""))],
)
def test_a_silence_is_a_time_and_a_reason(line: str, meant: tuple[float, str]) -> None:
    assert parse_silence(line) == meant


@pytest.mark.parametrize("line", ["", "soon", "2", "h", "-1h"])
def test_a_silence_needs_a_time(line: str) -> None:
    with pytest.raises(SilenceProblem, match="30m, 2h, 3d"):
        parse_silence(line)


async def test_without_a_server_the_changes_are_there_and_the_states_are_not_known(world: Any) -> None:
    # Given a change of an alert in the store, and no server
    columns = {
        "Alert": ["errors"], "App": ["shop"], "At": [world.now_ns - 60 * S], "State": ["firing"],
        "Before": ["ok"], "Value": [0.5], "Threshold": [0.1], "Reason": ["half of them failed"],
        "Silenced": [0], "Number": [1],
    }  # fmt: skip
    world.store.insert("alert_history", columns)
    source = DataSource(lambda: open_store(world.store.url), world.scenes_dir)
    app = ReliveApp(source, "alerts")
    async with app.run_test(size=(100, 24)) as pilot:
        await settle(app, pilot)
        # Then that is shown, and nothing claims that there are no alerts
        text = shown(app)
        assert "half of them failed" in text
        assert "known to a server" in text
        assert "No application has alerts" not in text
        # And the metrics of the store are charted
        await press(app, pilot, "7")
        assert "Charts  report" in shown(app)
        assert "100%" in shown(app)
    # And a server that answers is asked for both, alerts and silences
    told = {
        "errors": {
            "app": "shop", "state": "firing", "since_ns": 1, "value": 0.5, "limit": 0.1, "condition": "c",
            "for_s": 0, "reason": "r", "problem": "", "severity": "", "description": "", "silenced": True,
            "checked_ns": 1, "changes": 1,
        }
    }  # fmt: skip
    asked: list[str] = []

    def asks(name: str, event: bytes) -> bytes:
        asked.append(name)
        alarm = {"errors": {"silenced_until_ns": 7, "silence_reason": "why"}}
        return json.dumps(told if name.startswith("alert:") else alarm).encode()

    with_server = DataSource(lambda: open_store(world.store.url), world.scenes_dir, asks=asks)
    [standing] = with_server.alerts(None)  # type: ignore[arg-type]
    assert (standing.alert.name, standing.silenced_until_ns, standing.silence_reason) == ("errors", 7, "why")
    assert with_server.silence(None, "errors", 60, "x") == 7  # type: ignore[arg-type]
    assert asked == ["alert:*", "alarm:*", "alarm:errors"]
    source.close()
