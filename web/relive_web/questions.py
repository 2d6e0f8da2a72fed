"""What an address asks of a page behind its "?". What is not understood is said: a page that shows something
else than was asked for would be believed. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from relive_base.errors import UsageError
from relive_base.records import STATUSES
from relive_base.terminal import one_line

__all__ = ["RANGES", "Question", "asked"]

_HOUR_NS: Final = 3_600_000_000_000
RANGES: Final[Mapping[str, int]] = {
    "1h": _HOUR_NS, "24h": 24 * _HOUR_NS, "7d": 7 * 24 * _HOUR_NS, "30d": 30 * 24 * _HOUR_NS,
}  # fmt: skip
"""In ns."""
_USUAL: Final = "24h"
_SHOWN: Final = 60
_ATTEMPTS: Final = 99_999


class Question:
    """The parameters of an address by their names; what was not given is "", the usual time, or 0."""

    def __init__(self, given: Mapping[str, str]) -> None:
        self.function = given.get("function", "")
        self.group = given.get("group", "")
        self.status = given.get("status", "")
        self.range = given.get("range", _USUAL)
        self.attempt = int(given.get("attempt", "0"))

    @property
    def range_ns(self) -> int:
        """How far back."""
        return RANGES[self.range]


def asked(pairs: Iterable[tuple[str, str]], known: tuple[str, ...] = ()) -> Question:
    """Of a page that takes the parameters `known`. Raises UsageError."""
    found: dict[str, str] = {}
    for name, value in pairs:
        if name not in known:
            takes = ", ".join(f"?{one}=" for one in known) or "none"
            raise UsageError(
                f"this page has no parameter {_shown(name)}", hint=f"parameters that it takes: {takes}"
            )
        if name in found:
            raise UsageError(f"{name} is given twice", hint="leave one of them out")
        found[name] = value
        _check(name, value)
    return Question(found)


def _check(name: str, value: str) -> None:
    if not value.strip():
        raise UsageError(f"{name} is empty", hint=f"leave out ?{name}=, or name one")
    choices: Mapping[str, Iterable[str]] = {"range": RANGES, "status": STATUSES}
    if name in choices and value not in choices[name]:
        raise UsageError(f"{_shown(value)} is not a {name}", hint=f"one of {', '.join(choices[name])}")
    if name == "attempt" and not (value.isascii() and value.isdigit() and 0 < int(value[:6]) <= _ATTEMPTS):
        raise UsageError(
            f"{_shown(value)} is not the number of an attempt", hint="attempts are counted from 1"
        )


def _shown(text: str) -> str:
    return repr(one_line(text, _SHOWN))
