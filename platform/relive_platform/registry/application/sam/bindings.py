"""Resources of a template that say something of a function which stands elsewhere in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from relive_platform.registry.application.sam.events import (
    Events,
    bus_trigger,
    is_disabled,
    queue_trigger,
    schedule_trigger,
)
from relive_platform.registry.application.sam.functions import Functions
from relive_platform.registry.application.sam.intrinsics import Evaluator, as_text
from relive_platform.registry.application.sam.names import function_name
from relive_platform.registry.application.sam.notes import Notes, Place
from relive_platform.registry.application.sam.tables import FunctionTable, Tables
from relive_platform.registry.application.sam.yaml_text import Map, Seq

__all__ = ["Bindings"]

_ELSEWHERE: Final = "it goes to no function of this template"


class Bindings:
    """Reads rules, schedules, URLs and configurations of invocations."""

    def __init__(
        self, evaluator: Evaluator, notes: Notes, tables: Tables, events: Events, functions: Functions
    ) -> None:
        self._evaluator = evaluator
        self._notes = notes
        self._tables = tables
        self._events = events
        self._functions = functions
        self.readers: dict[str, Callable[[Map, Place], None]] = {
            "AWS::Events::Rule": self._rule,
            "AWS::Scheduler::Schedule": self._schedule,
            "AWS::Lambda::Url": self._url,
            "AWS::Lambda::EventInvokeConfig": self._invoke_config,
            "AWS::Lambda::EventSourceMapping": self._mapping,
        }

    def read(self, kind: str, properties: Map, at: Place) -> bool:
        """False if it is none of them."""
        reader = self.readers.get(kind)
        if reader is not None:
            found = self._evaluator.value(properties, at)
            reader(found if isinstance(found, Map) else Map(at.line), at)
        return reader is not None

    def _function(self, name: Any, at: Place) -> FunctionTable | None:
        found = self._tables.functions.get(function_name(as_text(name)))
        if found is None:
            self._notes.ignore(at, _ELSEWHERE)
        return found

    def _rule(self, properties: Map, at: Place) -> None:
        targets = properties.get("Targets")
        for index, target in enumerate(targets if isinstance(targets, Seq) else ()):
            if isinstance(target, Map):
                where = at.below(properties, "Targets").below(targets, index)
                self._target(properties, target, at, where)

    def _target(self, properties: Map, target: Map, at: Place, where: Place) -> None:
        table = self._function(target.get("Arn", ""), where)
        if table is not None and not is_disabled(self._notes, properties, at):
            if "EventPattern" in properties:
                bus_trigger(table, properties, at.below(properties, "EventPattern"), "EventPattern")
            if "ScheduleExpression" in properties:
                self._timer(table, properties, target, at)
        for key in target:
            if key == "Input" and "ScheduleExpression" in properties:
                continue
            if key not in ("Arn", "Id"):
                self._notes.ignore(where.below(target, key), "it has no effect here")

    def _timer(self, table: FunctionTable, properties: Map, target: Map, at: Place) -> None:
        given = Map(properties.line)
        given.put(
            "ScheduleExpression", properties["ScheduleExpression"], properties.line_of("ScheduleExpression")
        )
        if "Input" in target:
            given.put("Input", target["Input"], target.line_of("Input"))
        schedule_trigger(self._notes, table, given, at)

    def _schedule(self, properties: Map, at: Place) -> None:
        target = properties.get("Target")
        where = at.below(properties, "Target")
        table = self._function(target.get("Arn", ""), where) if isinstance(target, Map) else None
        if table is None or not isinstance(target, Map):
            return
        if "Input" in target:
            properties.put("Input", target["Input"], target.line_of("Input"))
        schedule_trigger(self._notes, table, properties, at)

    def _url(self, properties: Map, at: Place) -> None:
        table = self._function(properties.get("TargetFunctionArn", ""), at)
        if table is not None:
            properties.pop("TargetFunctionArn", None)
            self._events.function_url(table, properties, at)

    def _invoke_config(self, properties: Map, at: Place) -> None:
        table = self._function(properties.get("FunctionName", ""), at)
        if table is not None:
            self._functions.invoke_config(table, properties, at)

    def _mapping(self, properties: Map, at: Place) -> None:
        table = self._function(properties.get("FunctionName", ""), at)
        source = as_text(properties.get("EventSourceArn", ""))
        if table is None:
            return
        if ":sqs:" in source or source.startswith("${resources."):
            queue_trigger(self._notes, table, properties, at, "EventSourceArn")
        else:
            message = "events of this source are not known here: nothing calls the function for them"
            self._notes.ignore(at.below(properties, "EventSourceArn"), message)
