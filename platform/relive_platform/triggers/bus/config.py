"""What `relive.toml` says of an event bus."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Final

from relive_platform.names import NAME, NAME_HINT
from relive_platform.triggers.base import Key, TriggerConfig
from relive_platform.triggers.patterns import Pattern, compile_pattern, pattern_problems

__all__ = ["DEFAULT_BUS", "BusTrigger"]

DEFAULT_BUS: Final = "default"


class BusTrigger(TriggerConfig, frozen=True, tag="bus", kw_only=True):
    """Events on `bus` that fit the pattern."""

    KEYS: ClassVar[Mapping[str, Key]] = {
        "bus": Key("text", "Name of the bus. Default: `default`, which is always there."),
        "pattern": Key("table", "Event pattern, as in Amazon EventBridge. Default: all events."),
        "pattern_json": Key("text", "The same as JSON text, which may have null."),
        "shape": Key(
            "text", "What the function gets: the event of Amazon EventBridge, or a CloudEvent.",
            choices=("eventbridge", "cloudevents"),
        ),
    }  # fmt: skip

    bus: str = DEFAULT_BUS
    pattern: dict[str, Any] | None = None
    pattern_json: str = ""
    shape: str = "eventbridge"

    def describe(self) -> str:
        """As people read it: "bus default shop.orders"."""
        document = self.document()
        sources = document.get("source", ()) if isinstance(document, Mapping) else ()
        named = [one for one in sources if isinstance(one, str)]
        return " ".join(["bus", self.bus, *named])

    def document(self) -> Any:
        """The pattern as it is written; {} without one. Raises ValueError for text that is not JSON."""
        if self.pattern_json:
            return json.loads(self.pattern_json)
        return self.pattern if self.pattern is not None else {}

    def compiled(self) -> Pattern | None:
        """None: every event fits. Raises PatternError."""
        document = self.document()
        return compile_pattern(document) if document != {} else None

    def problems(self) -> Iterator[tuple[str, str, str]]:
        if not NAME.fullmatch(self.bus):
            yield "bus", f"the bus's name {self.bus!r} is not allowed", NAME_HINT
        key = "pattern_json" if self.pattern_json else "pattern"
        if self.pattern is not None and self.pattern_json:
            yield key, "pattern and pattern_json are there", "leave one of them out"
            return
        try:
            document = self.document()
        except (ValueError, RecursionError) as error:
            yield key, f"the pattern is not JSON: {error}", "write JSON text"
            return
        yield from pattern_problems(key, document or None)
