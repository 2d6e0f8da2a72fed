"""Functions are created, changed, described, listed and deleted."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Final

import msgspec
from relive_base.errors import ReliveError

from relive_platform.api.aws.errors import AwsError
from relive_platform.api.aws.functions.catalog import APPLICATION, Catalog, page
from relive_platform.api.aws.functions.configuration import (
    KEPT,
    configuration,
    listed,
    logging_config,
    revision_of,
)
from relive_platform.api.aws.functions.layers import Layers
from relive_platform.api.aws.functions.names import Named, arn_of, named
from relive_platform.api.aws.functions.packages import Package, download, unpacked
from relive_platform.api.aws.functions.runtimes import handler_of, kind_of, program_of
from relive_platform.api.aws.functions.stored import MOST_TAGS
from relive_platform.api.aws.functions.targets import check_dead_letters
from relive_platform.api.aws.service import Call, Operation
from relive_platform.engine.qualifiers import LATEST
from relive_platform.registry import FunctionVersion
from relive_platform.registry.application.model import FunctionConfig
from relive_platform.registry.packages.content import remove_tree

__all__ = ["Creating"]

_LONGEST_NAME: Final = 64
_TIMEOUT_S: Final = 3
_LONGEST_S: Final = 900
_MEMORY_MB: Final = 128
_ENVIRONMENT_BYTES: Final = 4096
_RESERVED: Final = frozenset(
    ("_HANDLER", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_EXECUTION_ENV", "AWS_LAMBDA_FUNCTION_NAME",
     "AWS_LAMBDA_FUNCTION_VERSION", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_INITIALIZATION_TYPE",
     "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR",
     "AWS_LAMBDA_RUNTIME_API", "_X_AMZN_TRACE_ID")
)  # fmt: skip


class Creating:
    """Each change of a function is a new version in service: what has run stays as it was."""

    def __init__(self, catalog: Catalog, layers: Layers) -> None:
        self._catalog = catalog
        self._platform = catalog.platform
        self._layers = layers
        self._locks: dict[str, asyncio.Lock] = {}

    def operations(self) -> Mapping[str, Operation]:
        """By their names."""
        return {
            "CreateFunction": self.create,
            "DeleteFunction": self.delete,
            "GetFunction": self.get,
            "GetFunctionConfiguration": self.get_configuration,
            "ListFunctions": self.list,
            "UpdateFunctionCode": self.update_code,
            "UpdateFunctionConfiguration": self.update_configuration,
        }

    def _lock(self, function: str) -> asyncio.Lock:
        """Changes of one function come one after the other."""
        return self._locks.setdefault(function, asyncio.Lock())

    # ------------------------------------------------------------ create

    async def create(self, call: Call) -> Mapping[str, Any]:
        """A new function, in service at once: Relive needs no time to make it active."""
        name = named(call).name
        if len(name) > _LONGEST_NAME:
            raise AwsError(
                "InvalidParameterValueException",
                f"1 validation error detected: Value '{name}' at 'functionName' failed to satisfy constraint:"
                f" Member must have length less than or equal to {_LONGEST_NAME}",
            )
        package = await download(self._platform, call, call.params["Code"], "function code")
        if call.get("PackageType") == "Image":
            raise AwsError("InvalidParameterValueException", "Relive runs no container images")
        if len(call.get("Tags") or {}) > MOST_TAGS:
            raise AwsError("InvalidParameterValueException", "Number of tags exceeds resource tag limit.")
        for needed in ("Runtime", "Handler"):
            if not call.get(needed):
                raise AwsError(
                    "InvalidParameterValueException",
                    f"{needed} is mandatory for functions created with deployment packages (zip).",
                )
        async with self._lock(name):
            config = self._config(call, FunctionConfig(name=name, handler=""), {}, package)
            if name in self._platform.serving():
                raise AwsError("ResourceConflictException", f"Function already exist: {name}", 409)
            version = await asyncio.to_thread(self._put, call, config, package, None)
            if call.get("Tags"):
                self._catalog.notes.put("tags", name, "", dict(call.params["Tags"]))
            described = await self._described(call, version)
            return {**described, "FunctionArn": arn_of(call, name)}  # also of one that is published

    def _config(
        self, call: Call, before: FunctionConfig, kept: Mapping[str, Any], package: Package | None
    ) -> FunctionConfig:
        """The configuration `before`, with what the request says of it. Raises AwsError."""
        params = call.params
        now = {**kept, **{name: params[name] for name in KEPT if name in params and name != "Layers"}}
        if "LoggingConfig" in params:
            now["LoggingConfig"] = logging_config(
                {**kept.get("LoggingConfig", {}), **params["LoggingConfig"]}
            )
        if "Layers" in params:
            now["Layers"] = self._layers.describe(call, list(params["Layers"]))
        check_dead_letters(call, params.get("DeadLetterConfig") or {})
        if package is not None:
            now["CodeSize"], now["CodeSha256"] = len(package.data), package.sha256
        variables = dict((params.get("Environment") or {}).get("Variables") or {})
        if "Environment" in params:
            _check_environment(variables)
            now["Environment"] = {}
        timeout_s = int(params.get("Timeout", 0) or (before.timeout_s if kept else _TIMEOUT_S))
        if timeout_s > _LONGEST_S:
            raise AwsError(
                "ValidationException",
                f"1 validation error detected: Value '{timeout_s}' at 'timeout' failed to satisfy constraint:"
                f" Member must have value less than or equal to {_LONGEST_S}",
            )
        runtime = str(now.get("Runtime", ""))
        handler = str(now.get("Handler", ""))
        for empty in [name for name, value in now.items() if value in ({}, []) and name != "Environment"]:
            del now[empty]
        return msgspec.structs.replace(
            before,
            handler=handler_of(runtime, handler),
            kind=kind_of(runtime),
            runtime=program_of(runtime),
            timeout_s=float(timeout_s),
            memory_mb=int(params.get("MemorySize", 0) or (before.memory_mb if kept else _MEMORY_MB)),
            max_workers=before.max_workers if kept else self._platform.workers,
            environment=variables if "Environment" in params else before.environment,
            lambda_api=now,
        )

    def _put(
        self, call: Call, config: FunctionConfig, package: Package | None, code_dir: Path | None
    ) -> FunctionVersion:
        """The new version in service, with the code of the package or that of another version. It blocks."""
        folder = unpacked(self._platform, package) if package is not None else code_dir
        assert folder is not None
        arns = [layer["Arn"] for layer in config.lambda_api.get("Layers", [])]
        zips = self._catalog.zips
        keeping = zips.keeping(package.hexadecimal, package.data) if package is not None else nullcontext()
        try:
            with keeping:
                self._layers.check_size(folder, arns)
                return self._catalog.registry.put(
                    self._app_of(config.name),
                    msgspec.structs.replace(config, source=str(folder)),
                    self._layers.installed(arns, python=not config.runtime),
                )
        except ReliveError as error:
            raise AwsError("InvalidParameterValueException", str(error)) from error
        finally:
            if package is not None:
                remove_tree(folder)

    def _app_of(self, name: str) -> str:
        current = self._platform.serving().get(name)
        return current.spec.app if current is not None else APPLICATION

    async def _described(self, call: Call, version: FunctionVersion) -> Mapping[str, Any]:
        if not call.get("Publish"):
            return configuration(call, version)
        description = str(call.get("Description") or "")
        note = await asyncio.to_thread(self._catalog.publish, version, description)
        return configuration(call, version, str(version.version), note)

    # ------------------------------------------------------------ change

    async def update_code(self, call: Call) -> Mapping[str, Any]:
        """The same configuration with other code."""
        name, version = self._catalog.function(call)
        package = await download(self._platform, call, call.params, "function code")
        async with self._lock(name.name):
            version = self._catalog.latest(call, name)
            self._catalog.check_revision(call, revision_of(version))
            kept = version.config.lambda_api or _kept_of(version)
            kept = {
                **kept,
                **({"Architectures": call.params["Architectures"]} if call.get("Architectures") else {}),
            }
            config = msgspec.structs.replace(
                version.config,
                lambda_api={**kept, "CodeSize": len(package.data), "CodeSha256": package.sha256},
            )
            if call.get("DryRun"):
                folder = await asyncio.to_thread(unpacked, self._platform, package)
                remove_tree(folder)
                return configuration(call, version)
            version = await asyncio.to_thread(self._put, call, config, package, None)
            described = await self._described(call, version)
            await self._catalog.sweep()
            return described

    async def update_configuration(self, call: Call) -> Mapping[str, Any]:
        """The same code with another configuration."""
        name, _ = self._catalog.function(call)
        async with self._lock(name.name):
            version = self._catalog.latest(call, name)
            self._catalog.check_revision(call, revision_of(version))
            kept = version.config.lambda_api or _kept_of(version)
            config = self._config(call, version.config, kept, None)
            version = await asyncio.to_thread(self._put, call, config, None, Path(version.code_dir))
            return configuration(call, version)

    async def delete(self, call: Call) -> Mapping[str, Any]:
        """A function, or one of its published versions. What was recorded of it stays."""
        name = named(call)
        if name.qualifier == LATEST:
            raise AwsError(
                "InvalidParameterValueException",
                "$LATEST version cannot be deleted without deleting the function.",
            )
        latest = self._catalog.latest(call, Named(name.name))
        async with self._lock(name.name):
            if not name.qualifier:
                undeploy = self._catalog.registry.undeploy
                await asyncio.to_thread(lambda: undeploy(name.name, forget=True))
                await self._platform.mappings_changed()
                await self._catalog.sweep()
                return {"StatusCode": 204}
            self._check_unnamed(call, name)
            self._check_own(latest, name)
            if name.qualifier.isdigit():
                await asyncio.to_thread(self._catalog.withdraw, name.name, int(name.qualifier))
                await self._catalog.sweep()
            return {"StatusCode": 204}

    def _check_own(self, latest: FunctionVersion, name: Named) -> None:
        """Versions of `relive deploy` are there to be rolled back to."""
        number = int(name.qualifier)
        if not latest.config.lambda_api and number in self._catalog.registry.numbers(name.name):
            raise AwsError(
                "ResourceConflictException",
                f"Version {number} was put in service by relive deploy, and is kept to roll back to:"
                " it goes with the function.",
                409,
            )

    def _check_unnamed(self, call: Call, name: Named) -> None:
        """An alias needs its version."""
        if not name.qualifier.isdigit():
            raise AwsError(
                "InvalidParameterValueException",
                "Only a version can be deleted; DeleteAlias deletes an alias",
            )
        number = int(name.qualifier)
        users = [
            arn_of(call, name.name, alias.name)
            for alias in self._catalog.aliases.of(name.name)
            if number in (alias.version, *alias.weights)
        ]
        if users:
            raise AwsError(
                "ResourceConflictException", f"Version {number} is used by aliases: {', '.join(users)}", 409
            )

    # ------------------------------------------------------------ describe

    async def get_configuration(self, call: Call) -> Mapping[str, Any]:
        """Of the version that is asked for."""
        name = named(call)
        return self._configuration(call, name, self._catalog.qualified(call, name))

    def _configuration(self, call: Call, name: Named, version: FunctionVersion) -> dict[str, Any]:
        """Of an alias: the version that it leads to, with the ARN of the alias."""
        note = self._catalog.published(version.name, version.version) if name.qualifier else None
        qualifier = name.qualifier if name.qualifier in ("", LATEST) else str(version.version)
        found = configuration(call, version, qualifier, note)
        return {**found, "FunctionArn": arn_of(call, name.name, name.qualifier)}

    async def get(self, call: Call) -> Mapping[str, Any]:
        """With the tags, where the code is, and the concurrency that is reserved."""
        name = named(call)
        version = self._catalog.qualified(call, name)
        found: dict[str, Any] = {
            "Configuration": self._configuration(call, name, version),
            "Code": {"RepositoryType": "S3", "Location": self._location(call, version)},
        }
        tags = self._catalog.notes.get("tags", name.name)
        if tags:
            found["Tags"] = tags
        reserved = self._catalog.notes.get("reserved", name.name)
        if reserved is not None:
            found["Concurrency"] = {"ReservedConcurrentExecutions": reserved["value"]}
        return found

    def _location(self, call: Call, version: FunctionVersion) -> str:
        kept = version.config.lambda_api
        return self._catalog.location(call, str(kept.get("CodeSha256", ""))) or f"file://{version.code_dir}"

    async def list(self, call: Call) -> Mapping[str, Any]:
        """The functions in service; all their versions if FunctionVersion is ALL."""
        found = []
        for version in sorted(self._platform.serving().values(), key=lambda version: version.name):
            if call.get("FunctionVersion") != "ALL":
                found.append(listed(call, version))
                continue
            found.append(listed(call, version, LATEST))
            for published in self._catalog.versions(version):
                note = self._catalog.published(version.name, published.version)
                found.append(listed(call, published, str(published.version), note))
        return page(call, found, "Functions")


def _kept_of(version: FunctionVersion) -> dict[str, Any]:
    """Of a function that Lambda's API has not made."""
    return {"Handler": version.spec.handler.replace(":", "."), "Runtime": "python3.11"}


def _check_environment(variables: Mapping[str, str]) -> None:
    taken = sorted(_RESERVED & set(variables))
    if taken:
        raise AwsError(
            "InvalidParameterValueException",
            "Lambda was unable to configure your environment variables because the environment variables you"
            f" have provided contains reserved keys that are currently not supported for modification."
            f" Reserved keys used in this request: {', '.join(taken)}",
        )
    size = len(json.dumps(dict(variables), separators=(",", ":"), ensure_ascii=False).encode())
    if size > _ENVIRONMENT_BYTES:  # without them in the message, as on AWS: they may be secret
        raise AwsError(
            "InvalidParameterValueException",
            "Lambda was unable to configure your environment variables because the environment variables you"
            f" have provided exceeded the {_ENVIRONMENT_BYTES // 1024}KB limit: {size} bytes as JSON.",
        )
