"""The OpenTelemetry resource of a function's worker: what its spans and log lines have in common."""

from __future__ import annotations

import os
from functools import lru_cache
from typing import Final
from urllib.parse import unquote

__all__ = ["host_name", "parse_resource_attributes", "relive_version", "resource_attributes", "sdk_version"]

_PAIRS: Final = 128
_CHARS: Final = 1_024


def parse_resource_attributes(text: str) -> dict[str, str]:
    """The pairs of OTEL_RESOURCE_ATTRIBUTES: `key=value,key=value`, percent-encoded; what is no pair is
    left out, as the specification says."""
    found: dict[str, str] = {}
    for part in text.split(","):
        name, equals, value = part.partition("=")
        name = unquote(name.strip())
        if equals and name and len(found) < _PAIRS:
            found[name[:_CHARS]] = unquote(value.strip())[:_CHARS]
    return found


def resource_attributes(
    name: str,
    version: int,
    app: str,
    code_hash: str,
    instance: str,
    given: str = "",
    own: str = "",
    *,
    sdk_version: str = "",
    distro_version: str = "",
) -> dict[str, str]:
    """Of one worker. `given`, `own`: OTEL_RESOURCE_ATTRIBUTES of the server and of the function, the second
    before the first; neither changes whose telemetry it is. `instance`: the worker's id, "" for none."""
    resource = {
        "host.name": host_name(),
        "telemetry.sdk.name": "opentelemetry",
        "telemetry.sdk.language": "python",
        "telemetry.sdk.version": sdk_version,
        "telemetry.distro.name": "relive",
        "telemetry.distro.version": distro_version,
        **parse_resource_attributes(given),
        **parse_resource_attributes(own),
        "service.name": name,
        "service.version": str(version),
        "faas.name": name,
        "faas.version": str(version),
    }
    if app:
        resource["service.namespace"] = app
    if code_hash:
        resource["relive.code_hash"] = code_hash
    if instance:
        resource["service.instance.id"] = resource["faas.instance"] = instance
    return {key: value for key, value in resource.items() if value}


@lru_cache(maxsize=1)
def host_name() -> str:
    """Of this machine."""
    return os.uname().nodename


@lru_cache(maxsize=1)
def relive_version() -> str:
    """Of the installed distribution. Not for the record side, which imports little and is told."""
    return _version_of("relive")


@lru_cache(maxsize=1)
def sdk_version() -> str:
    """Of the OpenTelemetry SDK that is installed with Relive; a function may bring another one."""
    return _version_of("opentelemetry-sdk")


def _version_of(distribution: str) -> str:
    import importlib.metadata

    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return ""
