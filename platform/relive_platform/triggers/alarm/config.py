"""What `relive.toml` says of an alarm."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar, Final

from relive_platform.names import NAME, NAME_HINT
from relive_platform.triggers.base import Key, TriggerConfig

__all__ = ["STATES", "AlarmTrigger"]

STATES: Final = ("ALARM", "OK", "INSUFFICIENT_DATA")


class AlarmTrigger(TriggerConfig, frozen=True, tag="alarm", kw_only=True):
    """Changes of an alarm's state."""

    KEYS: ClassVar[Mapping[str, Key]] = {
        "alarm": Key("text", "Name of the alarm.", required=True),
        "states": Key("texts", "States that it hears of: ALARM (the default), OK, INSUFFICIENT_DATA."),
        "shape": Key(
            "text", "What the function gets: what CloudWatch calls functions with, or EventBridge's event.",
            choices=("cloudwatch", "eventbridge"),
        ),
    }  # fmt: skip

    alarm: str
    states: tuple[str, ...] = ("ALARM",)
    shape: str = "cloudwatch"

    def describe(self) -> str:
        """As people read it: "alarm errors ALARM"."""
        return f"alarm {self.alarm} {','.join(self.states)}"

    def problems(self) -> Iterator[tuple[str, str, str]]:
        if not NAME.fullmatch(self.alarm):
            yield "alarm", f"the alarm's name {self.alarm!r} is not allowed", NAME_HINT
        for state in self.states or ("",):
            if state not in STATES:
                yield "states", f"there is no state {state!r}", f"use some of {', '.join(STATES)}"
