"""A function of a template to its table of `relive.toml`."""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable
from typing import Any, Final

from relive_platform.names import NAME, NAME_HINT
from relive_platform.registry.application.sam.events import Events
from relive_platform.registry.application.sam.intrinsics import NO_VALUE, Evaluator, as_text
from relive_platform.registry.application.sam.names import function_name, resource_name
from relive_platform.registry.application.sam.notes import Notes, Place
from relive_platform.registry.application.sam.properties import DESCRIBING, WITHOUT_EFFECT
from relive_platform.registry.application.sam.sources import Sources
from relive_platform.registry.application.sam.tables import FunctionTable, Tables
from relive_platform.registry.application.sam.yaml_text import Map, Seq

__all__ = ["Functions"]

_PYTHON: Final = f"python{sys.version_info[0]}.{sys.version_info[1]}"
_ARCHITECTURES: Final = {"x86_64": "x86_64", "amd64": "x86_64", "arm64": "arm64", "aarch64": "arm64"}
_PROGRAMS: Final = {"nodejs": "nodejs", "provided": "provided"}
_DESTINATIONS: Final = {"OnSuccess": "on_success", "OnFailure": "on_failure"}
_IMAGE_HINT: Final = "deploy its code instead: Runtime, CodeUri and Handler, without PackageType: Image"


