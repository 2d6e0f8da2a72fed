"""What was said of a function since it was deployed: its workers, and how its events are tried."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from relive_platform.engine.pool import PoolLimits
from relive_platform.registry import Alias, FunctionVersion, Notes
from relive_platform.triggers.destinations.config import Destination

__all__ = ["Orders", "orders_of"]


@dataclass(frozen=True, slots=True)
class Orders:
    """`reserved`: workers at most, None: as it was deployed. `provisioned`: version -> workers that wait,
    ready. `retries`, `max_age_s`: of asynchronous events, None: as it was deployed."""

    reserved: int | None = None
    provisioned: Mapping[int, int] = field(default_factory=dict)
    retries: int | None = None
    max_age_s: float | None = None
    on_success: Destination | None = None
    on_failure: Destination | None = None

    def of_events(self, version: FunctionVersion) -> FunctionVersion:
        """The function as its queue sees it."""
        config = version.config
        told = {"on_success": self.on_success, "on_failure": self.on_failure}
        config = msgspec.structs.replace(config, **{key: value for key, value in told.items() if value})
        if self.retries is not None:
            config = msgspec.structs.replace(config, retries=self.retries)
        if self.max_age_s is not None:
            config = msgspec.structs.replace(config, max_age_s=self.max_age_s)
        return version if config == version.config else replace(version, config=config)

    def of_workers(self, limits: PoolLimits, version: int, max_workers: int) -> PoolLimits:
        """The limits of a version's pool. `limits`, `max_workers`: as the function was deployed."""
        most = max_workers if self.reserved is None else self.reserved
        waiting = self.provisioned.get(version, limits.provisioned)
        return replace(
            limits,
            max_workers=max(most, waiting),
            reserved=limits.reserved or self.reserved is not None,
            provisioned=waiting,
        )


def orders_of(notes: Notes, aliases: list[Alias], serving: Mapping[str, int]) -> dict[str, Orders]:
    """Of all functions in service, by name; `serving`: their versions."""
    found: dict[str, Orders] = {}
    for function, _, note in notes.all("reserved"):
        found[function] = replace(found.get(function, Orders()), reserved=note["value"])
    for function, key, note in notes.all("event-invoke"):
        if not key:
            found[function] = replace(
                found.get(function, Orders()),
                retries=note.get("MaximumRetryAttempts"),
                max_age_s=note.get("MaximumEventAgeInSeconds"),
                on_success=_destination(note, "OnSuccess"),
                on_failure=_destination(note, "OnFailure"),
            )
    led = {(alias.function, alias.name): alias.version for alias in aliases}
    for function, key, note in notes.all("provisioned"):
        version = int(key) if key.isdigit() else led.get((function, key), 0)
        orders = found.get(function, Orders())
        wanted = {**orders.provisioned, version or serving.get(function, 0): note["value"]}
        found[function] = replace(orders, provisioned=wanted)
    return {function: orders for function, orders in found.items() if function in serving}


def _destination(note: dict[str, Any], which: str) -> Destination | None:
    """Of Lambda's DestinationConfig, whose ARNs are of functions, queues and buses."""
    arn = str(((note.get("DestinationConfig") or {}).get(which) or {}).get("Destination") or "")
    parts = arn.split(":", 5)
    if len(parts) < 6:
        return None
    service, rest = parts[2], parts[5]
    if service == "sqs":
        return Destination(queue=rest)
    if service == "lambda" and rest.startswith("function:"):
        return Destination(function=rest.split(":")[1])
    if service == "events" and rest.startswith("event-bus/"):
        return Destination(bus=rest.removeprefix("event-bus/"))
    return None
