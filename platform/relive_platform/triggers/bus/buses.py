"""The buses of a server: an event goes onto the durable queue once for each function that it fits."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from relive_base.errors import ReliveError
from relive_base.ids import new_span_id, new_trace_id
from relive_base.wire.messages import FunctionSpec

from relive_platform.engine.invocation import InvokeRequest
from relive_platform.names import unknown_name
from relive_platform.triggers.base import Served
from relive_platform.triggers.bus.config import DEFAULT_BUS, BusTrigger
from relive_platform.triggers.bus.entry import BadEntry, event_of
from relive_platform.triggers.patterns import Pattern, PatternError
from relive_platform.triggers.queue.publisher import Accepted
from relive_platform.triggers.shapes import cloudevent_of

__all__ = ["Buses", "PartlyRefused", "UnknownBus", "key_of"]

_log = logging.getLogger(__name__)
Publish = Callable[[InvokeRequest, str, FunctionSpec | None, bytes], Awaitable[Accepted]]


class UnknownBus(ReliveError):
    """There is no bus of that name."""  # HTTP 404


class PartlyRefused(ReliveError):
    """Some functions could not take the event. Put it again under its id: the others have it and get it
    once."""


@dataclass(frozen=True, slots=True)
class _Target:
    function: str
    pattern: Pattern | None
    shape: str


@dataclass(slots=True)
class BusCounts:
    """Of one bus since the server started."""

    events: int = 0
    deliveries: int = 0
    unmatched: int = 0
    refused: int = 0


class Buses:
    """Routes of events by their patterns. `declared`: names of the buses that applications declare;
    `publish`: the way onto the durable queue, given before the first event."""

    publish: Publish

    def __init__(self, declared: Callable[[], Collection[str]] = tuple) -> None:
        self._declared = declared
        self._targets: dict[str, list[_Target]] = {}
        self.counts: dict[str, BusCounts] = {}

    async def apply(self, functions: Sequence[Served]) -> None:
        """These functions are in service from now on."""
        targets: dict[str, list[_Target]] = {}
        for function in functions:
            for trigger in function.config.triggers:
                if not isinstance(trigger, BusTrigger):
                    continue
                try:
                    target = _Target(function.name, trigger.compiled(), trigger.shape)
                except (PatternError, ValueError) as error:  # deployed by a version that took it
                    _log.error("%s of %s is left out: %s", trigger.describe(), function.name, error)
                    continue
                targets.setdefault(trigger.bus, []).append(target)
        self._targets = targets

    async def start(self) -> None:
        """Nothing runs by itself."""

    async def close(self) -> None:
        """Nothing runs by itself."""

    def names(self) -> set[str]:
        """Buses that events may be put on."""
        return {DEFAULT_BUS, *self._declared(), *self._targets}

    def receivers(self, bus: str) -> list[str]:
        """The functions that listen, by name."""
        return sorted({target.function for target in self._targets.get(bus, ())})

    def figures(self, bus: str) -> dict[str, str | int | float | None]:
        """What has gone over a bus since the server started, and who listens."""
        counts = self.counts.get(bus, BusCounts())
        return {
            "functions": ", ".join(self.receivers(bus)),
            "events": counts.events,
            "deliveries": counts.deliveries,
            "unmatched": counts.unmatched,
            "refused": counts.refused,
        }

    async def put(
        self, request: InvokeRequest, ident: str = "", publisher: FunctionSpec | None = None
    ) -> Accepted:
        """`request.function` is "bus:NAME", its event an entry. Each function that fits has the event durably
        when this returns; `result` names them. Raises BadEntry, UnknownBus, PartlyRefused."""
        bus = request.function.partition(":")[2] or DEFAULT_BUS
        known = self.names()
        if bus not in known:
            raise unknown_name(UnknownBus, "bus", bus, known, "relive resources")
        event = event_of(request.event, ident)
        shapes = {shape: _encoded(event, shape) for shape in ("eventbridge", "cloudevents")}
        counts = self.counts.setdefault(bus, BusCounts())
        counts.events += 1
        fitting: dict[str, str] = {}  # one event for a function, in the shape of its first trigger that fits
        for target in self._targets.get(bus, ()):
            if target.function not in fitting and (target.pattern is None or target.pattern.matches(event)):
                fitting[target.function] = target.shape
        counts.unmatched += not fitting
        trace_id = request.trace_id or new_trace_id()
        key = key_of(bus, event["id"])
        base = msgspec.structs.replace(
            request,
            trigger="bus",
            trace_id=trace_id,
            attributes={
                **request.attributes,
                "relive.bus": bus,
                "cloudevents.event_id": event["id"],
                "cloudevents.event_source": event["source"],
                "cloudevents.event_type": event["detail-type"],
            },
        )
        done = await asyncio.gather(
            *(
                self.publish(
                    msgspec.structs.replace(base, function=name, event=shapes[shape]),
                    key,
                    publisher,
                    request.event,
                )
                for name, shape in fitting.items()
            ),
            return_exceptions=True,
        )
        refused = _refused(list(fitting), done)
        counts.deliveries += len(fitting) - len(refused)
        counts.refused += len(refused)
        if refused:
            raise _partly(refused, event["id"], len(fitting))
        stored = [one for one in done if isinstance(one, Accepted)]
        return Accepted(
            event["id"],
            "",
            trace_id,
            stored[0].span_id if stored else new_span_id(),
            bool(stored) and all(one.duplicate for one in stored),
            "ready",
            json.dumps({"event_id": event["id"], "matched": list(fitting)}).encode(),
        )


def _refused(names: list[str], done: Sequence[Accepted | BaseException]) -> dict[str, ReliveError]:
    found: dict[str, ReliveError] = {}
    for name, one in zip(names, done, strict=True):
        if isinstance(one, ReliveError):
            found[name] = one
        elif isinstance(one, BaseException):
            raise one
    return found


def _partly(refused: dict[str, ReliveError], ident: str, count: int) -> ReliveError:
    """The refusal itself, if it was the only one for the only function."""
    first = next(iter(refused.values()))
    if count == len(refused) == 1:
        return first
    named = "; ".join(f"{name}: {error.message}" for name, error in refused.items())
    return PartlyRefused(
        f"{len(refused)} of {count} functions could not take event {ident}: {named}",
        hint=f"put it again with the id {ident}: those that have it do not get it twice",
    )


def key_of(bus: str, ident: str) -> str:
    """What an event of a bus is called in the queues of its functions."""
    digest = hashlib.blake2b(f"{bus}\n{ident}".encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    return f"bus-{digest}"


def _encoded(event: dict[str, Any], shape: str) -> bytes:
    document = cloudevent_of(event) if shape == "cloudevents" else event
    try:
        return json.dumps(document, separators=(",", ":"), allow_nan=False).encode()
    except ValueError:
        raise BadEntry("the event has a number that no float can hold") from None
