"""The names that log libraries give to levels, as OpenTelemetry's ranges of severity."""

from __future__ import annotations

from typing import Final

__all__ = ["severity_name", "severity_of_level"]

_RANGES: Final = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
_NAMES: Final = {
    **{name.lower(): name for name in _RANGES},
    "verbose": "DEBUG", "fine": "DEBUG", "information": "INFO", "notice": "INFO", "warning": "WARN",
    "err": "ERROR", "severe": "ERROR", "critical": "FATAL", "crit": "FATAL", "alert": "FATAL",
    "emergency": "FATAL", "emerg": "FATAL", "panic": "FATAL",
}  # fmt: skip
_PINO: Final = {10: "TRACE", 20: "DEBUG", 30: "INFO", 40: "WARN", 50: "ERROR", 60: "FATAL"}


def severity_of_level(level: object) -> str:
    """A level as a log line in JSON has it: a name, or a number of pino and bunyan; "" for any other."""
    if isinstance(level, str):
        return _NAMES.get(level.strip().lower(), "")
    return _PINO.get(level, "") if type(level) is int else ""


def severity_name(text: str, number: int) -> tuple[str, int]:
    """Name and number, of which a sender may give only one. The name stays as it was given."""
    if number:
        return text or _RANGES[(number - 1) // 4], number
    found = severity_of_level(text)
    return text, _RANGES.index(found) * 4 + 1 if found else 0
