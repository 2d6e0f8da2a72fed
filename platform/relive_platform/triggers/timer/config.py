"""What `relive.toml` says of a timer."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import ClassVar

from relive_platform.triggers.base import Key, TriggerConfig
from relive_platform.triggers.timer.schedule import ScheduleError, parse_schedule

__all__ = ["TimerTrigger"]


class TimerTrigger(TriggerConfig, frozen=True, tag="timer", kw_only=True):
    """A schedule: `cron(...)` or `rate(...)`. `misfire`: what becomes of a missed run, "skip" or "once"."""

    KEYS: ClassVar[Mapping[str, Key]] = {
        "schedule": Key("text", "cron(...) with 5 fields or AWS's 6, or rate(...).", required=True),
        "time_zone": Key("text", "IANA name. Default: UTC."),
        "misfire": Key("text", "A run missed while the server was down.", choices=("skip", "once")),
        "payload": Key("text", "JSON text for the event's `detail`."),
        "event": Key("text", "JSON text that is the whole event, as `Input` is on AWS."),
    }

    schedule: str
    time_zone: str = "UTC"
    misfire: str = "skip"
    payload: str = ""  # JSON text that the event carries as "detail"
    event: str = ""  # JSON text that is the event

    def describe(self) -> str:
        """As people read it: "timer rate(5 minutes)"."""
        return f"timer {self.schedule}"

    def problems(self) -> Iterator[tuple[str, str, str]]:
        try:
            parse_schedule(self.schedule, self.time_zone)
        except ScheduleError as error:
            yield "time_zone" if "time zone" in error.message else "schedule", error.message, error.hint
        if self.payload and self.event:
            yield (
                "event",
                "with an event of its own, there is no place for a payload",
                "leave one of them out",
            )
        for key, text in (("payload", self.payload), ("event", self.event)):
            try:
                json.loads(text or "null")
            except (ValueError, RecursionError) as error:
                yield key, f"the {key} is not JSON: {error}", "write JSON text"
