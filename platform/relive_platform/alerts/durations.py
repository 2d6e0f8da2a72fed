"""Durations as `relive.toml` has them: "30s", "5m", "6h", "30d"."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["DURATION_HINT", "duration_s", "shown_duration"]

DURATION_HINT: Final = 'write it as "30s", "5m", "6h" or "30d"'
_UNITS_S: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_FORM: Final = re.compile(r"(\d{1,9})([smhd])")


def duration_s(text: str) -> int | None:
    """Seconds; None if it is no duration."""
    match = _FORM.fullmatch(text.strip())
    return int(match[1]) * _UNITS_S[match[2]] if match else None


def shown_duration(seconds: float) -> str:
    """In the largest unit that it is whole in: "5m"."""
    whole = round(seconds)
    for unit in ("d", "h", "m"):
        if whole and whole % _UNITS_S[unit] == 0:
            return f"{whole // _UNITS_S[unit]}{unit}"
    return f"{whole}s"
