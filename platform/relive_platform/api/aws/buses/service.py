"""EventBridge: events put on the buses of Relive, so that boto3's `put_events` works as it is."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from relive_base.errors import ReliveError, UsageError
from relive_base.traceparent import parse_traceparent

from relive_platform.api.aws.errors import AwsError
from relive_platform.api.aws.queues.access import surface
from relive_platform.api.aws.service import Call, Operation, Reply
from relive_platform.engine.invocation import InvokeRequest
from relive_platform.triggers.bus.buses import UnknownBus
from relive_platform.triggers.bus.config import DEFAULT_BUS
from relive_platform.triggers.patterns import PatternError, compile_pattern
from relive_platform.triggers.queue.publisher import Accepted

__all__ = ["EventsService"]

_FOR_FUNCTIONS: Final = frozenset(("PutEvents", "TestEventPattern"))
_STATE_CHARS: Final = 512


class BusNames(Protocol):
    """What is needed of the buses."""

    def names(self) -> Collection[str]: ...


class EventsService:
    """`publish` takes events for "bus:NAME"; they are durable when it returns. `depth_below`: how deep
    that lies which is sent under a span, see `Engine`."""

    name = "events"

    def __init__(
        self,
        publish: Callable[[InvokeRequest], Awaitable[Accepted]],
        buses: BusNames,
        depth_below: Callable[[str], Awaitable[int]] = surface,
    ) -> None:
        self._publish = publish
        self._depth_below = depth_below
        self._buses = buses

    @property
    def for_functions(self) -> Collection[str]:
        """What `relive.emit` can do, too."""
        return _FOR_FUNCTIONS

    @property
    def unchecked(self) -> Collection[str]:
        """Nothing is made of what the patterns of these shapes are about."""
        return ("EventBusNameOrArn", "NonPartnerEventBusNameOrArn", "TraceHeader")

    def operations(self) -> Mapping[str, Operation]:
        """What is served."""
        return {
            "PutEvents": self._put,
            "TestEventPattern": self._test,
            "ListEventBuses": self._list,
            "DescribeEventBus": self._describe,
        }

    async def download(self, path: str) -> Reply | None:
        """There is nothing."""
        return None

    async def _put(self, call: Call) -> Mapping[str, Any]:
        """Each entry by itself: those that are refused are named in the answer."""
        outcomes = await asyncio.gather(*(self._put_one(call, entry) for entry in call.get("Entries", ())))
        return {"FailedEntryCount": sum("ErrorCode" in one for one in outcomes), "Entries": list(outcomes)}

    async def _put_one(self, call: Call, entry: Mapping[str, Any]) -> dict[str, str]:
        given = {
            "source": entry.get("Source"),
            "detail-type": entry.get("DetailType"),
            "detail": entry.get("Detail"),
        }
        document: dict[str, Any] = {**given, "resources": list(entry.get("Resources", ()))}
        time = entry.get("Time")
        if isinstance(time, datetime):
            document["time"] = f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
        request = InvokeRequest(
            function=f"bus:{_plain(entry.get('EventBusName') or DEFAULT_BUS)}",
            event=json.dumps(document).encode(),
        )
        parent = parse_traceparent(call.headers.get("traceparent", ""))
        if parent is not None:
            request.trace_id, request.parent_span_id, request.sampled = (
                parent.trace_id,
                parent.span_id,
                parent.sampled,
            )
            request.trace_state = call.headers.get("tracestate", "")[:_STATE_CHARS]
            request.depth = await self._depth_below(parent.span_id)
        try:
            return {"EventId": (await self._publish(request)).event_id}
        except UnknownBus as error:
            return {"ErrorCode": "ResourceNotFoundException", "ErrorMessage": error.message}
        except UsageError as error:
            return {"ErrorCode": "InvalidArgument", "ErrorMessage": error.message}
        except ReliveError as error:  # the queue of a function is full, or the disk
            return {"ErrorCode": "ThrottlingException", "ErrorMessage": error.message}

    async def _test(self, call: Call) -> Mapping[str, Any]:
        try:
            pattern = compile_pattern(json.loads(call.get("EventPattern", "")))
            return {"Result": pattern.matches(json.loads(call.get("Event", "")))}
        except PatternError as error:
            where = f"{error.where}: " if error.where else ""
            raise AwsError("InvalidEventPatternException", f"{where}{error.message}") from None
        except (ValueError, RecursionError) as error:
            raise AwsError("InvalidEventPatternException", f"it is not JSON: {error}") from None

    async def _list(self, call: Call) -> Mapping[str, Any]:
        prefix = call.get("NamePrefix", "")
        names = sorted(name for name in self._buses.names() if name.startswith(prefix))
        return {"EventBuses": [_shown(call, name) for name in names]}

    async def _describe(self, call: Call) -> Mapping[str, Any]:
        name = _plain(call.get("Name") or DEFAULT_BUS)
        if name not in self._buses.names():
            raise AwsError("ResourceNotFoundException", f"Event bus {name} does not exist.")
        return _shown(call, name)


def _plain(name: str) -> str:
    """A bus may be named by its ARN."""
    return name.rpartition("/")[2]


def _shown(call: Call, name: str) -> dict[str, str]:
    return {"Name": name, "Arn": f"arn:aws:events:{call.region}:{call.account}:event-bus/{name}"}
