"""What every kind of trigger has: a table in `relive.toml`, and a source of events while a server runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import msgspec
from relive_base.wire.messages import FunctionSpec

from relive_platform.keys import Key
from relive_platform.resources.base import ResourceConfig
from relive_platform.subscriptions.rules import Hears
from relive_platform.triggers.destinations.config import Destination

__all__ = ["Claim", "Key", "Path", "Served", "ServedConfig", "Source", "TriggerConfig"]


@dataclass(frozen=True, slots=True)
class Claim:
    """A name that leads to one function of a server only. `taken` says that it is another's, up to whose."""

    kind: str
    name: str
    key: str  # of the trigger's table
    taken: str
    hint: str


@dataclass(frozen=True, slots=True)
class Path:
    """A path of the gateway that leads to the function. No methods: all. `public`: it needs no token,
    whatever the function says: something else tells who asks."""

    path: str
    methods: tuple[str, ...] = ()
    payload: str = ""
    public: bool = False


class TriggerConfig(msgspec.Struct, frozen=True, tag_field="type", kw_only=True):
    """One entry of a function's `triggers`. A Struct, because the registry keeps it on disk as JSON."""

    KEYS: ClassVar[Mapping[str, Key]] = {}

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> TriggerConfig:
        """From a table of `relive.toml`; types and ranges have been checked against KEYS."""
        given = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
        return cls(**given)

    def problems(self) -> Iterator[tuple[str, str, str]]:
        """Key, message and hint of what KEYS cannot say."""
        return iter(())

    def among(self, resources: Mapping[str, ResourceConfig]) -> TriggerConfig:
        """The same, told of its application's resources."""
        return self

    def problems_among(self, resources: Mapping[str, ResourceConfig]) -> Iterator[tuple[str, str, str]]:
        """Key, message and hint of what does not fit its application's resources."""
        return iter(())

    def claims(self) -> Iterator[Claim]:
        """Names that no other function may have."""
        return iter(())

    def hears(self) -> Hears | None:
        """Of which functions' records it makes events: functions that hear of each other in a circle would
        never rest."""
        return None

    def paths(self) -> Iterator[Path]:
        """Where the gateway takes requests for it."""
        return iter(())

    def describe(self) -> str:
        """As people read it: "http POST /checkout"."""
        raise NotImplementedError


class ServedConfig(Protocol):
    """Of a function's configuration what sources need."""

    @property
    def triggers(self) -> tuple[TriggerConfig, ...]: ...
    @property
    def retries(self) -> int: ...
    @property
    def max_age_s(self) -> float: ...
    @property
    def max_workers(self) -> int: ...
    @property
    def resources(self) -> Mapping[str, ResourceConfig]: ...
    @property
    def on_success(self) -> Destination | None: ...
    @property
    def on_failure(self) -> Destination | None: ...


class Served(Protocol):
    """A function version in service."""

    @property
    def name(self) -> str: ...
    @property
    def spec(self) -> FunctionSpec: ...
    @property
    def config(self) -> ServedConfig: ...


class Source(Protocol):
    """Makes events of a kind while a server runs. Everything runs on the event loop."""

    async def apply(self, functions: Sequence[Any]) -> None:
        """These functions (Served) are in service from now on."""

    async def start(self) -> None:
        """Begin; `apply` came before."""

    async def close(self) -> None:
        """Make no further event."""
