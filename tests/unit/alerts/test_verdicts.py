"""Limits, and burn rates as the Site Reliability Workbook has them."""

from __future__ import annotations

import pytest
from relive_platform.alerts.config import AlertConfig
from relive_platform.alerts.verdicts import WINDOWS, Counts, burning, compared, windows_s

SLO = AlertConfig(slo="errors", objective=0.999)
TOTAL = 1_000_000


def rates(**by_window: float) -> dict[int, Counts]:
    """Counts of windows with these shares of bad attempts; m5, m30, h1, h6, d3."""
    names = {"m5": 300, "m30": 1_800, "h1": 3_600, "h6": 21_600, "d3": 259_200}
    return {length: Counts(round(by_window.get(name, 0.0) * TOTAL), TOTAL) for name, length in names.items()}


def test_the_factors_are_those_of_the_workbook() -> None:
    factors = [window.share * SLO.period_s / window.long_s for window in WINDOWS]
    assert factors == pytest.approx([14.4, 6.0, 1.0])
    assert windows_s() == [300, 1_800, 3_600, 21_600, 259_200]


@pytest.mark.parametrize(
    ("found", "wrong"),
    [
        ({"h1": 0.0150, "m5": 0.0150}, True),  # 15 times, now
        ({"h1": 0.0150, "m5": 0.0100}, False),  # it is over already
        ({"h1": 0.0100, "m5": 0.0500}, False),  # too short yet
        ({"h6": 0.0061, "m30": 0.0061}, True),
        ({"h6": 0.0059, "m30": 0.0061}, False),
        ({"d3": 0.0011, "h6": 0.0011}, True),
        ({"d3": 0.0009, "h6": 0.0009}, False),
        ({}, False),
    ],
)
def test_both_windows_must_burn(found: dict[str, float], wrong: bool) -> None:
    assert burning(SLO, rates(**found)).wrong is wrong


def test_the_verdict_names_what_is_nearest_to_its_limit() -> None:
    verdict = burning(SLO, rates(h1=0.0016, m5=0.0016, h6=0.003, m30=0.003, d3=0.0009))
    assert (verdict.wrong, round(verdict.value or 0, 3), round(verdict.limit or 0, 3)) == (False, 0.9, 1.0)


def test_few_attempts_and_none() -> None:
    none = {length: Counts(0, 0) for length in windows_s()}
    assert burning(SLO, none).wrong is None
    few = {length: Counts(3, 3) for length in windows_s()}
    assert burning(SLO, few).wrong is True
    assert burning(AlertConfig(slo="errors", objective=0.999, min_attempts=10), few).wrong is False


@pytest.mark.parametrize(
    ("above", "below", "value", "wrong"),
    [
        (5, None, 5.0, False),
        (5, None, 5.1, True),
        (None, 2, 1.0, True),
        (5, 2, 3.0, False),
        (5, 2, 1.0, True),
    ],
)
def test_limits(above: float | None, below: float | None, value: float, wrong: bool) -> None:
    assert compared(AlertConfig(metric="failed", above=above, below=below), value).wrong is wrong


@pytest.mark.parametrize("value", [None, float("nan")])
def test_no_value_is_no_verdict(value: float | None) -> None:
    assert compared(AlertConfig(sql="SELECT 1", above=1), value).wrong is None


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.85714, "0.8571"),
        (7, "7"),
        (999.94, "999.9"),
        (1_000, "1,000"),
        (123_456.7, "123,457"),
        (2e20, "2e+20"),
    ],
)
def test_numbers_that_people_read_are_written_out(value: float, shown: str) -> None:
    assert compared(AlertConfig(metric="failed", below=0), value).reason == f"failed is {shown} over 5m"


def test_large_limits_and_burn_rates_are_written_out() -> None:
    config = AlertConfig(metric="largest_rss_bytes", above=2_000_000_000, over_s=300)
    assert config.describe() == "largest_rss_bytes above 2,000,000,000"
    assert compared(config, 3e9).reason == "largest_rss_bytes is 3,000,000,000 over 5m, above 2,000,000,000"
    burnt = burning(SLO, rates(h1=1.0, m5=1.0))
    assert burnt.reason == (
        "burn rate 1,000 over 1h, 1,000 over 5m (limit 14.4; 1 spends the error budget in 30d)"
    )
