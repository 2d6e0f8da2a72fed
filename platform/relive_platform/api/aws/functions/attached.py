"""What is attached to a function or to one of its aliases: how events are tried, URLs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from relive_platform.api.aws.errors import AwsError
from relive_platform.api.aws.functions.catalog import Catalog, page, stamp
from relive_platform.api.aws.functions.names import Named, arn_of, named, resource_missing
from relive_platform.api.aws.functions.targets import check_destinations
from relive_platform.api.aws.service import Call, Operation
from relive_platform.engine.qualifiers import LATEST

__all__ = ["EventConfigs", "Urls", "checked", "unqualified"]

_EVENTS: Final = "event-invoke"
_URL: Final = "url"
_GIVEN: Final = ("MaximumRetryAttempts", "MaximumEventAgeInSeconds", "DestinationConfig")


def checked(catalog: Catalog, call: Call) -> Named:
    """The function or alias that a request is about. Raises AwsError if there is none."""
    name = named(call)
    catalog.qualified(call, name)
    return unqualified(name)


def unqualified(name: Named) -> Named:
    """$LATEST is what a function without a qualifier means."""
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
        return await self._write(call, self._checked(call), {})

    async def update(self, call: Call) -> Mapping[str, Any]:
        """Changes what the request says."""
        name = self._checked(call)
        return await self._write(call, name, self._found(call, name))

    def _checked(self, call: Call) -> Named:
        """What a config is of, which must be there. Raises AwsError."""
        name = unqualified(named(call))
        if not call.operation.startswith("List") and not any(key in call.params for key in _GIVEN):
            raise AwsError(
                "InvalidParameterValueException",
                "You must specify at least one of error handling or destination setting.",
            )
        if not self._catalog.has(call, name):
            raise AwsError("ResourceNotFoundException", "The function doesn't exist.", 404)
        return name

    async def _write(self, call: Call, name: Named, before: Mapping[str, Any]) -> Mapping[str, Any]:
        given = {key: call.params[key] for key in _GIVEN if key in call.params}
        config = call.get("DestinationConfig") or {}
        check_destinations(call, config)
        self._check_functions(call, name, config)
        document = {**before, **given, "modified_s": time.time()}
        await asyncio.to_thread(self._catalog.registry.note, _EVENTS, name.name, name.qualifier, document)
        return self._described(call, name, document)

    def _check_functions(self, call: Call, name: Named, config: Mapping[str, Any]) -> None:
        """A function as a destination is there, and another one. Raises AwsError."""
        for side in ("OnSuccess", "OnFailure"):
            arn = str((config.get(side) or {}).get("Destination") or "")
            if ":lambda:" not in arn:
                continue
            target = named(call.about(FunctionName=arn))
            if target.name == name.name:
                message = "You can't specify the function as a destination for itself."
                raise AwsError("InvalidParameterValueException", message)
            if not self._catalog.has(call, target):
                raise AwsError("InvalidParameterValueException", f"The destination ARN {arn} is invalid.")

    async def get(self, call: Call) -> Mapping[str, Any]:
        """One."""
        name = unqualified(named(call))
        return self._described(call, name, self._found(call, name))

    async def delete(self, call: Call) -> None:
        """One, which must be there."""
        name = unqualified(named(call))
        self._found(call, name)
        await asyncio.to_thread(self._catalog.registry.note, _EVENTS, name.name, name.qualifier, None)

    async def list(self, call: Call) -> Mapping[str, Any]:
        """The function's, and those of its aliases and versions."""
        name = Named(self._checked(call).name)
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
            arn = arn_of(call, name.name, name.qualifier)
            raise AwsError(
                "ResourceConflictException",
                f"Failed to create function url config for [functionArn = {arn}]. Error message: "
                " FunctionUrlConfig exists for this Lambda function",
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
            if "InvokeMode" not in given:
                del found["InvokeMode"]
        return found

    async def get(self, call: Call) -> Mapping[str, Any]:
        """One."""
        name = unqualified(named(call))
        return self._described(call, name, self._found(call, name))

    async def delete(self, call: Call) -> None:
        """One, which must be there; its alias may have gone before it."""
        name = unqualified(named(call))
        self._found(call, name)
        await asyncio.to_thread(self._catalog.notes.drop, _URL, name.name, name.qualifier)

    async def list(self, call: Call) -> Mapping[str, Any]:
        """The function's, and those of its aliases."""
        name = Named(self._named(call).name)
        found = [
            self._described(call, Named(name.name, qualifier), document)
            for qualifier, document in self._catalog.notes.of(_URL, name.name).items()
        ]
        return page(call, found, "FunctionUrlConfigs")

    def _named(self, call: Call) -> Named:
        name = unqualified(named(call))
        if not self._catalog.has(call, name):
            raise AwsError("ResourceNotFoundException", "Function does not exist", 404)
        if name.qualifier.isdigit():
            raise AwsError("InvalidParameterValueException", "a URL is of a function or of an alias")
        return name

    def _found(self, call: Call, name: Named) -> dict[str, Any]:
        found = self._catalog.notes.get(_URL, name.name, name.qualifier)
        if found is None:
            raise resource_missing()
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
