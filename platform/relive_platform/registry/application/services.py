"""What `relive.toml` says of a service: `app` and what only services have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from relive_runtime.adapters.table import GRPC, SERVICE

from relive_platform.registry.application.lines import KeyPath

__all__ = ["service_problems"]

_OF_GRPC: Final = ("capacity", "stop_timeout_s")
_OF_SERVICES: Final = (
    "app",
    "capacity",
    "websockets",
    "interface",
    "idle_timeout_s",
    "disconnect_timeout_s",
    "stop_timeout_s",
)


def service_problems(table: Mapping[str, Any]) -> Iterator[tuple[KeyPath, str, str]]:
    """(key below the function's table, message, hint); types and ranges have been checked."""
    kind = table.get("kind")
    if kind != SERVICE:
        for name in [one for one in _OF_SERVICES if kind != GRPC or one not in _OF_GRPC]:
            if name in table:
                hint = f'say kind = "{SERVICE}", or leave {name} out'
                yield (name,), f"{name} is for services, and this is none", hint
        if "handler" not in table and "app" not in table:
            yield (), "the function has no handler", "add handler: `module:attribute`, such as cart:handler"
        yield from _grpc_problems(table)
        return
    if table.get("interface") == "wsgi" and "websockets" in table:
        yield ("websockets",), "websockets is for ASGI services: WSGI has none", "leave websockets out"
    if "app" in table and "handler" in table:
        yield ("handler",), "app and handler both name the application", "leave handler out"
    if "app" not in table and "handler" not in table:
        yield (), "the service has no app", "add app: `module:attribute`, such as main:app"


def _grpc_problems(table: Mapping[str, Any]) -> Iterator[tuple[KeyPath, str, str]]:
    """A gRPC service has a port of its own, and nothing else calls it."""
    for index, trigger in enumerate(table.get("triggers", ())):
        given = trigger.get("type")
        if table.get("kind") == GRPC and given != GRPC:
            message = f"a gRPC service takes calls of gRPC, and no {given} trigger"
            yield ("triggers", index, "type"), message, "make it another function, which calls the service"
        elif table.get("kind") != GRPC and given == GRPC:
            yield (
                ("triggers", index, "type"),
                "only a gRPC service has a grpc trigger",
                f'say kind = "{GRPC}"',
            )
