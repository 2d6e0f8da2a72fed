"""The filter line of the invocation list: `status:error fn:checkout dur:>100ms text`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from relive_base.records import STATUSES, TRIGGERS

from relive_tui.models.layout.text import clean

__all__ = ["FIELDS", "FilterProblem", "InvocationQuery", "complete", "parse_filter"]

FIELDS = ("status", "fn", "dur", "trigger", "version", "trace")
_DURATION = re.compile(r">?=?(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m)?")
_FACTORS = {"ns": 1, "us": 1e3, "µs": 1e3, "ms": 1e6, "s": 1e9, "m": 6e10}
FAILED = tuple(status for status in STATUSES if status not in ("ok", "rejected"))


class FilterProblem(ValueError):
    """A word of the filter cannot be understood; the message says which and what would be."""


@dataclass(frozen=True, slots=True)
class InvocationQuery:
    """What a filter line asks for; empty values ask for nothing."""

    function: str = ""
    statuses: tuple[str, ...] = ()
    min_duration_ns: int = 0
    trigger: str = ""
    version: int = 0
    trace_id: str = ""
    text: str = ""


def parse_filter(line: str) -> InvocationQuery:
    """The query of a filter line. Raises FilterProblem."""
    values: dict[str, str] = {}
    words: list[str] = []
    for word in line.split():
        name, colon, value = word.partition(":")
        if colon and name in FIELDS:
            if not value:
                raise FilterProblem(f"{name}: needs a value")
            values[name] = value
        elif colon and name.isalpha() and name.islower() and value and "/" not in value:
            raise FilterProblem(f"there is no field {clean(name)!r}; fields: {', '.join(FIELDS)}")
        else:
            words.append(word)
    return InvocationQuery(
        function=values.get("fn", ""),
        statuses=_statuses(values.get("status", "")),
        min_duration_ns=_duration(values.get("dur", "")),
        trigger=_one_of(values.get("trigger", ""), TRIGGERS, "trigger"),
        version=_number(values.get("version", "")),
        trace_id=values.get("trace", ""),
        text=" ".join(words),
    )


def _statuses(text: str) -> tuple[str, ...]:
    if not text:
        return ()
    if text == "failed":
        return FAILED
    return tuple(_one_of(name, (*STATUSES, "failed"), "status") for name in text.split(",") if name)


def _one_of(value: str, allowed: tuple[str, ...], field: str) -> str:
    if value and value not in allowed:
        raise FilterProblem(f"{field}:{clean(value)} is none of {', '.join(allowed)}")
    return value


def _duration(text: str) -> int:
    if not text:
        return 0
    match = _DURATION.fullmatch(text)
    if match is None:
        raise FilterProblem(f"dur:{clean(text)} is not a duration; write dur:>100ms")
    return int(float(match[1]) * _FACTORS[match[2] or "ms"])


def _number(text: str) -> int:
    if text and not text.isdecimal():
        raise FilterProblem(f"version:{clean(text)} is not a number")
    return int(text or 0)


def complete(line: str, functions: tuple[str, ...] = ()) -> str:
    """The line with its last word completed (Tab), or as it is if nothing or more than one thing fits."""
    head, _, word = line.rpartition(" ")
    prefix = head + " " if head else ""
    name, colon, value = word.partition(":")
    if not colon:
        options = [field + ":" for field in FIELDS if word and field.startswith(word)]
    else:
        known = {"status": (*STATUSES, "failed"), "trigger": TRIGGERS, "fn": functions}.get(name, ())
        options = [f"{name}:{option} " for option in known if option.startswith(value)]
    return prefix + options[0] if len(options) == 1 else line
