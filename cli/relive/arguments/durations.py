"""Reading durations and sizes as people write them: 90s, 15m, 1h, 7d."""

from __future__ import annotations

import re
import time
from typing import Any

import click

__all__ = ["DURATION", "WAIT", "Duration", "since_ns"]

_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_PATTERN = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|w)?")


class Duration(click.ParamType[float]):
    """A duration in seconds from text such as `90s`, `15m`, `1h`, `7d`; a bare number is seconds.

    `limit_s`: the longest one.
    """

    name = "duration"

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, int | float):
            return float(value)
        match = _PATTERN.fullmatch(str(value).strip())
        if match is None:
            self.fail(f"{value!r} is not a duration; write it as 90s, 15m, 1h or 7d", param, ctx)
        number, unit = match.groups()
        found = float(number) * _UNITS_S[unit or "s"]
        if found > self._limit_s:
            self.fail(f"{value!r} is too long; at most {self._limit_s / 86400:.0f}d", param, ctx)
        return found


DURATION = Duration(100 * 365 * 86400.0)
WAIT = Duration(86400.0)  # for something to end


def since_ns(duration_s: float | None) -> int:
    """The moment `duration_s` ago in ns since the epoch; 0 (no limit) for None."""
    return 0 if duration_s is None else time.time_ns() - int(duration_s * 1e9)
