"""Reading durations and sizes as people write them: 90s, 15m, 1h, 7d."""

from __future__ import annotations

import re
import time
from typing import Any

import click

__all__ = ["DURATION", "Duration", "since_ns"]

_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_PATTERN = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|w)?")


class Duration(click.ParamType[float]):
    """A duration in seconds from text such as `90s`, `15m`, `1h`, `7d`; a bare number is seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, int | float):
            return float(value)
        match = _PATTERN.fullmatch(str(value).strip())
        if match is None:
            self.fail(f"{value!r} is no duration; write it as 90s, 15m, 1h or 7d", param, ctx)
        number, unit = match.groups()
        return float(number) * _UNITS_S[unit or "s"]


DURATION = Duration()


def since_ns(duration_s: float | None) -> int:
    """The moment `duration_s` ago in ns since the epoch; 0 (no limit) for None."""
    return 0 if duration_s is None else time.time_ns() - int(duration_s * 1e9)
