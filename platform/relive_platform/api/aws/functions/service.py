"""All operations of Lambda's API that Relive serves."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping

from relive_platform.api.aws.functions.attached import EventConfigs, Urls
from relive_platform.api.aws.functions.catalog import Catalog, Platform
from relive_platform.api.aws.functions.concurrency import Concurrency
from relive_platform.api.aws.functions.creating import Creating
from relive_platform.api.aws.functions.invoking import Invoking
from relive_platform.api.aws.functions.layer_policies import LayerPolicies
from relive_platform.api.aws.functions.layers import Layers
from relive_platform.api.aws.functions.mappings import Mappings
from relive_platform.api.aws.functions.stored import Stored
from relive_platform.api.aws.functions.versions import Versions
from relive_platform.api.aws.service import Operation, Reply

__all__ = ["LambdaService"]


class LambdaService:
    """An AwsService."""

    name = "lambda"
    for_functions: Collection[str] = ("Invoke", "InvokeAsync", "InvokeWithResponseStream")
    unchecked: Collection[str] = (
        "Arn", "CodeSigningConfigArn", "FileSystemArn", "KMSKeyArn", "LocalMountPath",
        "LogGroup", "OrganizationId", "PrincipalOrgID", "ResourceArn", "SourceOwner",
    )  # fmt: skip

    def __init__(self, platform: Platform) -> None:
        catalog = Catalog(platform)
        self._zips = catalog.zips
        layers = Layers(catalog)
        self._parts = (
            Invoking(catalog),
            Creating(catalog, layers),
            Versions(catalog),
            EventConfigs(catalog),
            Urls(catalog),
            Concurrency(catalog),
            layers,
            LayerPolicies(catalog),
            Mappings(catalog),
            Stored(catalog),
        )

    async def download(self, path: str) -> Reply | None:
        """The zip of a function or a layer."""
        place = self._zips.at(path)
        if place is None:
            return None
        return Reply(await asyncio.to_thread(place.read_bytes), {"content-type": "application/zip"})

    def operations(self) -> Mapping[str, Operation]:
        """By the model's names."""
        return {name: work for part in self._parts for name, work in part.operations().items()}
