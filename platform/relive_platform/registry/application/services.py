"""What `relive.toml` says of a service: `app` and what only services have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from relive_runtime.adapters.table import SERVICE

from relive_platform.registry.application.lines import KeyPath

__all__ = ["service_problems"]

_OF_SERVICES: Final = ("app", "capacity", "interface", "idle_timeout_s", "stop_timeout_s")


def service_problems(table: Mapping[str, Any]) -> Iterator[tuple[KeyPath, str, str]]:
    """(key below the function's table, message, hint); types and ranges have been checked."""
    if table.get("kind") != SERVICE:
        for name in _OF_SERVICES:
            if name in table:
                hint = f'say kind = "{SERVICE}", or leave {name} out'
                yield (name,), f"{name} is for services, and this is none", hint
        if "handler" not in table and "app" not in table:
            yield (), "the function has no handler", "add handler: `module:attribute`, such as cart:handler"
        return
    if "app" in table and "handler" in table:
        yield ("handler",), "app and handler both name the application", "leave handler out"
    if "app" not in table and "handler" not in table:
        yield (), "the service has no app", "add app: `module:attribute`, such as main:app"
