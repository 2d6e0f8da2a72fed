"""What `relive.toml` says of CloudEvents by HTTP."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from relive_platform.triggers.base import Claim, Key, Path, TriggerConfig
from relive_platform.triggers.http.config import path_claims, path_problems
from relive_platform.triggers.patterns import pattern_problems

__all__ = ["CloudEventsTrigger"]

_METHODS = ("POST", "OPTIONS")


class CloudEventsTrigger(TriggerConfig, frozen=True, tag="cloudevents", kw_only=True):
    """CloudEvents that are sent to `path`."""

    KEYS: ClassVar[Mapping[str, Key]] = {
        "path": Key("text", "Begins with /; `{name}` is one segment, `{name+}` the rest.", required=True),
        "pattern": Key("table", "Event pattern for the event as JSON; the rest is accepted and dropped."),
        "shape": Key(
            "text", "What the function gets: the CloudEvent, or the event of Amazon EventBridge made of it.",
            choices=("cloudevents", "eventbridge"),
        ),
    }  # fmt: skip

    path: str
    pattern: dict[str, Any] | None = None
    shape: str = "cloudevents"

    def describe(self) -> str:
        """As people read it: "cloudevents /events"."""
        return f"cloudevents {self.path}"

    def problems(self) -> Iterator[tuple[str, str, str]]:
        yield from path_problems(self.path)
        yield from pattern_problems("pattern", self.pattern)

    def claims(self) -> Iterator[Claim]:
        return path_claims(self.path, _METHODS)

    def paths(self) -> Iterator[Path]:
        yield Path(self.path, _METHODS)
