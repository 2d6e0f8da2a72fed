"""What `relive.toml` says of a queue."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

from relive_platform.names import NAME, NAME_HINT
from relive_platform.triggers.base import Claim, Key, TriggerConfig

__all__ = ["QueueTrigger"]


class QueueTrigger(TriggerConfig, frozen=True, tag="queue", kw_only=True):
    """Events published under the name `queue` go to the function."""

    KEYS: ClassVar[Mapping[str, Key]] = {
        "queue": Key("text", "Name that events are published under.", required=True),
    }

    queue: str

    def describe(self) -> str:
        """As people read it: "queue orders"."""
        return f"queue {self.queue}"

    def problems(self) -> Iterator[tuple[str, str, str]]:
        if not NAME.fullmatch(self.queue):
            yield "queue", f"the queue name {self.queue!r} is not allowed", NAME_HINT

    def claims(self) -> Iterator[Claim]:
        taken = f"the queue {self.queue!r} is already one"
        yield Claim("queue", self.queue, "queue", taken, "give one of them another name")