class Functions:
    """Reads `AWS::Serverless::Function` and `AWS::Lambda::Function`."""

    def __init__(
        self, evaluator: Evaluator, notes: Notes, tables: Tables, events: Events, sources: Sources
    ) -> None:
        self._sources = sources
        self._evaluator = evaluator
        self._notes = notes
        self._tables = tables
        self._events = events
        self._readers: dict[str, Callable[[FunctionTable, Any, Place], None]] = {
            "Handler": self._handler,
            "CodeUri": sources.code,
            "Code": sources.code,
            "InlineCode": sources.inline,
            "Timeout": self._number("timeout_s"),
            "MemorySize": self._number("memory_mb"),
            "ReservedConcurrentExecutions": self._reserved,
            "ProvisionedConcurrencyConfig": self._provisioned,
            "Environment": self._environment,
            "EventInvokeConfig": self.invoke_config,
            "Architectures": self._architectures,
            "Layers": sources.layers,
        }

    def read(self, logical: str, properties: Map, at: Place) -> None:
        """Make its table, without its events: those are read once all functions are there."""
        name = self._evaluator.physical(logical)
        if not NAME.fullmatch(name):
            where = at.below(properties, "FunctionName")
            self._notes.wrong(where, f"the function's name {name!r} is not allowed", NAME_HINT)
            return
        if self._refused(properties, at):
            return
        table = self._tables.function(name, logical, at.line)
        if table is None:
            self._notes.wrong(
                at, f"there are two functions {name!r}", "give one of them another FunctionName"
            )
            return
        for key, value in properties.items():
            self._property(table, key, value, at.below(properties, key))
        program = self._program(properties, at)
        if program:
            table.put("kind", "custom", at.line)
            table.put("runtime", program, at.line)
        else:
            self._sources.complete(table)
        if "handler" not in table.values:
            self._notes.wrong(at, "it has no Handler", "as in Handler: app.lambda_handler")

    def events(self, logical: str, properties: Map, at: Place) -> None:
        """What starts it."""
        table = self._tables.logical.get(logical)
        if table is None:
            return
        if isinstance(events := properties.get("Events"), Map):
            self._events.read(table, events, at.below(properties, "Events"))
        if "FunctionUrlConfig" in properties:
            self._events.function_url(
                table, properties["FunctionUrlConfig"], at.below(properties, "FunctionUrlConfig")
            )

    def _refused(self, properties: Map, at: Place) -> bool:
        """Whether it cannot run here; it is said why."""
        for key in ("PackageType", "ImageUri", "ImageConfig"):
            if key in properties and (
                key != "PackageType" or self._text(properties, key, at).lower() == "image"
            ):
                message = "Relive runs code, not container images"
                self._notes.wrong(at.below(properties, key), message, _IMAGE_HINT)
                return True
        runtime = self._text(properties, "Runtime", at)
        where = at.below(properties, "Runtime")
        if runtime.startswith(tuple(_PROGRAMS)):
            return False
        if runtime and not runtime.startswith("python"):
            hint = "Relive runs Python, nodejs and provided"
            self._notes.ignore(where, f"{runtime}: the function is not deployed", hint)
            return True
        if runtime and runtime != _PYTHON:
            self._notes.ignore(where, f"it runs on {_PYTHON}, as the server does")
        return False

    def _program(self, properties: Map, at: Place) -> str:
        """What runs it if it is no Python: `runtime` of relive.toml."""
        runtime = self._text(properties, "Runtime", at)
        return next((name for start, name in _PROGRAMS.items() if runtime.startswith(start)), "")

    def _text(self, properties: Map, key: str, at: Place) -> str:
        return self._evaluator.text(properties[key], at.below(properties, key)) if key in properties else ""

    def _property(self, table: FunctionTable, key: str, value: Any, at: Place) -> None:
        if reader := self._readers.get(key):
            with self._notes.gathering():
                found = self._evaluator.value(value, at)
                if found is not NO_VALUE and found is not None:
                    reader(table, found, at)
        elif key in WITHOUT_EFFECT:
            self._notes.ignore(at, *WITHOUT_EFFECT[key])
        elif key in DESCRIBING:
            self._notes.ignore(at, DESCRIBING[key], describes=True)
        elif key not in ("FunctionName", "PackageType", "Runtime", "Events", "FunctionUrlConfig"):
            self._notes.ignore(at, "Relive does not know it")

    # ------------------------------------------------------------ properties

    def _handler(self, table: FunctionTable, value: Any, at: Place) -> None:
        table.put("handler", as_text(value), at.line)

    def _number(self, key: str) -> Callable[[FunctionTable, Any, Place], None]:
        def read(table: FunctionTable, value: Any, at: Place) -> None:
            if (number := _whole(value)) is None:
                self._notes.wrong(at, f"{as_text(value)!r} is not a whole number", "write a number")
            else:
                table.put(key, number, at.line)

        return read

    def _reserved(self, table: FunctionTable, value: Any, at: Place) -> None:
        number = _whole(value)
        if number == 0:
            self._notes.ignore(at, "0 would stop the function", "leave it out: relive undeploy FN")
        else:
            self._number("reserved_concurrency")(table, value, at)

    def _provisioned(self, table: FunctionTable, value: Any, at: Place) -> None:
        found = value.get("ProvisionedConcurrentExecutions") if isinstance(value, Map) else None
        self._number("min_workers")(table, found, at)

    def _environment(self, table: FunctionTable, value: Any, at: Place) -> None:
        variables = value.get("Variables") if isinstance(value, Map) else None
        if not isinstance(variables, Map):
            self._notes.wrong(at, "it has no Variables", "as in Environment: {Variables: {STAGE: dev}}")
            return
        below = at.below(value, "Variables")
        for name, found in variables.items():
            where = below.below(variables, name)
            if isinstance(found, Map | Seq):
                self._notes.ignore(where, "it is no text: the function gets it as JSON")
            table.put_in("environment", name, as_text(found) if found is not None else "", where.line)

    def invoke_config(self, table: FunctionTable, value: Any, at: Place) -> None:
        """Retries and age of asynchronous events."""
        for key, found in value.items() if isinstance(value, Map) else ():
            where = at.below(value, key)
            if key == "MaximumRetryAttempts":
                self._number("retries")(table, found, where)
            elif key == "MaximumEventAgeInSeconds":
                self._number("max_age_s")(table, found, where)
            elif key == "DestinationConfig":
                self._destinations(table, found, where)
            elif key != "FunctionName" and key != "Qualifier":
                self._notes.ignore(where, "it has no effect here")

    def _destinations(self, table: FunctionTable, value: Any, at: Place) -> None:
        for key, found in value.items() if isinstance(value, Map) else ():
            where = at.below(value, key)
            target = as_text(found.get("Destination", "")) if isinstance(found, Map) else ""
            wanted = self._destination(target)
            if key not in _DESTINATIONS or not wanted:
                hint = "name a queue, a function or a bus of the template"
                self._notes.ignore(where, "Relive does not send to it", hint)
            else:
                table.put(_DESTINATIONS[key], wanted, where.line)

    def _destination(self, target: str) -> dict[str, str]:
        if ":function:" in target:
            return {"function": function_name(target)}
        name = resource_name(target)
        managed = self._sources.managed(name)
        return {managed: name} if managed in ("queue", "bus") else {}

    def _architectures(self, table: FunctionTable, value: Any, at: Place) -> None:
        wanted = as_text(value[0]) if isinstance(value, list) and value else ""
        ours = _ARCHITECTURES.get(platform.machine().lower(), platform.machine())
        if wanted and wanted != ours:
            self._notes.ignore(at, f"it runs on {ours}, as the server does")


def _whole(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return int(number) if number.is_integer() else None
