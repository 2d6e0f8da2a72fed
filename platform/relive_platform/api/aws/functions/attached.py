"""What is attached to a function or to one of its aliases: how events are tried, URLs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from relive_platform.api.aws.errors import AwsError
from relive_platform.api.aws.functions.catalog import Catalog, page, stamp
from relive_platform.api.aws.functions.names import Named, arn_of, named
from relive_platform.api.aws.functions.targets import check_destinations
from relive_platform.api.aws.service import Call, Operation
from relive_platform.engine.qualifiers import LATEST

__all__ = ["EventConfigs", "Urls", "checked"]

_EVENTS: Final = "event-invoke"
_URL: Final = "url"


def checked(catalog: Catalog, call: Call) -> Named:
    """The function or alias that a request is about. Raises AwsError if there is none."""
    name = named(call)
    catalog.qualified(call, name)
    return Named(name.name, "" if name.qualifier == LATEST else name.qualifier)


class EventConfigs:
    """Retries and age of asynchronous events, for all that are sent to the function, and destinations."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def operations(self) -> Mapping[str, Operation]:
        """By their names."""
        return {
            "DeleteFunctionEventInvokeConfig": self.delete,
            "GetFunctionEventInvokeConfig": self.get,
            "ListFunctionEventInvokeConfigs": self.list,
            "PutFunctionEventInvokeConfig": self.put,
            "UpdateFunctionEventInvokeConfig": self.update,
        }

    async def put(self, call: Call) -> Mapping[str, Any]:
        """Takes the place of the one before."""
        return await self._write(call, checked(self._catalog, call), {})

    async def update(self, call: Call) -> Mapping[str, Any]:
        """Changes what the request says."""
        name = checked(self._catalog, call)
        return await self._write(call, name, self._found(call, name))

    async def _write(self, call: Call, name: Named, before: Mapping[str, Any]) -> Mapping[str, Any]:
        wanted = ("MaximumRetryAttempts", "MaximumEventAgeInSeconds", "DestinationConfig")
        given = {key: call.params[key] for key in wanted if key in call.params}
        if not given:
            raise AwsError(
                "InvalidParameterValueException",
                "You must specify at least one of error handling or destination setting.",
            )
        check_destinations(call, call.get("DestinationConfig") or {})
        document = {**before, **given, "modified_s": time.time()}
        await asyncio.to_thread(self._catalog.registry.note, _EVENTS, name.name, name.qualifier, document)
        return self._described(call, name, document)

    async def get(self, call: Call) -> Mapping[str, Any]:
        """One."""
        name = checked(self._catalog, call)
        return self._described(call, name, self._found(call, name))

    async def delete(self, call: Call) -> None:
        """One, which must be there."""
        name = checked(self._catalog, call)
        self._found(call, name)
        await asyncio.to_thread(self._catalog.registry.note, _EVENTS, name.name, name.qualifier, None)

    async def list(self, call: Call) -> Mapping[str, Any]:
        """The function's, and those of its aliases and versions."""
        name, _ = self._catalog.function(call)
        found = [
            self._described(call, Named(name.name, qualifier), document)
            for qualifier, document in self._catalog.notes.of(_EVENTS, name.name).items()
        ]
        return page(call, found, "FunctionEventInvokeConfigs")

    def _found(self, call: Call, name: Named) -> dict[str, Any]:
        found = self._catalog.notes.get(_EVENTS, name.name, name.qualifier)
        if found is None:
            arn = arn_of(call, name.name, name.qualifier or LATEST)
            raise AwsError(
                "ResourceNotFoundException", f"The function {arn} doesn't have an EventInvokeConfig", 404
            )
        return found

    def _described(self, call: Call, name: Named, document: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "LastModified": datetime.fromtimestamp(document["modified_s"], UTC),
            "FunctionArn": arn_of(call, name.name, name.qualifier or LATEST),
            "DestinationConfig": {"OnSuccess": {}, "OnFailure": {}},
            **{key: value for key, value in document.items() if key != "modified_s"},
        }


class Urls:
    """A function's URL is the one it always has here; authentication and CORS of this API are only kept."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def operations(self) -> Mapping[str, Operation]:
        """By their names."""
        return {
            "CreateFunctionUrlConfig": self.create,
            "DeleteFunctionUrlConfig": self.delete,
            "GetFunctionUrlConfig": self.get,
            "ListFunctionUrlConfigs": self.list,
            "UpdateFunctionUrlConfig": self.update,
        }

    async def create(self, call: Call) -> Mapping[str, Any]:
        """A new one."""
        name = self._named(call)
        if self._catalog.notes.get(_URL, name.name, name.qualifier) is not None:
            raise AwsError(
                "ResourceConflictException",
                "FunctionUrlConfig exists for this Lambda function:"
                f" {arn_of(call, name.name, name.qualifier)}",
                409,
            )
        document = {"AuthType": call.params["AuthType"], "InvokeMode": "BUFFERED", "CreationTime": _now()}
        return await self._write(call, name, document)

    async def update(self, call: Call) -> Mapping[str, Any]:
        """What the request says."""
        name = self._named(call)
        return await self._write(call, name, self._found(call, name))

    async def _write(self, call: Call, name: Named, before: Mapping[str, Any]) -> Mapping[str, Any]:
        wanted = ("AuthType", "Cors", "InvokeMode")
        given = {key: call.params[key] for key in wanted if call.get(key) is not None}
        document = {**before, **given, "LastModifiedTime": _now()}
        await asyncio.to_thread(self._catalog.notes.put, _URL, name.name, name.qualifier, document)
        found = self._described(call, name, document)
        if call.operation.startswith("Create"):
            del found["LastModifiedTime"]
        return found

    async def get(self, call: Call) -> Mapping[str, Any]:
        """One."""
        name = self._named(call)
        return self._described(call, name, self._found(call, name))

    async def delete(self, call: Call) -> None:
        """One, which must be there; its alias may have gone before it."""
        name = named(call)
        self._catalog.latest(call, name)
        self._found(call, name)
        await asyncio.to_thread(self._catalog.notes.drop, _URL, name.name, name.qualifier)

    async def list(self, call: Call) -> Mapping[str, Any]:
        """The function's, and those of its aliases."""
        name, _ = self._catalog.function(call)
        found = [
            self._described(call, Named(name.name, qualifier), document)
            for qualifier, document in self._catalog.notes.of(_URL, name.name).items()
        ]
        return page(call, found, "FunctionUrlConfigs")

    def _named(self, call: Call) -> Named:
        name = checked(self._catalog, call)
        if name.qualifier.isdigit():
            raise AwsError("InvalidParameterValueException", "a URL is of a function or of an alias")
        return name

    def _found(self, call: Call, name: Named) -> dict[str, Any]:
        found = self._catalog.notes.get(_URL, name.name, name.qualifier)
        if found is None:
            raise AwsError("ResourceNotFoundException", "The resource you requested does not exist.", 404)
        return found

    def _described(self, call: Call, name: Named, document: Mapping[str, Any]) -> dict[str, Any]:
        end = f":{name.qualifier}" if name.qualifier else ""
        return {
            **document,
            "FunctionUrl": f"{self._catalog.platform.gateway()}/fn/{name.name}{end}/",
            "FunctionArn": arn_of(call, name.name, name.qualifier),
        }


def _now() -> str:
    return stamp(time.time_ns())
