"""What `relive.toml` says of a bucket's events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Final

from relive_platform.resources.base import ResourceConfig
from relive_platform.resources.bucket.config import BucketConfig
from relive_platform.triggers.base import Key, TriggerConfig

__all__ = ["CREATED", "REMOVED", "BucketTrigger"]

CREATED: Final = "ObjectCreated:Put"
REMOVED: Final = "ObjectRemoved:Delete"
_EVENTS: Final = ("ObjectCreated:*", CREATED, "ObjectRemoved:*", REMOVED)


class BucketTrigger(TriggerConfig, frozen=True, tag="bucket", kw_only=True):
    """Objects that are new, changed or gone in `bucket`."""

    KEYS: ClassVar[Mapping[str, Key]] = {
        "bucket": Key("text", "Name of a bucket in [resources].", required=True),
        "events": Key("texts", "S3's names: `s3:ObjectCreated:*` (the default), `s3:ObjectRemoved:*`."),
        "prefix": Key("text", "What the object's key begins with."),
        "suffix": Key("text", "What the object's key ends with."),
        "shape": Key(
            "text", "What the function gets: S3's event, EventBridge's for S3, or a CloudEvent.",
            choices=("s3", "eventbridge", "cloudevents"),
        ),
    }  # fmt: skip

    bucket: str
    events: tuple[str, ...] = ("ObjectCreated:*",)
    prefix: str = ""
    suffix: str = ""
    shape: str = "s3"

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> BucketTrigger:
        given = dict(values)
        if "events" in given:
            given["events"] = tuple(str(name).removeprefix("s3:") for name in given["events"])
        return cls(**given)

    def describe(self) -> str:
        """As people read it: "bucket uploads ObjectCreated:* images/*.png"."""
        key = f"{self.prefix}*{self.suffix}" if self.prefix or self.suffix else ""
        return " ".join(part for part in ("bucket", self.bucket, ",".join(self.events), key) if part)

    def problems(self) -> Iterator[tuple[str, str, str]]:
        if not self.events:
            yield "events", "no event is named", 'leave it out for "s3:ObjectCreated:*"'
        for name in self.events:
            if name not in _EVENTS:
                hint = f"use one of {', '.join(f's3:{one}' for one in _EVENTS)}"
                yield "events", f"there is no event {name!r} of a bucket", hint

    def problems_among(self, resources: Mapping[str, ResourceConfig]) -> Iterator[tuple[str, str, str]]:
        if not isinstance(resources.get(self.bucket), BucketConfig):
            hint = f'declare it: [resources.{self.bucket}] type = "bucket"'
            yield "bucket", f"there is no bucket {self.bucket!r} in [resources]", hint

    def wants(self, event: str, key: str) -> bool:
        """Whether an event of this name about this key is for it."""
        kind = f"{event.partition(':')[0]}:*"
        named = event in self.events or kind in self.events
        return named and key.startswith(self.prefix) and key.endswith(self.suffix)
