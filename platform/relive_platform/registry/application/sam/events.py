"""What starts a function of a template: the entries of `Events`, as triggers of `relive.toml`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, Final

from relive_platform.registry.application.sam.apis import Apis
from relive_platform.registry.application.sam.intrinsics import NO_VALUE, Evaluator, as_text
from relive_platform.registry.application.sam.names import resource_name
from relive_platform.registry.application.sam.notes import Notes, Place
from relive_platform.registry.application.sam.tables import FunctionTable
from relive_platform.registry.application.sam.yaml_text import Map, Seq
from relive_platform.triggers.queue.config import QueueTrigger

__all__ = ["Events", "bucket_trigger", "bus_trigger", "is_disabled", "queue_trigger", "schedule_trigger"]

_BATCHES: Final = {"BatchSize": "batch_size", "MaximumBatchingWindowInSeconds": "batch_window_s"}
_KAFKA_URL: Final = "env:KAFKA_URL"
_KAFKA_STARTS: Final = {"TRIM_HORIZON": "oldest", "LATEST": "newest"}
_KAFKA_LOGIN: Final = "servers, user and password are taken from the server's variable KAFKA_URL"
_KAFKA_READ: Final = ("Topics", "KafkaBootstrapServers", "Enabled")
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
            "SQS": self._queue,
            "MSK": self._kafka,
            "SelfManagedKafka": self._kafka,
            "S3": self._bucket,
            "CloudWatchLogs": self._logs,
            "EventBridgeRule": self._rule,
            "CloudWatchEvent": self._rule,
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

    # ------------------------------------------------------------ queues and buses

    def _queue(self, table: FunctionTable, properties: Map, at: Place) -> None:
        queue_trigger(self._notes, table, properties, at, "Queue")

    def _kafka(self, table: FunctionTable, properties: Map, at: Place) -> None:
        if not is_disabled(self._notes, properties, at):
            self._rest(properties, at, *_kafka_trigger(self._notes, table, properties, at))

    def _bucket(self, table: FunctionTable, properties: Map, at: Place) -> None:
        bucket_trigger(self._notes, table, properties, at)
        self._rest(properties, at, "Bucket", "Events", "Filter")

    def _logs(self, table: FunctionTable, properties: Map, at: Place) -> None:
        group = as_text(properties.get("LogGroupName", ""))
        name = re.fullmatch(r"/(?:aws/lambda|relive)/([a-zA-Z0-9_-]+)", group)
        where = at.below(properties, "LogGroupName")
        if name is None:
            self._notes.ignore(where, f"{group} is no function's: nothing calls the function for it")
            return
        values: dict[str, Any] = {"type": "logs", "functions": [name[1]]}
        if wanted := as_text(properties.get("FilterPattern", "")):
            values["filter"] = wanted
        table.trigger(values, where.line)
        self._rest(properties, at, "LogGroupName", "FilterPattern")

    def _rule(self, table: FunctionTable, properties: Map, at: Place) -> None:
        if is_disabled(self._notes, properties, at):
            return
        bus_trigger(table, properties, at.below(properties, "Pattern"), "Pattern")
        self._rest(properties, at, "Pattern", "EventBusName", "State", "RuleName")

    # ------------------------------------------------------------ time

    def _schedule(self, table: FunctionTable, properties: Map, at: Place) -> None:
        schedule_trigger(self._notes, table, properties, at)
        self._rest(
            properties, at, "Schedule", "ScheduleExpression", "ScheduleExpressionTimezone", "Input",
            "Enabled", "State", "Name", "Description",
        )  # fmt: skip


def is_disabled(notes: Notes, properties: Map, at: Place) -> bool:
    """Whether it is off; then it becomes no trigger, and that is noted."""
    off = as_text(properties.get("Enabled", "true")).lower() == "false"
    if not off and not as_text(properties.get("State", "ENABLED")).startswith("DISABLED"):
        return False
    key = "Enabled" if off else "State"
    notes.ignore(at.below(properties, key), "it is disabled: it becomes no trigger", describes=True)
    return True


def schedule_trigger(notes: Notes, table: FunctionTable, properties: Map, at: Place) -> None:
    """A timer of evaluated properties: `Schedule` or `ScheduleExpression`, time zone, input."""
    if is_disabled(notes, properties, at):
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


def queue_trigger(notes: Notes, table: FunctionTable, properties: Map, at: Place, queue: str) -> None:
    """Batches of a queue, whose ARN is the property `queue`."""
    if is_disabled(notes, properties, at):
        return
    values: dict[str, Any] = {"type": "queue", "queue": resource_name(as_text(properties.get(queue, "")))}
    for key, value in properties.items():
        where = at.below(properties, key)
        text = as_text(value)
        if key in _BATCHES and text.isdecimal():
            values[_BATCHES[key]] = int(text)
        elif key == "FunctionResponseTypes":
            values["report_batch_item_failures"] = "ReportBatchItemFailures" in text
        elif key == "ScalingConfig" and isinstance(value, Map) and "MaximumConcurrency" in value:
            values["concurrency"] = int(as_text(value["MaximumConcurrency"]))
        elif key == "FilterCriteria":
            _filters(notes, values, value, where)
        elif key not in (queue, "Enabled", "FunctionName"):
            notes.ignore(where, "it has no effect here")
    table.trigger(values, at.below(properties, queue).line)


def _filters(notes: Notes, values: dict[str, Any], criteria: Any, at: Place) -> None:
    patterns = [
        found.get("Pattern", "{}")
        for found in (criteria.get("Filters") or () if isinstance(criteria, Map) else ())
        if isinstance(found, Map)
    ]
    if "filters" not in QueueTrigger.KEYS:
        notes.ignore(at, "messages are not filtered here: the function gets all of them")
        return
    try:
        values["filters"] = [json.loads(as_text(pattern)) for pattern in patterns]
    except (ValueError, RecursionError) as error:
        raise notes.error(at, f"a pattern is not JSON: {error}", "write JSON text") from error


def bucket_trigger(notes: Notes, table: FunctionTable, properties: Map, at: Place) -> None:
    """Objects of a bucket: `Bucket`, `Events` (or `Event`), `Filter`."""
    key = "Events" if "Events" in properties else "Event"
    events = properties.get(key) or ()
    known = []
    for name in [events] if isinstance(events, str) else events:
        kind = as_text(name).removeprefix("s3:").partition(":")[0]
        if kind not in ("ObjectCreated", "ObjectRemoved"):
            notes.ignore(at.below(properties, key), f"there is no event {as_text(name)} here")
        elif f"s3:{kind}:*" not in known:
            known.append(f"s3:{kind}:*")
    values: dict[str, Any] = {
        "type": "bucket",
        "bucket": resource_name(as_text(properties.get("Bucket", ""))),
    }
    found: Any = properties.get("Filter")
    for part in ("S3Key", "Rules"):
        found = found.get(part) if isinstance(found, Map) else None
    for rule in found if isinstance(found, list) else ():
        name = as_text(rule.get("Name", "")).lower() if isinstance(rule, Map) else ""
        if name in ("prefix", "suffix"):
            values[name] = as_text(rule.get("Value", ""))
    if known:
        table.trigger({**values, "events": known}, at.below(properties, "Bucket").line)


def bus_trigger(table: FunctionTable, properties: Map, at: Place, pattern: str) -> None:
    """Events on a bus that fit the pattern, which is the property `pattern`."""
    values: dict[str, Any] = {"type": "bus"}
    if name := as_text(properties.get("EventBusName", "")):
        values["bus"] = resource_name(name)
    document = properties.get(pattern)
    if document is not None:
        values["pattern_json"] = document if isinstance(document, str) else as_text(document)
    table.trigger(values, at.line)


def _kafka_trigger(notes: Notes, table: FunctionTable, properties: Map, at: Place) -> tuple[str, ...]:
    """Topics of MSK, or of a Kafka of one's own; gives the properties that were taken. Where no servers are
    named, or with a login, the server's environment has both."""
    topics = [as_text(topic) for topic in _list(properties.get("Topics"))]
    servers = [as_text(server) for server in _list(properties.get("KafkaBootstrapServers"))]
    known = servers and "SourceAccessConfigurations" not in properties
    url = f"kafka://{','.join(servers)}" if known else _KAFKA_URL
    values: dict[str, Any] = {"type": "kafka", "url": url, "topics": topics}
    taken = list(_KAFKA_READ)
    for key, value in properties.items():
        where = at.below(properties, key)
        text = as_text(value)
        if key in _BATCHES and text.isdecimal():
            values[_BATCHES[key]] = int(text)
        elif key == "ConsumerGroupId":
            values["group"] = text
        elif key == "StartingPosition" and text in _KAFKA_STARTS:
            values["start"] = _KAFKA_STARTS[text]
        elif key == "Stream":
            message = f"the address of the cluster is taken from the server's variable {_KAFKA_URL[4:]}"
            notes.ignore(where, message)
        elif key == "SourceAccessConfigurations":
            notes.ignore(where, _KAFKA_LOGIN)
        else:
            continue
        taken.append(key)
    table.trigger(values, at.below(properties, "Topics").line)
    return tuple(taken)


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, Seq | list) else [] if value is None else [value]
