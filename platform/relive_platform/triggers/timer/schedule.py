"""When a timer fires: `cron(...)` with 5 fields, AWS's `cron(...)` with 6, and `rate(...)`.

Times are ns since the epoch. A cron schedule is read in its time zone; a rate counts from its anchor.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError
from relive_base.errors import UsageError

__all__ = ["CronSchedule", "RateSchedule", "Schedule", "ScheduleError", "parse_schedule"]

_NS: Final = 1_000_000_000
_UNITS_S: Final = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}
_RATE: Final = re.compile(r"([0-9]+) ([a-z]+?)(s?)")
_CALL: Final = re.compile(r"(cron|rate)\(([^()]*)\)")
_AWS_DAYS: Final = {"SUN": 0, "MON": 1, "TUE": 2, "WED": 3, "THU": 4, "FRI": 5, "SAT": 6}
_FIRST_YEAR: Final = 1970
_LAST_YEAR: Final = 2199
_MAX_RATE_S: Final = 366 * 86_400
_HINT: Final = 'write "cron(*/5 * * * *)", "cron(0 9 ? * MON-FRI *)" or "rate(5 minutes)"'


class ScheduleError(UsageError):
    """A schedule cannot be read."""


@dataclass(frozen=True, slots=True)
class RateSchedule:
    """Every `period_ns`, counted from the anchor."""

    text: str
    period_ns: int

    def next_after(self, after_ns: int, anchor_ns: int) -> int | None:
        """The first firing after `after_ns`."""
        steps = max(after_ns - anchor_ns, 0) // self.period_ns + 1
        return anchor_ns + steps * self.period_ns


@dataclass(frozen=True, slots=True)
class CronSchedule:
    """A cron expression as cronsim reads it (five fields), with the years of AWS's sixth field."""

    text: str
    expression: str
    zone: ZoneInfo
    years: frozenset[int] | None = None

    def next_after(self, after_ns: int, anchor_ns: int) -> int | None:
        """The first firing after `after_ns`; None if there is none any more."""
        start = datetime.fromtimestamp(after_ns // _NS, UTC).astimezone(self.zone)
        while True:
            found = next(CronSim(self.expression, start), None)
            if found is None:
                return None
            if self.years is None or found.year in self.years:
                return int(found.timestamp()) * _NS
            later = [year for year in self.years if year > found.year]
            if not later:
                return None
            start = datetime(min(later), 1, 1, tzinfo=self.zone) - timedelta(seconds=1)


Schedule = RateSchedule | CronSchedule


def parse_schedule(text: str, time_zone: str = "UTC") -> Schedule:
    """The schedule that `text` means. Raises ScheduleError."""
    match = _CALL.fullmatch(text.strip())
    if match is None:
        raise ScheduleError(f"the schedule {text!r} is neither cron(...) nor rate(...)", hint=_HINT)
    body = match[2].strip()
    zone = _zone(time_zone)
    return _rate(text, body) if match[1] == "rate" else _cron(text, body, zone)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ScheduleError(
            f"the time zone {name!r} is not known", hint='write an IANA name such as "Europe/Berlin"'
        ) from error


def _rate(text: str, body: str) -> RateSchedule:
    match = _RATE.fullmatch(body)
    if match is None or match[2] not in _UNITS_S:
        raise ScheduleError(
            f"the rate {text!r} cannot be read", hint="write rate(N seconds), minutes, hours or days"
        )
    seconds = int(match[1]) * _UNITS_S[match[2]]
    if not 1 <= seconds <= _MAX_RATE_S:
        raise ScheduleError(f"the rate {text!r} is out of range", hint="from 1 second to 366 days")
    return RateSchedule(text, seconds * _NS)


def _cron(text: str, body: str, zone: ZoneInfo) -> CronSchedule:
    parts = body.upper().split()
    if len(parts) not in (5, 6):
        raise ScheduleError(
            f"{text!r} has {len(parts)} fields instead of 5, or 6 with AWS's year", hint=_HINT
        )
    years = None
    if len(parts) == 6:
        years = _years(text, parts.pop())
        parts = _from_aws(text, parts)
    expression = " ".join(parts)
    schedule = CronSchedule(text, expression, zone, years)
    try:
        found = schedule.next_after(0, 0)
    except CronSimError as error:
        raise ScheduleError(f"{text!r}: {error}", hint=_HINT) from error
    if found is None:
        raise ScheduleError(f"{text!r} never fires", hint="look at its day, month and year")
    return schedule


def _from_aws(text: str, parts: list[str]) -> list[str]:
    """AWS wants `?` in one of the day fields and counts Sunday as 1; cron has `*` and 0."""
    minute, hour, day, month, weekday = parts
    if (day == "?") == (weekday == "?"):
        raise ScheduleError(
            f"{text!r}: exactly one of day-of-month and day-of-week has to be ?",
            hint="write cron(0 9 ? * MON-FRI *) or cron(0 9 1 * ? *)",
        )
    if "W" in day and day != "LW":
        raise ScheduleError(f"{text!r}: W is not supported", hint="write a day of the month")
    return [
        minute,
        hour,
        "*" if day == "?" else day,
        month,
        "*" if weekday == "?" else _aws_weekdays(text, weekday),
    ]


def _aws_weekdays(text: str, field: str) -> str:
    def day(word: str) -> int:
        if word in _AWS_DAYS:
            return _AWS_DAYS[word]
        if not (word.isascii() and word.isdigit()) or not 1 <= int(word) <= 7:
            raise ScheduleError(
                f"{text!r}: {word!r} is not a day of the week", hint="1 (Sunday) to 7, or SUN"
            )
        return int(word) - 1

    def term(word: str) -> str:
        base, slash, step = word.partition("/")
        if base == "*":
            return word
        if base == "L":
            return "6"  # AWS: L alone is Saturday
        if base.endswith("L"):
            return f"{day(base[:-1])}L"
        if "#" in base:
            name, _, nth = base.partition("#")
            return f"{day(name)}#{nth}"
        first, dash, last = base.partition("-")
        start, end = day(first), day(last) if dash else day(first)
        if slash or end < start:  # cron has no range over the end of the week: spell it out
            return ",".join(_spelled(text, start, end if dash else 6, step))
        return f"{start}-{end}" if dash else str(start)

    return ",".join(term(word) for word in field.split(","))


def _spelled(text: str, start: int, end: int, step: str) -> list[str]:
    if step and not (step.isascii() and step.isdigit() and int(step)):
        raise ScheduleError(f"{text!r}: {step!r} is not a step", hint="write a number after /")
    end += 7 if end < start else 0
    return [str(number % 7) for number in range(start, end + 1, int(step or 1))]


def _years(text: str, field: str) -> frozenset[int] | None:
    if field == "*":
        return None
    found: set[int] = set()
    for term in field.split(","):
        match = re.fullmatch(r"(?:\*|([0-9]{4})(?:-([0-9]{4}))?)(?:/([1-9][0-9]{0,2}))?", term)
        if match is None:
            raise ScheduleError(f"{text!r}: {term!r} is not a year", hint="write *, 2030, or 2030-2035")
        first = int(match[1]) if match[1] else _FIRST_YEAR
        open_end = match[1] is None or match[3]
        last = int(match[2]) if match[2] else (_LAST_YEAR if open_end else first)
        found.update(range(max(first, _FIRST_YEAR), min(last, _LAST_YEAR) + 1, int(match[3] or 1)))
    return frozenset(found)
