"""Layers: zips whose `python` folder lies on the path of the functions that name them."""

from __future__ import annotations

import asyncio
import functools
import hashlib
import importlib.util
import os
import secrets
import shutil
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from relive_platform.api.aws.errors import AwsError
from relive_platform.api.aws.functions.catalog import Catalog, page, stamp
from relive_platform.api.aws.functions.names import layer_arn, resource_missing, resource_name
from relive_platform.api.aws.functions.packages import Package, download, unpacked
from relive_platform.api.aws.service import Call, Operation
from relive_platform.registry.packages.content import open_to_read, remove_tree
from relive_platform.registry.packages.dependencies import InstalledDependencies

__all__ = ["Layers"]

_KIND: Final = "layer"
_MOST: Final = 5
_ARN_PARTS: Final = 8
_RUNTIME: Final = ("boto3", "botocore", "s3transfer", "jmespath", "urllib3", "dateutil", "six")


class Layers:
    """Kept in the home's `layers/NAME/VERSION`; what a function has of them is one folder in `deps/`."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._notes = catalog.notes
        self._home = catalog.platform.home
        self._lock = asyncio.Lock()
        self._building = threading.Lock()

    def operations(self) -> Mapping[str, Operation]:
        """By their names."""
        return {
            "DeleteLayerVersion": self.delete,
            "GetLayerVersion": self.get,
            "GetLayerVersionByArn": self.get_by_arn,
            "ListLayerVersions": self.list_versions,
            "ListLayers": self.list_layers,
            "PublishLayerVersion": self.publish,
        }

    async def publish(self, call: Call) -> Mapping[str, Any]:
        """The next version of a layer."""
        name = _layer_name(call.params["LayerName"])
        package = await download(self._catalog.platform, call, call.params["Content"], "layer content")
        async with self._lock:
            number = self._highest(name) + 1
            wanted = ("Description", "CompatibleRuntimes", "LicenseInfo", "CompatibleArchitectures")
            document = {
                **{key: call.params[key] for key in wanted if key in call.params},
                "size": len(package.data),
                "sha256": package.sha256,
                "created_ns": time.time_ns(),
            }
            await asyncio.to_thread(self._keep, name, number, package, document)
        return self._described(call, name, number, document)

    def _highest(self, name: str) -> int:
        """Of the numbers that were ever given."""
        return int((self._notes.get("layer-count", name) or {"value": 0})["value"])

    def _keep(self, name: str, number: int, package: Package, document: dict[str, Any]) -> None:
        folder = unpacked(self._catalog.platform, package)
        with self._catalog.zips.keeping(package.hexadecimal, package.data):
            place = self._home / "layers" / name / str(number)
            place.parent.mkdir(parents=True, exist_ok=True)
            remove_tree(place)
            os.rename(folder, place)
            self._notes.put("layer-count", name, "", {"value": number})
            self._notes.put(_KIND, name, f"{number:010d}", document)

    async def get(self, call: Call) -> Mapping[str, Any]:
        """One version."""
        name, number = _layer_name(call.params["LayerName"]), _number(call)
        return self._described(call, name, number, self._found(call, name, number))

    async def get_by_arn(self, call: Call) -> Mapping[str, Any]:
        """The same, by its ARN."""
        name, number = _version_of(call.params["Arn"])
        _check_owner(call, call.params["Arn"])
        if call.params["Arn"] != layer_arn(call, name, number):
            raise resource_missing()
        return self._described(call, name, number, self._found(call, name, number))

    async def delete(self, call: Call) -> None:
        """Functions that have it keep it."""
        name, number = _layer_name(call.params["LayerName"]), _number(call)
        await asyncio.to_thread(self._notes.drop, _KIND, name, f"{number:010d}")
        await asyncio.to_thread(remove_tree, self._home / "layers" / name / str(number))
        await self._catalog.sweep()

    async def list_versions(self, call: Call) -> Mapping[str, Any]:
        """The newest first."""
        name = _layer_name(call.params["LayerName"])
        found = [
            self._listed(call, name, int(key), document)
            for key, document in reversed(self._notes.of(_KIND, name).items())
            if _fits(call, document)
        ]
        return page(call, found, "LayerVersions")

    async def list_layers(self, call: Call) -> Mapping[str, Any]:
        """Each layer with its newest version."""
        newest: dict[str, dict[str, Any]] = {}
        for name, key, document in self._notes.all(_KIND):
            if _fits(call, document):
                newest[name] = self._listed(call, name, int(key), document)
        layers = [
            {"LayerName": name, "LayerArn": layer_arn(call, name), "LatestMatchingVersion": found}
            for name, found in newest.items()
        ]
        return page(call, layers, "Layers")

    def _found(self, call: Call, name: str, number: int) -> dict[str, Any]:
        found = self._notes.get(_KIND, name, f"{number:010d}")
        if found is None:
            raise resource_missing()
        return found

    def _listed(self, call: Call, name: str, number: int, document: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "LayerVersionArn": layer_arn(call, name, number),
            "Version": number,
            "CreatedDate": stamp(document["created_ns"]),
            **{key: value for key, value in document.items() if key[0].isupper()},
        }

    def _described(self, call: Call, name: str, number: int, document: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "LayerArn": layer_arn(call, name),
            "Description": "",
            **self._listed(call, name, number, document),
            "Content": {
                "Location": self._catalog.location(call, document["sha256"]),
                "CodeSha256": document["sha256"],
                "CodeSize": document["size"],
            },
        }

    # ------------------------------------------------------------ of functions

    def describe(self, call: Call, arns: list[str]) -> list[dict[str, Any]]:
        """As a configuration lists them. Raises AwsError."""
        if len(arns) > _MOST:
            raise AwsError("InvalidParameterValueException", f"Cannot reference more than {_MOST} layers.")
        found = []
        named: dict[str, str] = {}
        for arn in arns:
            name, number = _version_of(arn)
            document = self._notes.get(_KIND, name, f"{number:010d}")
            _check_owner(call, arn)
            if arn.split(":")[3] != call.region:
                raise AwsError(
                    "InvalidParameterValueException",
                    "Layers are not in the same region as the function."
                    f" Layers are expected to be in region {call.region}.",
                )
            if document is None or arn != layer_arn(call, name, number):
                raise AwsError("InvalidParameterValueException", f"Layer version {arn} does not exist.")
            if name in named:
                raise AwsError(
                    "InvalidParameterValueException",
                    "Two different versions of the same layer are not allowed to be referenced in the same"
                    f" function. {named[name]} and {arn} are versions of the same layer.",
                )
            named[name] = arn
            found.append({"Arn": arn, "CodeSize": document["size"]})
        return found

    def check_size(self, code: Path, arns: list[str]) -> None:
        """Code and layers together are limited. It blocks. Raises AwsError."""
        limit = self._catalog.platform.unpacked_bytes
        size = sum(map(_size, [code, *map(self._place, arns)]))
        if size > limit:
            raise AwsError(
                "InvalidParameterValueException", f"Unzipped size must be smaller than {limit} bytes"
            )

    def _place(self, arn: str) -> Path:
        name, number = _version_of(arn)
        return self._home / "layers" / name / str(number)

    def installed(self, arns: list[str], *, python: bool) -> InstalledDependencies:
        """One folder with the Python code of all of them, a later one over those before, and below them what
        Lambda's own Python has: boto3, if it is installed here. Not `python`: all of what they hold, as
        Lambda has it in /opt. It blocks."""
        if not python and not arns:
            return InstalledDependencies()
        base = _runtime_packages() if python else []
        named = [*arns, *map(str, base), str(python)]
        digest = hashlib.sha256("\n".join(named).encode()).hexdigest()[:32]
        folder = self._home / "deps" / digest
        with self._building:
            if not folder.is_dir():
                draft = folder.with_name(f".{digest}.{secrets.token_hex(4)}")
                draft.mkdir(parents=True)
                for package in base:
                    _copy(package, draft / package.name)
                for place in map(self._place, arns):
                    for inner in _python_folders(place) if python else [place]:
                        shutil.copytree(inner, draft, dirs_exist_ok=True)
                open_to_read(draft)
                os.rename(draft, folder)
        return InstalledDependencies(str(folder), digest)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


@functools.cache
def _runtime_packages() -> list[Path]:
    """boto3 and what it needs, as they are installed beside Relive; none if boto3 is not."""
    if importlib.util.find_spec("boto3") is None:
        return []
    found = []
    for name in _RUNTIME:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.origin:
            place = Path(spec.origin)
            found.append(place.parent if place.name == "__init__.py" else place)
    return found


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy2(source, target)


def _check_owner(call: Call, arn: str) -> None:
    """Layers of other accounts are not ours to give."""
    parts = arn.split(":")
    if len(parts) == _ARN_PARTS and parts[4] != call.account:
        raise AwsError(
            "AccessDeniedException",
            f"not authorized to perform: lambda:GetLayerVersion on resource: {arn[:200]}",
            403,
        )


def _number(call: Call) -> int:
    """The version that a request names. Raises AwsError."""
    number = int(call.params["VersionNumber"])
    if number < 1:
        raise AwsError("InvalidParameterValueException", "Layer Version Cannot be less than 1")
    return number


def _python_folders(place: Path) -> list[Path]:
    """What Lambda puts on the path: `python`, and the site-packages below it, which come first there."""
    python = place / "python"
    found = [*sorted(python.glob("lib/python3*/site-packages"))]
    return [folder for folder in (python, *found) if folder.is_dir()]


def _layer_name(text: str) -> str:
    return resource_name(text)[1] or text


def _version_of(arn: str) -> tuple[str, int]:
    parts = arn.split(":")
    if len(parts) != _ARN_PARTS or not parts[7].isdigit():
        raise AwsError("InvalidParameterValueException", f"{arn[:200]!r} is not the ARN of a layer's version")
    return parts[6], int(parts[7])


def _fits(call: Call, document: Mapping[str, Any]) -> bool:
    for asked, kept in (
        ("CompatibleRuntime", "CompatibleRuntimes"),
        ("CompatibleArchitecture", "CompatibleArchitectures"),
    ):
        if call.get(asked) and call.params[asked] not in document.get(kept, [call.params[asked]]):
            return False
    return True
