"""Event source mappings: batches of a queue's messages for a function."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from relive_platform.api.aws.errors import AwsError
from relive_platform.api.aws.functions.catalog import Catalog, page
from relive_platform.api.aws.functions.names import arn_of, event_source_arn, named
from relive_platform.api.aws.functions.targets import check_source
from relive_platform.api.aws.service import Call, Operation
from relive_platform.triggers.patterns import PatternError, compile_pattern

__all__ = ["Mappings"]

_KIND: Final = "mapping"
_SETTABLE: Final = (
    "BatchSize", "FilterCriteria", "MaximumBatchingWindowInSeconds", "ParallelizationFactor",
    "DestinationConfig", "MaximumRecordAgeInSeconds", "BisectBatchOnFunctionError", "MaximumRetryAttempts",
    "TumblingWindowInSeconds", "FunctionResponseTypes", "ScalingConfig", "SourceAccessConfigurations",
    "KMSKeyArn", "MetricsConfig", "LoggingConfig",
)  # fmt: skip
_FIXED: Final = (
    "EventSourceArn", "StartingPosition", "Topics", "Queues", "SelfManagedEventSource",
)  # fmt: skip
_QUEUE_BATCH: Final = 10
_STREAM_BATCH: Final = 100
_LARGE_BATCH: Final = 10
_OF_STREAMS: Final = {
    "BisectBatchOnFunctionError": False, "MaximumRecordAgeInSeconds": -1, "MaximumRetryAttempts": -1,
    "ParallelizationFactor": 1, "TumblingWindowInSeconds": 0,
}  # fmt: skip


class Mappings:
    """Those of queues are worked on; those of other sources are kept, and say that they are disabled."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._notes = catalog.notes

    def operations(self) -> Mapping[str, Operation]:
        """By their names."""
        return {
            "CreateEventSourceMapping": self.create,
            "DeleteEventSourceMapping": self.delete,
            "GetEventSourceMapping": self.get,
            "ListEventSourceMappings": self.list,
            "UpdateEventSourceMapping": self.update,
        }

    async def create(self, call: Call) -> Mapping[str, Any]:
        """A new one; a queue has one for each function at most."""
        name = named(call)
        source = str(call.get("EventSourceArn") or "")
        if not source and not call.get("SelfManagedEventSource"):
            raise AwsError("InvalidParameterValueException", "Unrecognized event source.")
        if ":sqs:" in source:
            _check_no_destinations(call.params)
        if name.name not in self._catalog.platform.serving():
            raise AwsError("InvalidParameterValueException", "Function does not exist")
        self._catalog.qualified(call, name)
        if source:
            check_source(call, source)
        for uuid, _, kept in self._notes.all(_KIND):
            if source and kept.get("EventSourceArn") == source and kept["function"] == name.name:
                raise AwsError(
                    "ResourceConflictException",
                    f"An event source mapping with SQS arn ({source}) and function ({name.name})"
                    " already exists."
                    f" Please update or delete the existing mapping with UUID {uuid}",
                    409,
                )
        queue = ":sqs:" in source
        kept = {
            "BatchSize": _QUEUE_BATCH if queue else _STREAM_BATCH,
            "MaximumBatchingWindowInSeconds": 0,
            **({} if queue or ":kafka:" in source or not source else _OF_STREAMS),
            **{key: call.params[key] for key in (*_FIXED, *_SETTABLE) if key in call.params},
            "function": name.name,
            "qualifier": name.qualifier,
            "enabled": call.get("Enabled", True),
            "modified_s": time.time(),
        }
        if call.get("StartingPositionTimestamp"):
            kept["StartingPositionTimestamp"] = call.params["StartingPositionTimestamp"].timestamp()
        self._check(kept, queue)
        uuid = self._catalog.platform.uuid()
        await self._write(uuid, kept)
        if call.get("Tags"):
            await asyncio.to_thread(self._notes.put, "mapping-tags", uuid, "", dict(call.params["Tags"]))
        return self._described(call, uuid, kept)

    def _check(self, kept: Mapping[str, Any], queue: bool) -> None:
        window_s = kept.get("MaximumBatchingWindowInSeconds", 0)
        if queue and kept["BatchSize"] > _LARGE_BATCH and not window_s:
            raise AwsError(
                "InvalidParameterValueException",
                "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater"
                f" than {_LARGE_BATCH}",
            )
        for entry in ((kept.get("FilterCriteria") or {}).get("Filters") or []) if queue else []:
            _check_pattern(entry.get("Pattern") or "{}")
        if queue:
            _check_no_destinations(kept)
        if queue and (kept.get("StartingPosition") or kept.get("ParallelizationFactor")):
            raise AwsError(
                "InvalidParameterValueException",
                "StartingPosition and ParallelizationFactor are not valid for SQS event sources.",
            )

    async def update(self, call: Call) -> Mapping[str, Any]:
        """What the request says."""
        uuid = call.params["UUID"]
        kept = dict(self._found(call, uuid))
        kept.update({key: call.params[key] for key in _SETTABLE if key in call.params})
        if call.get("FunctionName"):
            name = named(call)
            self._catalog.qualified(call, name)
            kept["function"], kept["qualifier"] = name.name, name.qualifier
        if call.get("Enabled") is not None:
            kept["enabled"] = call.params["Enabled"]
        kept["modified_s"] = time.time()
        self._check(kept, ":sqs:" in kept.get("EventSourceArn", ""))
        await self._write(uuid, kept)
        return self._described(call, uuid, kept)

    async def _write(self, uuid: str, kept: dict[str, Any]) -> None:
        await asyncio.to_thread(self._notes.put, _KIND, uuid, "", kept)
        await self._catalog.platform.mappings_changed()

    async def delete(self, call: Call) -> Mapping[str, Any]:
        """It is gone at once."""
        uuid = call.params["UUID"]
        kept = self._found(call, uuid)
        await asyncio.to_thread(self._notes.drop, _KIND, uuid)
        await self._catalog.platform.mappings_changed()
        return self._described(call, uuid, kept, "Deleting")

    async def get(self, call: Call) -> Mapping[str, Any]:
        """One."""
        uuid = call.params["UUID"]
        return self._described(call, uuid, self._found(call, uuid))

    async def list(self, call: Call) -> Mapping[str, Any]:
        """All, or those of a function or of a source."""
        function = named(call).name if call.get("FunctionName") else ""
        source = call.get("EventSourceArn")
        found = [
            self._described(call, uuid, kept)
            for uuid, _, kept in self._notes.all(_KIND)
            if (not function or kept["function"] == function)
            and (not source or kept.get("EventSourceArn") == source)
        ]
        return page(call, found, "EventSourceMappings", most=100)

    def _found(self, call: Call, uuid: str) -> dict[str, Any]:
        found = self._notes.get(_KIND, uuid)
        if found is None:
            raise AwsError("ResourceNotFoundException", "The resource you requested does not exist.", 404)
        return found

    def _described(self, call: Call, uuid: str, kept: Mapping[str, Any], state: str = "") -> dict[str, Any]:
        served = ":sqs:" in kept.get("EventSourceArn", "")
        settled = "Enabled" if kept["enabled"] and served else "Disabled"
        shown = {key: kept[key] for key in (*_FIXED, *_SETTABLE) if key in kept}
        if "StartingPositionTimestamp" in kept:
            shown["StartingPositionTimestamp"] = datetime.fromtimestamp(
                kept["StartingPositionTimestamp"], UTC
            )
        return {
            **shown,
            "UUID": uuid,
            "EventSourceMappingArn": event_source_arn(call, uuid),
            "FunctionArn": arn_of(call, kept["function"], kept["qualifier"]),
            "LastModified": datetime.fromtimestamp(kept["modified_s"], UTC),
            "State": state or settled,
            **(
                {"LastProcessingResult": "No records processed"}
                if "BisectBatchOnFunctionError" in kept
                else {}
            ),
            "StateTransitionReason": "USER_INITIATED"
            if served
            else "Relive does not read this kind of source",
            "FunctionResponseTypes": kept.get("FunctionResponseTypes", []),
        }


def _check_no_destinations(asked: Mapping[str, Any]) -> None:
    """A queue has its dead letters itself. Raises AwsError."""
    if asked.get("DestinationConfig"):
        raise AwsError(
            "InvalidParameterValueException",
            "Unsupported DestinationConfig parameter for given event source mapping type.",
        )


def _check_pattern(text: str) -> None:
    """Whether a filter can be read. Raises AwsError."""
    try:
        document = json.loads(text)
        if document != {}:
            compile_pattern(document)
    except (ValueError, RecursionError, PatternError) as error:
        raise AwsError(
            "InvalidParameterValueException", f"Invalid filter pattern definition: {error}"
        ) from None
