"""Every kind of handler. A new one: a module with its adapter, and a line here."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, NoReturn

import msgspec
from relive_base.errors import ReliveError

if TYPE_CHECKING:
    from relive_runtime.adapters.base import Adapter
    from relive_runtime.adapters.loaded import Loaded
    from relive_runtime.adapters.service.adapter import ServiceAdapter
    from relive_runtime.zygote.options import WorkerStart

__all__ = [
    "BESIDE",
    "GRPC",
    "KINDS",
    "OUTSIDE",
    "SERVICE",
    "Kind",
    "UnknownKind",
    "adapter_for",
    "has_python",
    "host_of",
    "preload",
]

SERVICE: Final = "service"
GRPC: Final = "grpc"
BESIDE: Final = frozenset((SERVICE, GRPC))
"""Kinds whose attempts run beside each other in a worker."""


class UnknownKind(ReliveError):
    """A function is of a kind that this version of Relive does not have."""

    __module__ = "builtins"  # users read its bare name


class Kind(msgspec.Struct, frozen=True):
    """How its handlers are written, and "module:class" of the adapter, which is made of a `Loaded`. By name:
    who reads a configuration imports none.

    `host`: "module:function" that is the worker from its first line on, for what is no handler in Python.
    """

    signature: str
    adapter: str = ""
    host: str = ""


KINDS: Final[dict[str, Kind]] = {
    "event": Kind("handler(event, context)", "relive_runtime.adapters.event.adapter:EventAdapter"),
    "http": Kind("handler(request)", "relive_runtime.adapters.http.adapter:HttpAdapter"),
    SERVICE: Kind(
        "app, an application of ASGI or WSGI", "relive_runtime.adapters.service.adapter:service_adapter"
    ),
    "custom": Kind("any program that speaks AWS Lambda's Runtime API", host="relive_runtime.custom.host:run"),
    GRPC: Kind(
        "serve(), which starts a server of grpc.aio, or register(server)",
        "relive_runtime.adapters.grpc.adapter:GrpcAdapter",
    ),
}
"""By `FunctionSpec.kind`: `kind` in relive.toml."""

OUTSIDE: Final[dict[str, Kind]] = {
    "call": Kind("function(*args, **kwargs)", "relive_runtime.adapters.outside.calls:CallAdapter"),
    "request": Kind(
        "app, an application of ASGI or WSGI", "relive_runtime.adapters.outside.requests:RequestAdapter"
    ),
}
"""Of what was recorded outside of Relive, and is run again one at a time. No relive.toml has these."""


def adapter_for(loaded: Loaded) -> Adapter | ServiceAdapter:
    """What calls a handler. Raises UnknownKind."""
    kind = KINDS.get(loaded.spec.kind) or OUTSIDE.get(loaded.spec.kind)
    if kind is None or not kind.adapter:
        raise UnknownKind(
            f"no handler is of the kind {loaded.spec.kind!r}",
            where=loaded.spec.name,
            hint=f"use one of {', '.join(KINDS)}",
        )
    made: Adapter | ServiceAdapter = _named(kind.adapter)(loaded)
    return made


def has_python(name: str) -> bool:
    """Whether workers of this kind run the user's code in a Python of ours, which can be looked into."""
    kind = KINDS.get(name)
    return kind is None or not kind.host


def host_of(name: str) -> Callable[[WorkerStart], NoReturn] | None:
    """What a worker of this kind is, if it runs no handler in Python."""
    kind = KINDS.get(name)
    return _named(kind.host) if kind is not None and kind.host else None


def preload() -> None:
    """In the zygote: import every adapter and every host, so that no worker has to."""
    for kind in (*KINDS.values(), *OUTSIDE.values()):
        _named(kind.adapter or kind.host)


def _named(text: str) -> Any:
    module, _, name = text.partition(":")
    return getattr(importlib.import_module(module), name)
