"""A range in which there is nothing, and series as sparklines."""

from __future__ import annotations

import time

from relive_tracer.explore.health.functions import Figures
from relive_tui.models.functions import FunctionRows
from relive_tui.models.layout.format import day_clock, trend
from relive_tui.models.layout.text import line_text
from relive_tui.models.widening import SEARCH_NS, Widening
from relive_views.health.functions import FunctionHealth, Point
from relive_views.records import FunctionStats

S = 1_000_000_000
HOUR = 3_600 * S


def test_a_range_with_nothing_in_it_is_widened_to_the_next_usual_one_that_has_something() -> None:
    # Given something that happened seven hours ago
    widening: Widening[list[str]] = Widening()
    asked: list[int] = []

    def ask(range_ns: int) -> list[str]:
        asked.append(range_ns)
        return ["a failure"] if range_ns == 0 or range_ns >= 7 * HOUR else []

    # When the last 15 minutes are asked for, Then those of a day come, and that is said
    assert widening.find(900 * S, S, ask, bool) == ["a failure"]
    assert widening.range_ns == 24 * HOUR
    assert widening.told(900 * S, "none") == "none in 15m, so of the last 1d"
    # And the ranges in between are not tried again
    del asked[:]
    widening.find(900 * S, 2 * S, ask, bool)
    assert asked == [900 * S, 24 * HOUR]
    # And what comes into the chosen range is shown in it
    assert widening.find(900 * S, 3 * S, lambda _range: ["new"], bool) == ["new"]
    assert widening.told(900 * S, "none") == ""


def test_who_has_recorded_nothing_is_not_searched_each_second() -> None:
    widening: Widening[list[str]] = Widening()
    asked: list[int] = []

    def ask(range_ns: int) -> list[str]:
        asked.append(range_ns)
        return []

    assert widening.find(900 * S, HOUR, ask, bool) == []
    assert asked[-1] == 0
    del asked[:]
    widening.find(900 * S, HOUR + S, ask, bool)
    assert asked == [900 * S]
    widening.find(900 * S, HOUR + SEARCH_NS, ask, bool)
    assert asked[-1] == 0


def test_a_series_keeps_its_peaks_and_tells_nothing_from_zero() -> None:
    assert trend([None, 0.0, 1.0, 2.0], 4) == "·▁▅█"
    assert trend([0.0, 9.0, None, None], 2) == "█·"
    assert trend([1.0], 3) == "  █"
    assert trend([1.0], 0) == ""


def test_all_four_series_of_a_function_fit_into_eighty_columns() -> None:
    figures = Figures(attempts=9, failed=3, p95_ms=88.0, waited_p95_ms=0.4)
    points = tuple(Point(at * 60 * S, 60.0, figures) for at in range(15))
    health = FunctionHealth("checkout", 0, 900.0, figures, points)
    stats = FunctionStats(name="checkout", invocations=9, errors=3, last_failure_ns=S, p95_ms=88.0)
    rows = FunctionRows([stats], 61 * S, {"checkout": "cart.py:88 31%"}, figures={"checkout": health})
    # On a narrow terminal the series stand before the hottest line
    narrow = line_text(rows.line(0, 78, False))
    assert narrow.count("█████") == 4
    assert "1m ago" in narrow
    assert "cart.py" not in narrow
    # And on a wide one beside it
    wide = line_text(rows.line(0, 118, False))
    assert wide.count("█████") == 4
    assert "cart.py:88 31%" in wide


def test_a_time_of_another_day_has_its_day() -> None:
    now = int(time.mktime((2026, 11, 30, 12, 0, 0, 0, 0, -1))) * S
    assert day_clock(now - HOUR, now) == "11:00:00"
    assert day_clock(now - 13 * HOUR, now) == "Nov 29 23:00"
    assert day_clock(0, now) == ""
