"""What `relive.toml` says of a queue."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Final

import msgspec

from relive_platform.keys import Key
from relive_platform.names import NAME, NAME_HINT
from relive_platform.resources.base import ResourceConfig
from relive_platform.triggers.base import Claim, TriggerConfig
from relive_platform.triggers.patterns import pattern_problems

__all__ = ["QueueTrigger"]

_BATCH: Final = ("batch_size", "batch_window_s", "concurrency", "filters", "report_batch_item_failures")


class QueueTrigger(TriggerConfig, frozen=True, tag="queue", kw_only=True):
    """Events published under the name `queue` go to the function, one by one; of a queue in `[resources]` it
    gets messages in batches."""

    KEYS: ClassVar[Mapping[str, Key]] = {
        "queue": Key(
            "text", "Name that events are published under, or of a queue in `resources`.", required=True
        ),
        "batch_size": Key("whole", "Messages of one event at most. Default: 10.", low=1, high=10_000),
        "batch_window_s": Key(
            "number", "How long a batch that is not full waits for more. Default: 0.", low=0, high=300
        ),
        "concurrency": Key(
            "whole", "Batches that run at once. Default: the function's max_workers.", low=1, high=1_000
        ),
        "filters": Key(
            "array", "Patterns of messages, as Lambda's; a message that fits none of them is deleted unseen."
        ),
        "report_batch_item_failures": Key(
            "flag", "Whether the function says which messages of a batch have failed, as on Lambda."
        ),
    }

    queue: str
    batch_size: int = 10
    batch_window_s: float = 0.0
    concurrency: int = 0  # 0: as many as the function has workers
    filters: tuple[dict[str, Any], ...] = ()
    report_batch_item_failures: bool = False
    batched: bool = False  # it is a queue of messages
    given: tuple[str, ...] = ()  # keys that only batches have

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> TriggerConfig:
        """From a table of `relive.toml`."""
        found = super().of(values)
        return msgspec.structs.replace(found, given=tuple(key for key in _BATCH if key in values))

    def describe(self) -> str:
        """As people read it: "queue orders"."""
        if not self.batched:
            return f"queue {self.queue}"
        window = f" within {self.batch_window_s:g} s" if self.batch_window_s else ""
        return f"queue {self.queue}, batches of {self.batch_size}{window}"

    def problems(self) -> Iterator[tuple[str, str, str]]:
        for number, document in enumerate(self.filters):
            for key, message, hint in pattern_problems("filters", document):
                yield key, f"pattern {number + 1}: {message}", hint
        if not NAME.fullmatch(self.queue):
            yield "queue", f"the queue name {self.queue!r} is not allowed", NAME_HINT

    def among(self, resources: Mapping[str, ResourceConfig]) -> TriggerConfig:
        found = resources.get(self.queue)
        batched = found is not None and found.kind == "queue"
        return msgspec.structs.replace(self, batched=batched)

    def problems_among(self, resources: Mapping[str, ResourceConfig]) -> Iterator[tuple[str, str, str]]:
        found = resources.get(self.queue)
        if found is not None and found.kind != "queue":
            yield "queue", f"the resource {self.queue!r} is a {found.kind}", "name a queue"
        elif not self.batched:
            for key in self.given:
                hint = f'write [resources.{self.queue}] with type = "queue"'
                yield key, f"{key} is for queues of messages, and {self.queue!r} is none", hint

    def claims(self) -> Iterator[Claim]:
        if not self.batched:
            taken = f"the queue {self.queue!r} is already one"
            yield Claim("queue", self.queue, "queue", taken, "give one of them another name")
