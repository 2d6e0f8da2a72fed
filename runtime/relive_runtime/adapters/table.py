"""Every kind of handler. A new one: a module with its adapter, and a line here."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, cast

import msgspec
from relive_base.errors import ReliveError

if TYPE_CHECKING:
    from relive_runtime.adapters.base import Adapter
    from relive_runtime.adapters.loaded import Loaded
    from relive_runtime.adapters.service.adapter import ServiceAdapter

__all__ = [
    "KINDS",
    "SERVICE",
    "Kind",
    "UnknownKind",
    "adapter_for",
    "preload",
]

SERVICE: Final = "service"
"""The kind whose attempts run beside each other."""


class UnknownKind(ReliveError):
    """A function is of a kind that this version of Relive does not have."""

    __module__ = "builtins"  # users read its bare name


class Kind(msgspec.Struct, frozen=True):
    """How its handlers are written, and "module:class" of the adapter, which is made of a `Loaded`. By name:
    who reads a configuration imports none."""

    signature: str
    adapter: str


KINDS: Final[dict[str, Kind]] = {
    "event": Kind("handler(event, context)", "relive_runtime.adapters.event.adapter:EventAdapter"),
    "http": Kind("handler(request)", "relive_runtime.adapters.http.adapter:HttpAdapter"),
    SERVICE: Kind(
        "app, an application of ASGI or WSGI", "relive_runtime.adapters.service.adapter:service_adapter"
    ),
}
"""By `FunctionSpec.kind`: `kind` in relive.toml."""


def adapter_for(loaded: Loaded) -> Adapter | ServiceAdapter:
    """What calls a handler. Raises UnknownKind."""
    kind = KINDS.get(loaded.spec.kind)
    if kind is None:
        raise UnknownKind(
            f"no handler is of the kind {loaded.spec.kind!r}",
            where=loaded.spec.name,
            hint=f"use one of {', '.join(KINDS)}",
        )
    return _maker_of(kind)(loaded)


def preload() -> None:
    """In the zygote: import every adapter, so that no worker has to."""
    for kind in KINDS.values():
        _maker_of(kind)


def _maker_of(kind: Kind) -> Callable[[Loaded], Adapter | ServiceAdapter]:
    module, _, name = kind.adapter.partition(":")
    return cast(
        "Callable[[Loaded], Adapter | ServiceAdapter]", getattr(importlib.import_module(module), name)
    )
