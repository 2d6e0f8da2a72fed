"""How many workers a function has at most, and how many of a version wait."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any, Final

from relive_platform.api.aws.errors import AwsError
from relive_platform.api.aws.functions.catalog import Catalog, Standing, page, stamp
from relive_platform.api.aws.functions.names import Named, alias_missing, arn_of, named
from relive_platform.api.aws.service import Call, Operation
from relive_platform.engine.qualifiers import LATEST
from relive_platform.registry import FunctionVersion
from relive_platform.registry.application.model import FunctionConfig

__all__ = ["Concurrency"]

_RESERVED: Final = "reserved"
_PROVISIONED: Final = "provisioned"
_UNRESERVED: Final = 100
_ACCOUNT_LIMIT: Final = 1000
_UNPUBLISHED: Final = "The function resource provided must be an alias or a published version."


class Concurrency:
    """Reserved: the workers of a function at most. Provisioned: those of a version that wait, ready."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def operations(self) -> Mapping[str, Operation]:
        """By their names."""
        return {
            "DeleteFunctionConcurrency": self.release,
            "DeleteProvisionedConcurrencyConfig": self.remove,
            "GetFunctionConcurrency": self.get,
            "GetProvisionedConcurrencyConfig": self.get_provisioned,
            "ListProvisionedConcurrencyConfigs": self.list_provisioned,
            "PutFunctionConcurrency": self.reserve,
            "PutProvisionedConcurrencyConfig": self.provide,
        }

    async def reserve(self, call: Call) -> Mapping[str, Any]:
        """0: the function is not run at all."""
        name = named(call)
        if name.qualifier:
            raise AwsError(
                "InvalidParameterValueException",
                "This operation is permitted on Lambda functions only. Aliases and versions do not support"
                " this operation. Please specify either a function name or an unqualified function ARN.",
            )
        self._catalog.latest(call, Named(name.name, LATEST))
        value = int(call.params["ReservedConcurrentExecutions"])
        if value > _ACCOUNT_LIMIT - _UNRESERVED:
            raise AwsError(
                "InvalidParameterValueException",
                "Specified ReservedConcurrentExecutions for function decreases account's"
                f" UnreservedConcurrentExecution below its minimum value of [{_UNRESERVED}].",
            )
        provided = sum(note["value"] for note in self._catalog.notes.of(_PROVISIONED, name.name).values())
        if value < provided:
            raise AwsError(
                "InvalidParameterValueException",
                f"ReservedConcurrentExecutions {value} should not be lower than function's total provisioned"
                f" concurrency [{provided}].",
            )
        await asyncio.to_thread(self._catalog.registry.note, _RESERVED, name.name, "", {"value": value})
        return {"ReservedConcurrentExecutions": value}

    async def get(self, call: Call) -> Mapping[str, Any]:
        """Nothing if none is reserved."""
        name, _ = self._catalog.function(call)
        found = self._catalog.notes.get(_RESERVED, name.name)
        return {"ReservedConcurrentExecutions": found["value"]} if found is not None else {}

    async def release(self, call: Call) -> None:
        """No limit of its own any more."""
        name, _ = self._catalog.function(call)
        await asyncio.to_thread(self._catalog.registry.note, _RESERVED, name.name, "", None)

    async def provide(self, call: Call) -> Mapping[str, Any]:
        """Of a published version or an alias."""
        name = self._qualified(
            call, "Provisioned Concurrency Configs cannot be applied to unpublished function versions."
        )
        self._check_alone(call, name)
        value = int(call.params["ProvisionedConcurrentExecutions"])
        self._check_room(call, name, value)
        document = {"value": value, "modified_ns": time.time_ns()}
        await asyncio.to_thread(
            self._catalog.registry.note, _PROVISIONED, name.name, name.qualifier, document
        )
        return _provisioned(document, Standing())

    async def get_provisioned(self, call: Call) -> Mapping[str, Any]:
        """One."""
        name = self._qualified(call)
        return self._described(call, name, self._provided(call, name))

    async def list_provisioned(self, call: Call) -> Mapping[str, Any]:
        """All of a function."""
        name, _ = self._catalog.function(call)
        found = [
            {
                "FunctionArn": arn_of(call, name.name, qualifier),
                **self._described(call, Named(name.name, qualifier), document),
            }
            for qualifier, document in self._catalog.notes.of(_PROVISIONED, name.name).items()
        ]
        return page(call, found, "ProvisionedConcurrencyConfigs")

    async def remove(self, call: Call) -> None:
        """Nothing is wrong if there is none."""
        name = self._qualified(call)
        await asyncio.to_thread(self._catalog.registry.note, _PROVISIONED, name.name, name.qualifier, None)

    def _check_room(self, call: Call, name: Named, value: int) -> None:
        """Whether there can be so many workers beside those that others were promised. Raises AwsError."""
        provided = self._catalog.notes.of(_PROVISIONED, name.name).items()
        others = sum(note["value"] for key, note in provided if key != name.qualifier)
        config = self._catalog.latest(call, name).config
        reserved = self._reserved(config)
        if reserved is not None and value + others > reserved:
            raise AwsError(
                "InvalidParameterValueException",
                "Requested Provisioned Concurrency should not be greater than the"
                " reservedConcurrentExecution for function",
            )
        most, host = reserved or config.max_workers, self._catalog.platform.workers
        serving = self._catalog.platform.serving()
        taken = sum(self._kept(version) for version in serving.values() if version.name != name.name)
        left = min(most - others, host - others - taken)
        if value > left:
            raise AwsError(
                "InvalidParameterValueException",
                "Specified ConcurrentExecutions for function is greater than account's unreserved concurrency"
                f" [{max(left, 0)}]: the function has at most {most} workers, this host {host}"
                + (f", of which other functions keep {taken}." if taken else "."),
            )

    def _reserved(self, config: FunctionConfig) -> int | None:
        """The workers of a function at most, if they are its own."""
        note = self._catalog.notes.get(_RESERVED, config.name)
        return note["value"] if note is not None else config.reserved_concurrency or None

    def _kept(self, version: FunctionVersion) -> int:
        """The workers of a function that others cannot have. `version`: that in service."""
        reserved = self._reserved(version.config)
        if reserved is not None:
            return reserved
        led = {
            alias.name: alias.version or version.version for alias in self._catalog.aliases.of(version.name)
        }
        provided = {
            int(key) if key.isdigit() else led.get(key, version.version): int(note["value"])
            for key, note in self._catalog.notes.of(_PROVISIONED, version.name).items()
        }
        return sum({version.version: version.config.min_workers, **provided}.values())

    def _described(self, call: Call, name: Named, document: Mapping[str, Any]) -> dict[str, Any]:
        """With the workers that there are; an alias may have lost its version."""
        try:
            version = self._catalog.qualified(call, name).version
        except AwsError:
            return _provisioned(document, Standing())
        return _provisioned(document, self._catalog.platform.standing(name.name, version))

    def _qualified(self, call: Call, unpublished: str = _UNPUBLISHED) -> Named:
        """The version or alias that a request names. Raises AwsError."""
        name = named(call)
        if name.qualifier in ("", LATEST):
            raise AwsError("InvalidParameterValueException", unpublished)
        if not name.qualifier.isdigit() and self._catalog.alias(name.name, name.qualifier) is None:
            raise alias_missing(call, name)
        self._catalog.qualified(call, name)
        return name

    def _check_alone(self, call: Call, name: Named) -> None:
        """A version is provided for once, by itself or by an alias. Raises AwsError."""
        version = self._catalog.qualified(call, name).version
        for other in self._catalog.notes.of(_PROVISIONED, name.name):
            found = Named(name.name, other)
            if other == name.qualifier or not self._catalog.has(call, found):
                continue
            if self._catalog.qualified(call, found).version == version:
                raise AwsError(
                    "ResourceConflictException",
                    "Alias can't be used for Provisioned Concurrency configuration on an already Provisioned"
                    " version"
                    if other.isdigit()
                    else "Version is pointed by a Provisioned Concurrency alias",
                    409,
                )

    def _provided(self, call: Call, name: Named) -> dict[str, Any]:
        found = self._catalog.notes.get(_PROVISIONED, name.name, name.qualifier)
        if found is None:
            raise AwsError(
                "ProvisionedConcurrencyConfigNotFoundException",
                "No Provisioned Concurrency Config found for this function",
                404,
            )
        return found


def _provisioned(document: Mapping[str, Any], standing: Standing) -> dict[str, Any]:
    """`standing`: of all workers of the version; what comes beside those that wait is not told here."""
    value = document["value"]
    ready = min(standing.ready, value)
    found = {
        "RequestedProvisionedConcurrentExecutions": value,
        "AvailableProvisionedConcurrentExecutions": ready,
        "AllocatedProvisionedConcurrentExecutions": min(standing.ready + standing.starting, value),
        "Status": "READY" if ready == value else "FAILED" if standing.problem else "IN_PROGRESS",
        "LastModified": stamp(document["modified_ns"]),
    }
    if found["Status"] == "FAILED":
        found["StatusReason"] = standing.problem
    return found
