"""Queues, and what else of a template Relive keeps, as `[resources.NAME]`."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

from relive_platform.registry.application.sam.events import bucket_trigger
from relive_platform.registry.application.sam.intrinsics import Evaluator, as_text
from relive_platform.registry.application.sam.names import MANAGED, function_name, resource_name
from relive_platform.registry.application.sam.notes import Notes, Place
from relive_platform.registry.application.sam.tables import Tables
from relive_platform.registry.application.sam.yaml_text import Map, Seq
from relive_platform.resources.table import KINDS

__all__ = ["Resources"]

_QUEUE_NUMBERS: Final = {
    "VisibilityTimeout": "visibility_timeout_s",
    "DelaySeconds": "delay_s",
    "MessageRetentionPeriod": "retention_s",
    "ReceiveMessageWaitTimeSeconds": "wait_s",
    "MaximumMessageSize": "max_message_bytes",
}
_QUEUE_FLAGS: Final = {"FifoQueue": "fifo", "ContentBasedDeduplication": "content_deduplication"}
_DESCRIBING: Final = ("Tags", "QueueName", "BucketName", "Name", "TableName", "Description")


class Resources:
    """Reads resources of the types in `names.MANAGED`, as far as this Relive keeps them."""

    def __init__(self, evaluator: Evaluator, notes: Notes, tables: Tables) -> None:
        self._evaluator = evaluator
        self._notes = notes
        self._tables = tables
        self._readers: dict[str, Callable[[dict[str, Any], str, Any, Place], bool]] = {
            "queue": self._queue,
            "bucket": self._bucket,
        }

    def read(self, logical: str, kind: str, properties: Map, at: Place) -> bool:
        """False if Relive keeps nothing of this type."""
        managed = MANAGED.get(kind, "")
        if managed not in KINDS:
            return False
        name = resource_name(self._evaluator.physical(logical))
        table: dict[str, Any] = {"type": managed}
        if not self._tables.resource(name, table, at.line):
            self._notes.wrong(at, f"there are two resources {name!r}", "give one of them another name")
            return True
        reader = self._readers.get(managed)
        for key, value in properties.items():
            where = at.below(properties, key)
            with self._notes.gathering():
                if key not in _DESCRIBING and not (reader and reader(table, key, value, where)):
                    self._notes.ignore(where, "it has no effect here")
        return True

    def declare(self) -> None:
        """What functions take from and the template does not have."""
        declared = self._tables.values.get("resources", {})
        for function in self._tables.functions.values():
            for trigger in function.values.get("triggers", ()):
                kind = trigger["type"]
                name = trigger.get(kind, "")
                if kind not in ("queue", "bucket") or name in declared:
                    continue
                at = Place(f"Resources.{function.logical}", function.line)
                self._notes.ignore(
                    at, f"the {kind} {name!r} is not in the template: one of that name is made"
                )
                self._tables.resource(name, {"type": kind}, function.line)
                declared = self._tables.values["resources"]

    def _queue(self, table: dict[str, Any], key: str, value: Any, at: Place) -> bool:
        found = self._evaluator.value(value, at)
        if key in _QUEUE_NUMBERS and as_text(found).isdecimal():
            table[_QUEUE_NUMBERS[key]] = int(as_text(found))
        elif key in _QUEUE_FLAGS:
            table[_QUEUE_FLAGS[key]] = as_text(found).lower() == "true"
        elif key == "RedrivePolicy":
            self._redrive(table, found, at)
        else:
            return False
        return True

    def _bucket(self, table: dict[str, Any], key: str, value: Any, at: Place) -> bool:
        """A bucket's notifications are triggers of the functions that they name."""
        if key != "NotificationConfiguration":
            return False
        found = self._evaluator.value(value, at)
        bucket = next(name for name, one in self._tables.values["resources"].items() if one is table)
        for part, wanted in found.items() if isinstance(found, Map) else ():
            where = at.below(found, part)
            if part != "LambdaConfigurations" or not isinstance(wanted, Seq):
                self._notes.ignore(where, "it has no effect here")
                continue
            for index, one in enumerate(wanted):
                place = where.below(wanted, index)
                name = function_name(as_text(one.get("Function", ""))) if isinstance(one, Map) else ""
                function = self._tables.functions.get(name)
                if function is None:
                    self._notes.ignore(place, "it goes to no function of this template")
                else:
                    one.put("Bucket", bucket, place.line)
                    bucket_trigger(self._notes, function, one, place)
        return True

    def _redrive(self, table: dict[str, Any], found: Any, at: Place) -> None:
        if isinstance(found, str):
            try:
                found = json.loads(found)
            except (ValueError, RecursionError):
                found = None
        target = as_text(found.get("deadLetterTargetArn", "")) if isinstance(found, dict) else ""
        count = as_text(found.get("maxReceiveCount", "")) if isinstance(found, dict) else ""
        if not target or not count.isdecimal():
            hint = "as in {deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 3}"
            self._notes.wrong(at, "it names no queue and count", hint)
            return
        if not target.startswith("${resources."):
            self._notes.ignore(at, "the dead-letter queue is not in this template: messages stay")
            return
        table |= {"dead_letter": resource_name(target), "max_receive_count": int(count)}
