"""What starts a function of a template: the entries of `Events`, as triggers of `relive.toml`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from relive_platform.registry.application.sam.apis import Apis
from relive_platform.registry.application.sam.intrinsics import NO_VALUE, Evaluator, as_text
from relive_platform.registry.application.sam.notes import Notes, Place
from relive_platform.registry.application.sam.tables import FunctionTable
from relive_platform.registry.application.sam.yaml_text import Map

__all__ = ["Events", "schedule_trigger"]

_ANY: Final = ("any", "*", "x-amazon-apigateway-any-method")


class Events:
    """Reads events by their type. A type that is not in the table is ignored, and named."""

    def __init__(self, evaluator: Evaluator, notes: Notes, apis: Apis) -> None:
        self._apis = apis
        self._evaluator = evaluator
        self._notes = notes
        self._readers: dict[str, Callable[[FunctionTable, Map, Place], None]] = {
            "Api": self._api,
            "HttpApi": self._http_api,
            "Schedule": self._schedule,
            "ScheduleV2": self._schedule,
        }

    def read(self, table: FunctionTable, events: Map, at: Place) -> None:
        """All of a function's."""
        for name, event in events.items():
            where = at.below(events, name)
            with self._notes.gathering():
                self._read_one(table, event, where)

    def _read_one(self, table: FunctionTable, event: Any, at: Place) -> None:
        found = self._evaluator.value(event, at)
        if not isinstance(found, Map) or not isinstance(found.get("Type"), str):
            if found is not NO_VALUE:
                self._notes.wrong(at, "the event has no Type", "as in Type: HttpApi")
            return
        kind = found["Type"]
        properties = found.get("Properties")
        if properties is None:
            properties = Map(at.line)
        if not isinstance(properties, Map):
            self._notes.wrong(at.below(found, "Properties"), "it is not a mapping", "write KEY: VALUE")
            return
        reader = self._readers.get(kind)
        if reader is None:
            message = f"events of the type {kind} are not known here: nothing calls the function for it"
            self._notes.ignore(at.below(found, "Type"), message)
            return
        reader(table, properties, at.below(found, "Properties"))

    def _rest(self, properties: Map, at: Place, *taken: str) -> None:
        for key in properties:
            if key not in taken:
                self._notes.ignore(at.below(properties, key), "it has no effect here")

    # ------------------------------------------------------------ HTTP

    def _api(self, table: FunctionTable, properties: Map, at: Place) -> None:
        self._route(table, properties, at, "1.0")
        self._apis.allow_pages(table, as_text(properties.get("RestApiId", "")), "1.0")
        self._rest(properties, at, "Path", "Method", "RestApiId")

    def _http_api(self, table: FunctionTable, properties: Map, at: Place) -> None:
        payload = as_text(properties.get("PayloadFormatVersion", "2.0"))
        if payload not in ("1.0", "2.0"):
            where = at.below(properties, "PayloadFormatVersion")
            self._notes.wrong(where, f"the payload format {payload!r} is not known", "use 1.0 or 2.0")
            return
        self._route(table, properties, at, payload)
        self._apis.allow_pages(table, as_text(properties.get("ApiId", "")), "2.0")
        self._rest(properties, at, "Path", "Method", "ApiId", "PayloadFormatVersion")

    def _route(self, table: FunctionTable, properties: Map, at: Place, payload: str) -> None:
        path = as_text(properties.get("Path", "$default"))
        method = as_text(properties.get("Method", "any"))
        values: dict[str, Any] = {"type": "http", "path": path}
        if method.lower() not in _ANY:
            values["methods"] = [method.upper()]
        if payload != "2.0":
            values["payload"] = payload
        line = at.below(properties, "Path").line
        if path == "$default":  # of an HTTP API: whatever no other route takes
            table.trigger({**values, "path": "/"}, line)
            values["path"] = "/{proxy+}"
        table.trigger(values, line)

    def function_url(self, table: FunctionTable, config: Any, at: Place) -> None:
        """A function has a URL of its own anyway: /fn/NAME/."""
        found = self._evaluator.value(config, at)
        if not isinstance(found, Map):
            return
        for key in found:
            where = at.below(found, key)
            if key == "AuthType":
                message = f"its URL /fn/{table.name}/ is open to whom the server lets in"
                self._notes.ignore(where, message, describes=True)
            elif key == "Cors":
                if (cors := self._apis.cors(found[key], where)) is not None:
                    table.put("cors", *cors)
            else:
                self._notes.ignore(where, "it has no effect here")

    # ------------------------------------------------------------ time

    def _schedule(self, table: FunctionTable, properties: Map, at: Place) -> None:
        schedule_trigger(self._notes, table, properties, at)
        self._rest(
            properties, at, "Schedule", "ScheduleExpression", "ScheduleExpressionTimezone", "Input",
            "Enabled", "State", "Name", "Description",
        )  # fmt: skip


def schedule_trigger(notes: Notes, table: FunctionTable, properties: Map, at: Place) -> None:
    """A timer of evaluated properties: `Schedule` or `ScheduleExpression`, time zone, input."""
    off = as_text(properties.get("Enabled", "true")).lower() == "false"
    if off or as_text(properties.get("State", "ENABLED")).startswith("DISABLED"):
        key = "Enabled" if off else "State"
        notes.ignore(
            at.below(properties, key), "the schedule is disabled: it becomes no timer", describes=True
        )
        return
    key = "Schedule" if "Schedule" in properties else "ScheduleExpression"
    schedule = as_text(properties.get(key, ""))
    where = at.below(properties, key)
    if schedule.startswith("at("):
        notes.ignore(where, "a schedule of one time is not known here", "use relive invoke then")
        return
    values: dict[str, Any] = {"type": "timer", "schedule": schedule}
    if zone := properties.get("ScheduleExpressionTimezone"):
        values["time_zone"] = as_text(zone)
    if (given := properties.get("Input")) is not None:
        values["event"] = as_text(given)
    table.trigger(values, where.line)
