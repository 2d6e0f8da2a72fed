"""The resources of a home: who keeps their data, what functions are told of them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from relive_base.errors import ReliveError

from relive_platform.names import unknown_name
from relive_platform.registry import FunctionVersion, Registry
from relive_platform.resources.base import (
    Declared,
    Provider,
    ResourceError,
    ResourceInUse,
    ResourceState,
    UnknownResource,
)
from relive_platform.resources.queue.config import FIFO_ENDING
from relive_platform.resources.references import expand, variable

if TYPE_CHECKING:
    from concurrent.futures import Executor

__all__ = ["Resources"]

_LISTED_BY: Final = "relive resources"
_log = logging.getLogger(__name__)


class Resources:
    """All providers of a server, and the registry's word of what is declared. Everything runs on the loop."""

    def __init__(self, registry: Registry, executor: Executor, providers: Mapping[str, Provider]) -> None:
        self._registry = registry
        self._executor = executor
        self._providers = providers
        self._problems: dict[str, str] = {}  # by type
        self._kinds: set[str] = set()  # that are declared

    async def apply(self) -> None:
        """Make what is declared, and delete what a deploy has said to delete. Functions are told after it."""
        rows = await self._blocking(self._registry.resources)
        doomed = await self._blocking(self._registry.doomed)
        declared = [Declared(name=row.name, app=row.app, config=row.config) for row in rows if row.declared]
        self._kinds = {entry.config.kind for entry in declared}
        if doomed:
            names = {name for name, _ in doomed}
            await self._tell([entry for entry in declared if entry.name not in names])
        for name, kind in doomed:
            try:
                await self._providers[kind].delete(name)
            except UnknownResource:
                pass  # it was never made
            except Exception:  # it stays doomed: the next deploy or start tries again
                _log.exception("the data of the resource %s could not be deleted", name)
                continue
            await self._blocking(self._registry.deleted, name, kind)
        await self._tell(declared)

    def declares(self, *kinds: str) -> bool:
        """Whether an application declares a resource of one of these kinds."""
        return not self._kinds.isdisjoint(kinds)

    async def _tell(self, declared: list[Declared]) -> None:
        for kind, provider in self._providers.items():
            try:
                await provider.apply([entry for entry in declared if entry.config.kind == kind])
            except Exception as error:  # one kind's trouble costs neither the others nor the functions
                _log.exception("resources of the kind %s could not be made", kind)
                self._problems[kind] = str(error)
            else:
                self._problems.pop(kind, None)

    async def start(self) -> None:
        """Begin; `apply` came before."""
        for provider in self._providers.values():
            await provider.start()

    async def close(self) -> None:
        """Stop all."""
        for provider in self._providers.values():
            await provider.close()

    async def _blocking(self, work: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._executor, work, *arguments)

    # ------------------------------------------------------------ what functions see

    def environment(self, version: FunctionVersion) -> dict[str, str]:
        """The environment of a version's workers: what it has itself, with its references replaced, beside
        what its application's resources say. Its own word comes first."""
        config = version.config
        own = dict(version.spec.environment)
        if not config.resources:
            return own
        told: dict[str, Mapping[str, str]] = {}
        given: dict[str, str] = {}
        for name, resource in config.resources.items():
            provider = self._providers[resource.kind]
            told[name] = provider.attributes(name, resource)
            given |= provider.environment(version.spec.app)
            for attribute, value in told[name].items():
                given[variable(name, resource.kind, attribute)] = value

        def lookup(name: str, attribute: str) -> str | None:
            return told.get(name, {}).get(attribute)

        return given | {name: expand(value, lookup) for name, value in own.items()}

    def folders(self, version: FunctionVersion) -> list[str]:
        """Folders that the workers of a version may write to, because its application's resources are
        there."""
        found: list[str] = []
        for kind, provider in self._providers.items():
            own = {name: one for name, one in version.config.resources.items() if one.kind == kind}
            give = getattr(provider, "folders", None)
            if own and give is not None:
                found += give(own)
        return sorted(set(found))

    # ------------------------------------------------------------ what people ask

    async def listing(self) -> list[ResourceState]:
        """All resources, by name."""
        found: list[ResourceState] = []
        for kind, provider in self._providers.items():
            try:
                states = await provider.listing()
            except ReliveError as error:
                states = [ResourceState(name="*", type=kind, state="failed", detail=error.message)]
            found += states
        known = {(state.name, state.type) for state in found}
        for row in await self._blocking(self._registry.resources):
            if (row.name, row.config.kind) not in known and row.declared:
                why = self._problems.get(row.config.kind, "it could not be made; see run/server.log")
                found.append(
                    ResourceState(
                        name=row.name, type=row.config.kind, app=row.app, state="failed", detail=why
                    )
                )
        return sorted(found, key=lambda state: (state.name, state.type))

    async def one(self, name: str) -> ResourceState:
        """One of them. Raises UnknownResource, and ResourceError if several kinds have one of this name."""
        states = await self.listing()
        found = [state for state in states if name in (state.name, f"{state.name}{FIFO_ENDING}")]
        if not found:
            raise unknown_name(
                UnknownResource, "resource", name, {state.name for state in states}, _LISTED_BY
            )
        if len(found) > 1:
            kinds = " and a ".join(state.type for state in found)
            raise ResourceError(f"{name!r} is a {kinds}", hint="what is not declared keeps its data")
        return found[0]

    async def purge(self, name: str) -> int:
        """Delete what is in one. Gives how many things."""
        state = await self.one(name)
        return await self._providers[state.type].purge(state.name)

    async def delete(self, name: str) -> None:
        """Delete one that nobody declares, with all in it."""
        state = await self.one(name)
        if state.app and state.state != "undeclared":
            raise ResourceInUse(
                f"application {state.app!r} declares the {state.type} {state.name!r}",
                hint="take it out of its relive.toml and deploy with --delete-data",
            )
        await self._providers[state.type].delete(state.name)
        await self._blocking(self._registry.forget_resource, state.name)
