"""HTTP as a source of events: the gateway's routes are those of the functions in service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from relive_runtime.adapters.table import SERVICE

from relive_platform.triggers.base import Served, ServedConfig, TriggerConfig
from relive_platform.triggers.http.app import Gateway
from relive_platform.triggers.http.config import CorsConfig
from relive_platform.triggers.http.connections.listener import HttpListener
from relive_platform.triggers.http.cors import Cors
from relive_platform.triggers.http.doors import Door, MakeDoor
from relive_platform.triggers.http.routes import Policy, Route, Routes
from relive_platform.triggers.pull.state import SourceState

__all__ = ["HttpAddress", "HttpSource"]


class HttpAddress(Protocol):
    """Where to listen: a path, or a host and a port; `loopback`: it has to be an address of loopback."""

    @property
    def path(self) -> str: ...
    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def loopback(self) -> bool: ...


class HttpServed(ServedConfig, Protocol):
    """What a function says of its callers."""

    @property
    def public(self) -> bool: ...
    @property
    def cors(self) -> CorsConfig | None: ...
    @property
    def error_details(self) -> bool | None: ...


class HttpFunction(Served, Protocol):
    """A function with that."""

    @property
    def config(self) -> HttpServed: ...


class HttpSource:
    """`error_details`: "on", "off" or "auto", for functions that say nothing of it. `doors`: what stands at
    the paths of a kind of trigger."""

    def __init__(
        self,
        gateway: Gateway,
        listener: HttpListener,
        address: HttpAddress,
        error_details: str,
        doors: Mapping[type[TriggerConfig], MakeDoor] | None = None,
    ) -> None:
        self._gateway = gateway
        self._listener = listener
        self._address = address
        self._error_details = error_details
        self._make_door = doors or {}
        self._doors: dict[tuple[str, str], Door] = {}  # by function and trigger

    async def apply(self, functions: Sequence[HttpFunction]) -> None:
        """These functions are in service from now on."""
        policies = {function.name: self._policy(function) for function in functions}
        self._gateway.routes = Routes(self._routes(functions), policies)

    async def start(self) -> None:
        """Listen."""
        address = self._address
        if address.path:
            await self._listener.start_unix(address.path)
        else:
            await self._listener.start(address.host, address.port, loopback=address.loopback)

    async def close(self) -> None:
        """Close every connection."""
        await self._listener.close()

    def describe(self) -> list[SourceState]:
        """How the doors stand."""
        return [door.describe() for door in self._doors.values()]

    def _policy(self, function: HttpFunction) -> Policy:
        """The function's own word on details of errors comes first, then the server's."""
        config = function.config
        said = config.error_details
        if said is None and self._error_details != "auto":
            said = self._error_details == "on"
        return Policy(
            public=config.public,
            cors=Cors(config.cors) if config.cors is not None else None,
            route_details=not config.public if said is None else said,
            details=True if said is None else said,
            event=function.spec.kind in ("event", "custom"),
            service=function.spec.kind == SERVICE,
        )

    def _routes(self, functions: Sequence[Served]) -> list[Route]:
        before, self._doors = self._doors, {}
        return [
            Route(
                place.path,
                function.name,
                frozenset(place.methods),
                place.payload,
                place.public,
                self._door(function.name, trigger, before),
            )
            for function in functions
            for trigger in function.config.triggers
            for place in trigger.paths()
        ]

    def _door(
        self, function: str, trigger: TriggerConfig, before: Mapping[tuple[str, str], Door]
    ) -> Door | None:
        """The one from before, if its trigger has not changed: it may remember what has passed."""
        make = self._make_door.get(type(trigger))
        if make is None:
            return None
        key = function, repr(trigger)
        door = self._doors[key] = self._doors.get(key) or before.get(key) or make(trigger, function)
        return door
