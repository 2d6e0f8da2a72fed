"""Published versions, and the aliases that lead to them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from relive_base.errors import NotFound, UsageError

from relive_platform.api.aws.errors import AwsError
from relive_platform.api.aws.functions.catalog import Catalog, page
from relive_platform.api.aws.functions.configuration import configuration, listed, revision_of
from relive_platform.api.aws.functions.names import arn_of, named
from relive_platform.api.aws.service import Call, Operation
from relive_platform.engine.qualifiers import LATEST
from relive_platform.registry import Alias, FunctionVersion
from relive_platform.registry.aliases import AliasExists, check_alias

__all__ = ["Versions"]


class Versions:
    """A published version is a version of Relive, with its number: numbers rise, and may have gaps."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def operations(self) -> Mapping[str, Operation]:
        """By their names."""
        return {
            "CreateAlias": self.create_alias,
            "DeleteAlias": self.delete_alias,
            "GetAlias": self.get_alias,
            "ListAliases": self.list_aliases,
            "ListVersionsByFunction": self.list,
            "PublishVersion": self.publish,
            "UpdateAlias": self.update_alias,
        }

    async def publish(self, call: Call) -> Mapping[str, Any]:
        """The version in service; the same one again if nothing has changed since."""
        _, version = self._catalog.function(call)
        self._catalog.check_revision(call, revision_of(version))
        wanted = call.get("CodeSha256")
        if wanted and wanted != configuration(call, version)["CodeSha256"]:
            raise AwsError(
                "InvalidParameterValueException",
                f"CodeSHA256 ({wanted}) is different from current CodeSHA256 in $LATEST"
                f" ({configuration(call, version)['CodeSha256']})."
                " Please try again with the CodeSHA256 in $LATEST.",
            )
        note = await asyncio.to_thread(self._catalog.publish, version, str(call.get("Description") or ""))
        return configuration(call, version, str(version.version), note)

    async def list(self, call: Call) -> Mapping[str, Any]:
        """$LATEST, then the published ones."""
        _, latest = self._catalog.function(call)
        found = [listed(call, latest, LATEST)]
        for version in self._catalog.versions(latest):
            note = self._catalog.published(version.name, version.version)
            found.append(listed(call, version, str(version.version), note))
        return page(call, found, "Versions")

    # ------------------------------------------------------------ aliases

    async def create_alias(self, call: Call) -> Mapping[str, Any]:
        """A new one."""
        name = named(call)
        wanted = str(call.params["FunctionVersion"])
        latest = self._catalog.latest(call, replace(name, qualifier=wanted))
        alias = self._asked(call, Alias(function=name.name, name=call.params["Name"], version=0), latest)
        try:
            written = await asyncio.to_thread(self._catalog.aliases.create, alias)
        except AliasExists as error:
            arn = arn_of(call, name.name, alias.name)
            raise AwsError("ResourceConflictException", f"Alias already exists: {arn}", 409) from error
        return _described(call, written, latest)

    async def update_alias(self, call: Call) -> Mapping[str, Any]:
        """What the request says of it."""
        _, latest = self._catalog.function(call)
        before = self._catalog.alias(latest.name, call.params["Name"])
        if before is None:
            arn = arn_of(call, latest.name, call.params["Name"])
            raise AwsError("ResourceNotFoundException", f"Alias not found: {arn}", 404)
        self._catalog.check_revision(call, before.revision)
        alias = self._asked(call, before, latest)
        return _described(call, await asyncio.to_thread(self._catalog.aliases.put, alias), latest)

    async def get_alias(self, call: Call) -> Mapping[str, Any]:
        """One."""
        _, latest = self._catalog.function(call)
        return _described(call, self._found(call, latest), latest)

    async def delete_alias(self, call: Call) -> None:
        """Nothing is wrong if it is not there."""
        name, _ = self._catalog.function(call)
        await asyncio.to_thread(self._catalog.aliases.remove, name.name, call.params["Name"])

    async def list_aliases(self, call: Call) -> Mapping[str, Any]:
        """All of a function, or those that lead to one version."""
        name, latest = self._catalog.function(call)
        wanted = call.get("FunctionVersion")
        aliases = [
            _described(call, alias, latest)
            for alias in self._catalog.aliases.of(name.name)
            if not wanted or wanted in [str(alias.version), *map(str, alias.weights)]
        ]
        return page(call, aliases, "Aliases")

    def _found(self, call: Call, latest: FunctionVersion) -> Alias:
        alias = self._catalog.alias(latest.name, call.params["Name"])
        if alias is None:
            arn = arn_of(call, latest.name, call.params["Name"])
            raise AwsError("ResourceNotFoundException", f"Cannot find alias arn: {arn}", 404)
        return alias

    def _asked(self, call: Call, before: Alias, latest: FunctionVersion) -> Alias:
        """`before`, with what the request says. Raises AwsError."""
        alias = before
        if call.get("FunctionVersion"):
            alias = replace(alias, version=_number(call.params["FunctionVersion"], latest))
        if call.get("Description") is not None:
            alias = replace(alias, description=call.params["Description"])
        routing = call.get("RoutingConfig")
        if routing is not None:
            shares = routing.get("AdditionalVersionWeights") or {}
            if len(shares) > 1:
                raise AwsError(
                    "InvalidParameterValueException",
                    "Number of items in AdditionalVersionWeights cannot be greater than 1",
                )
            weights = {_number(version, latest): float(share) for version, share in shares.items()}
            if alias.version in weights:
                raise AwsError(
                    "InvalidParameterValueException",
                    f"Invalid function version {alias.version}. Function version {alias.version} is already"
                    " included in routing configuration.",
                )
            alias = replace(alias, weights=weights)
        if alias.weights and alias.version == 0:
            raise AwsError(
                "InvalidParameterValueException",
                "$LATEST is not supported for an alias pointing to more than 1 version",
            )
        try:
            check_alias(alias, lambda number: number == 0 or self._catalog.is_published(latest, number))
        except NotFound as error:
            number = next(
                iter(
                    v
                    for v in (alias.version, *alias.weights)
                    if v and not self._catalog.is_published(latest, v)
                ),
                "",
            )
            arn = arn_of(call, latest.name, str(number))
            raise AwsError("ResourceNotFoundException", f"Function not found: {arn}", 404) from error
        except UsageError as error:
            raise AwsError("InvalidParameterValueException", error.message) from error
        return alias


def _number(text: str, latest: FunctionVersion) -> int:
    """0 stands for $LATEST: an alias of it follows what is in service."""
    if text == LATEST:
        return 0
    if not (text.isascii() and text.isdigit()):
        raise AwsError("InvalidParameterValueException", f"{text[:64]!r} is not the number of a version")
    return int(text[:10])


def _described(call: Call, alias: Alias, latest: FunctionVersion) -> dict[str, Any]:
    found: dict[str, Any] = {
        "AliasArn": arn_of(call, alias.function, alias.name),
        "Name": alias.name,
        "FunctionVersion": str(alias.version) if alias.version else LATEST,
        "Description": alias.description,
        "RevisionId": alias.revision,
    }
    if alias.weights:
        shares = {str(version): share for version, share in alias.weights.items()}
        found["RoutingConfig"] = {"AdditionalVersionWeights": shares}
    return found
