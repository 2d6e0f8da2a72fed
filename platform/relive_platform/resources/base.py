"""What every kind of resource has: a table in `relive.toml`, and a provider that keeps its data while a
server runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Protocol

import msgspec
from relive_base.errors import NotFound, Refused, ReliveError

from relive_platform.keys import Key

__all__ = [
    "Declared",
    "Provider",
    "ResourceConfig",
    "ResourceError",
    "ResourceInUse",
    "ResourceState",
    "UnknownResource",
]


class ResourceError(ReliveError):
    """A resource cannot do this."""


class UnknownResource(NotFound):
    """There is no resource of that name."""


class ResourceInUse(Refused):
    """A resource that an application declares cannot be deleted."""


class ResourceConfig(msgspec.Struct, frozen=True, tag_field="type", kw_only=True):
    """One `[resources.NAME]`. A Struct, because the registry keeps it on disk as JSON."""

    KEYS: ClassVar[Mapping[str, Key]] = {}
    ATTRIBUTES: ClassVar[tuple[str, ...]] = ()
    """What its provider says of it: `${resources.NAME.ATTRIBUTE}`, and functions' environment."""

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> ResourceConfig:
        """From a table of `relive.toml`; types and ranges have been checked against KEYS."""
        given = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
        return cls(**given)

    @property
    def kind(self) -> str:
        """Its type in `relive.toml`."""
        return str(self.__struct_config__.tag)

    def problems(self) -> Iterator[tuple[str, str, str]]:
        """Key, message and hint of what KEYS cannot say."""
        return iter(())

    def problems_among(
        self, name: str, others: Mapping[str, ResourceConfig]
    ) -> Iterator[tuple[str, str, str]]:
        """Key, message and hint of what does not fit the application's other resources."""
        return iter(())

    def outside(self) -> str:
        """The folder of its data if that is the user's own, which Relive deletes nothing of; "" if not."""
        return ""

    def replaces(self, old: ResourceConfig) -> str:
        """Why the data that `old` keeps cannot stay under this configuration; "": it can."""
        return "" if type(old) is type(self) else f"it is a {old.kind} so far"

    def seen(self) -> Mapping[str, str]:
        """What of it functions see in their environment beside its name: if that changes, they are new
        versions."""
        return {}

    def describe(self) -> str:
        """As people read it: "queue, fifo"."""
        return self.kind


class Declared(msgspec.Struct, frozen=True, kw_only=True):
    """A resource that an application in service declares."""

    name: str
    app: str
    config: ResourceConfig


class ResourceState(msgspec.Struct, kw_only=True):
    """How one resource stands. `figures`: what of its kind is worth knowing, units last in their names."""

    name: str
    type: str
    app: str = ""
    state: str = "ok"  # "ok" | "undeclared" | "failed"
    detail: str = ""  # why it has failed, or what it is
    attributes: dict[str, str] = {}
    figures: dict[str, str | int | float | None] = {}
    outside: str = ""  # the user's own folder, of which nothing is deleted


class Provider(Protocol):
    """Keeps the data of all resources of a kind. Everything runs on the event loop.

    One whose data functions read and write as files has `folders(resources) -> list[str]`, too: the folders
    of an application's resources."""

    async def apply(self, declared: Sequence[Declared]) -> None:
        """These are declared from now on. Makes what is not there, and never deletes data."""

    def attributes(self, name: str, config: ResourceConfig) -> Mapping[str, str]:
        """What functions need to know of one, by ResourceConfig.ATTRIBUTES; also before `apply`."""

    def environment(self, app: str) -> Mapping[str, str]:
        """What functions of an application need for any resource of this kind."""

    async def start(self) -> None:
        """Begin; `apply` came before."""

    async def close(self) -> None:
        """Write what is not written yet, and stop."""

    async def listing(self) -> Sequence[ResourceState]:
        """All that it keeps, declared or not."""

    async def purge(self, name: str) -> int:
        """Delete what is in one, but not itself. Gives how many things. Raises UnknownResource."""

    async def delete(self, name: str) -> None:
        """Delete all of one that nobody declares. Raises UnknownResource, ResourceInUse."""
