"""One setting of the server: what is known of it beside its value, and its value made of text."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from relive_platform.addresses import SettingsError, parse_address

__all__ = ["Setting", "convert"]

_KIB: Final = 1024
_HOUR: Final = 3600.0
_BYTE_UNITS: Final[dict[str, float]] = {
    "": 1, "b": 1, "kb": 1000, "mb": 10**6, "gb": 10**9, "kib": _KIB, "mib": _KIB**2, "gib": _KIB**3,
}  # fmt: skip
_TIME_UNITS: Final[dict[str, float]] = {
    "": 1.0,
    "ms": 0.001,
    "s": 1.0,
    "m": 60.0,
    "h": _HOUR,
    "d": 24 * _HOUR,
}
_NUMBER: Final = re.compile(r"\s*([+-]?[0-9][0-9_]*(?:\.[0-9]+)?)\s*([A-Za-z]*)\s*")


@dataclass(frozen=True, slots=True)
class Setting:
    """What is known of one setting beside its value."""

    field: str
    variable: str
    type: str
    default: str
    unit: str
    doc: str
    also: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    secret: bool = False


def convert(item: Setting, value: object, where: str) -> Any:
    """`value` in the setting's type and within its bounds."""
    if item.type == "Path":
        return Path(os.path.abspath(os.path.expanduser(str(value))))
    if item.type.startswith("tuple"):
        parts = value.split(",") if isinstance(value, str) else list(value)  # type: ignore[call-overload]
        return tuple(part.strip() for part in parts if part.strip())
    if item.type == "str":
        return _text(item, str(value), where)
    number = _number(item, str(value), where)
    low, high = item.low, item.high
    if (low is not None and number < low) or (high is not None and number > high):
        bounds = f"at least {low:.15g}" if high is None else f"from {low or 0:.15g} to {high:.15g}"
        raise SettingsError(
            f"{value} is out of range", where=where, hint=f"give a number {bounds} {item.unit}".rstrip()
        )
    return int(number) if item.type == "int" else number


def _text(item: Setting, value: str, where: str) -> str:
    if item.choices and value not in (*item.choices, item.default):
        raise SettingsError(
            f"{value!r} is not known", where=where, hint=f"use one of {', '.join(item.choices)}"
        )
    if item.unit == "address" and value:
        parse_address(value, name=where)
    return value


def _number(item: Setting, value: str, where: str) -> float:
    match = _NUMBER.fullmatch(value)
    units: dict[str, dict[str, float]] = {"bytes": _BYTE_UNITS, "s": _TIME_UNITS}
    factor = units.get(item.unit, {"": 1.0}).get(match[2].lower()) if match else None
    if match is None or factor is None:
        kind = {"bytes": "a size such as 512KB or 6MiB", "s": "a time in seconds such as 30 or 5m"}
        expected = kind.get(item.unit, "a whole number" if item.type == "int" else "a number")
        raise SettingsError(
            f"{value!r} is not {expected}", where=where, hint=f"for example {where}={item.default}"
        )
    number = float(match[1].replace("_", "")) * factor
    if item.type == "int" and not number.is_integer():
        raise SettingsError(
            f"{value!r} is not a whole number", where=where, hint=f"for example {where}={item.default}"
        )
    return number
