"""Which interface an application has, and what calls it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Final, Protocol

from relive_base.errors import ReliveError

from relive_runtime.adapters.asgi.adapter import AsgiAdapter
from relive_runtime.adapters.loaded import Loaded
from relive_runtime.adapters.wsgi.adapter import WsgiAdapter
from relive_runtime.worker.beside.desk import Desk

__all__ = ["ServiceAdapter", "UnknownInterface", "interface_of", "service_adapter"]

_ASGI_PARAMETERS: Final = 3
_WSGI_PARAMETERS: Final = 2


class UnknownInterface(ReliveError):
    """The application is neither ASGI nor WSGI."""

    __module__ = "builtins"  # users read its bare name


class ServiceAdapter(Protocol):
    """An adapter whose attempts run beside each other."""

    @property
    def capacity(self) -> int:
        """How many of them at once."""

    @property
    def websockets(self) -> bool:
        """Whether it takes some, beside those."""

    @property
    def wire(self) -> str:
        """The port where it listens for connections that are joined to it; "" if it does not."""

    def serve_beside(self, desk: Desk) -> None:
        """Run what comes until there is no more. Raises ChannelClosed if the server is gone."""


def service_adapter(loaded: Loaded) -> ServiceAdapter:
    """What calls the application of a service. Raises UnknownInterface, and what the application raises as it
    starts."""
    spec = loaded.spec
    application = made(loaded.function)
    interface = spec.interface or interface_of(application)
    if interface == "asgi":
        return AsgiAdapter(application, spec, travels=loaded.travels)
    if interface == "wsgi":
        return WsgiAdapter(application, spec)
    raise UnknownInterface(
        f"{spec.handler} takes neither (scope, receive, send) nor (environ, start_response)",
        where=spec.name,
        hint='name the application itself, such as app = "main:app"; interface = "asgi" or "wsgi" says which',
    )


def made(found: Callable[..., Any]) -> Callable[..., Any]:
    """The application: `found`, or what it gives if it is a factory, which takes nothing."""
    if inspect.isclass(found) or not callable(found):
        return found
    if inspect.isfunction(found) and _parameters(found) == 0 and not inspect.iscoroutinefunction(found):
        application: Callable[..., Any] = found()
        return application
    return found


def interface_of(application: Callable[..., Any]) -> str:
    """ "asgi", "wsgi", or "" if it is neither."""
    if inspect.iscoroutinefunction(application):
        return "asgi"
    call = getattr(type(application), "__call__", None)  # noqa: B004 - the method of an object that is called
    if inspect.iscoroutinefunction(call):
        return "asgi"
    count = _parameters(application)
    if count == _ASGI_PARAMETERS:
        return "asgi"
    if count == _WSGI_PARAMETERS:
        return "wsgi"
    return "asgi" if count == 1 else ""  # a double callable of ASGI 2


def _parameters(function: Callable[..., Any]) -> int:
    """How many positional ones it wants; -1 if it does not say."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return -1
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(one.kind in kinds and one.default is inspect.Parameter.empty for one in parameters)
