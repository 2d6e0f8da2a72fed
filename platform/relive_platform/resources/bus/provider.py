"""Event buses as resources."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from relive_platform.resources.base import (
    Declared,
    ResourceConfig,
    ResourceInUse,
    ResourceState,
    UnknownResource,
)

__all__ = ["BusProvider"]

Figures = Callable[[str], Mapping[str, str | int | float | None]]


class BusProvider:
    """`figures`: what has gone over a bus, and who listens. `environment`: what functions of an application
    need to talk to buses by EventBridge's API."""

    def __init__(
        self, figures: Figures, default: str, environment: Callable[[str], Mapping[str, str]] = lambda app: {}
    ) -> None:
        self._figures = figures
        self._environment = environment
        self._default = default
        self._declared: dict[str, str] = {}

    def names(self) -> set[str]:
        """Of the declared buses."""
        return set(self._declared)

    async def apply(self, declared: Sequence[Declared]) -> None:
        """These are there from now on."""
        self._declared = {entry.name: entry.app for entry in declared}

    def attributes(self, name: str, config: ResourceConfig) -> Mapping[str, str]:
        """Its name, and an ARN."""
        return {"name": name, "arn": f"arn:aws:events:us-east-1:000000000000:event-bus/{name}"}

    def environment(self, app: str) -> Mapping[str, str]:
        """Endpoint, region and credentials."""
        return self._environment(app)

    async def start(self) -> None:
        """Nothing runs."""

    async def close(self) -> None:
        """Nothing runs."""

    async def listing(self) -> Sequence[ResourceState]:
        """The default bus and the declared ones."""
        return [
            ResourceState(name=name, type="bus", app=app, detail="bus", figures=dict(self._figures(name)))
            for name, app in {self._default: "", **self._declared}.items()
        ]

    async def purge(self, name: str) -> int:
        """There is nothing in it."""
        return 0

    async def delete(self, name: str) -> None:
        """A bus that nobody declares is not there."""
        if name in self._declared:
            raise ResourceInUse(f"application {self._declared[name]!r} declares the bus {name!r}")
        raise UnknownResource(f"there is no bus {name!r}")
