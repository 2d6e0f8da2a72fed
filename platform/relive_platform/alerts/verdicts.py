"""Whether what was measured is wrong: a limit, or the burn rates of an objective. Pure functions.

Burn rates are those of Google's Site Reliability Workbook, chapter 5: an alert fires if an error budget is
spent so fast that a share of it would go within a long window, and if a short one says that it still is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from relive_base.shown_numbers import shown_number

from relive_platform.alerts.config import AlertConfig
from relive_platform.alerts.durations import shown_duration

__all__ = ["WINDOWS", "BurnWindow", "Counts", "Verdict", "burning", "compared", "windows_s"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """`wrong` None: there is nothing to measure."""

    wrong: bool | None
    value: float | None = None
    limit: float | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Counts:
    """Attempts of a window."""

    bad: int
    total: int

    @property
    def rate(self) -> float:
        """Share of the bad ones."""
        return self.bad / self.total if self.total else 0.0


@dataclass(frozen=True, slots=True)
class BurnWindow:
    """Wrong if `share` of the budget goes within `long_s`, and `short_s` says the same."""

    long_s: int
    short_s: int
    share: float


WINDOWS: Final = (
    BurnWindow(3_600, 300, 0.02),
    BurnWindow(6 * 3_600, 1_800, 0.05),
    BurnWindow(3 * 86_400, 6 * 3_600, 0.10),
)
"""As the workbook has them: 14.4, 6 and 1 times the rate that would spend a budget of 30 days in time."""


def windows_s() -> list[int]:
    """All lengths that are looked at, in seconds."""
    return sorted({length for window in WINDOWS for length in (window.short_s, window.long_s)})


def compared(config: AlertConfig, value: float | None) -> Verdict:
    """Of a value and a limit."""
    what = "the query" if config.sql else config.metric
    if value is None or value != value:
        return Verdict(None, reason=f"{what} has no value")
    over = f" over {shown_duration(config.over_s)}" if config.metric and not config.own else ""
    checks: tuple[tuple[str, float | None, Callable[[float, float], bool]], ...] = (
        ("above", config.above, lambda found, limit: found > limit),
        ("below", config.below, lambda found, limit: found < limit),
    )
    for word, limit, wrong in checks:
        if limit is not None and wrong(value, limit):
            return Verdict(
                True, value, limit, f"{what} is {shown_number(value)}{over}, {word} {shown_number(limit, 6)}"
            )
    limit = config.above if config.above is not None else config.below
    return Verdict(False, value, limit, f"{what} is {shown_number(value)}{over}")


def burning(config: AlertConfig, counts: Mapping[int, Counts]) -> Verdict:
    """Of an objective; `counts` by the length of their window. The value is the burn rate in the long window
    that is nearest to its limit, which is the verdict's."""
    longest = counts[WINDOWS[-1].long_s]
    if not longest.total:
        return Verdict(None, reason=f"nothing ran within {shown_duration(WINDOWS[-1].long_s)}")
    budget = 1.0 - config.objective
    nearest: Verdict | None = None
    for window in WINDOWS:
        limit = window.share * config.period_s / window.long_s
        long, short = (counts[length].rate / budget for length in (window.long_s, window.short_s))
        enough = counts[window.long_s].total >= config.min_attempts
        wrong = enough and long > limit and short > limit
        said = (
            f"burn rate {shown_number(long, 3)} over {shown_duration(window.long_s)},"
            f" {shown_number(short, 3)} over {shown_duration(window.short_s)} (limit"
            f" {shown_number(limit, 3)}; 1 spends the error budget in {shown_duration(config.period_s)})"
        )
        found = Verdict(wrong, long, limit, said)
        if wrong:
            return found
        if nearest is None or long / limit > (nearest.value or 0.0) / (nearest.limit or 1.0):
            nearest = found
    assert nearest is not None
    return nearest
