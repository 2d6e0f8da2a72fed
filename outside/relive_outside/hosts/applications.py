"""An application of ASGI or WSGI, wrapped."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any, Final

from relive_outside.hosts.asgi import RecordedAsgi
from relive_outside.hosts.wsgi import RecordedWsgi
from relive_outside.record.recipes import Recipe, root_of
from relive_outside.record.recorder import Recorder

__all__ = ["interface_of", "is_recorded", "recorded_application"]

_NAMES: Final = 2_000
_ASGI_PARAMETERS: Final = 3
_WSGI_PARAMETERS: Final = 2
_MADE: Final = (RecordedAsgi, RecordedWsgi)
_INNER: Final = {"wsgi": ("flask.app.Flask",), "asgi": ("quart.app.Quart",)}


def recorded_application(
    application: Any,
    recorder: Recorder,
    name: str = "",
    *,
    handler: str = "",
    interface: str = "",
) -> Any:
    """What records its requests; None if it is no application, or one that is recorded already. `handler`:
    "module:attribute" where a replay finds it, if the host knows that."""
    if is_recorded(application):
        return None
    interface = interface or interface_of(application)
    if not interface:
        return None
    handler = handler or _found(application)
    module = handler.partition(":")[0]
    settings = recorder.settings
    host = interface if recorder.host == "call" else recorder.host
    recipe = Recipe(
        name or settings.name or module.rpartition(".")[2] or interface,
        handler,
        "request",
        settings.source or root_of(module),
        host,
        trigger="http",
    )
    made = RecordedAsgi if interface == "asgi" else RecordedWsgi
    if _has_inner(application, interface):
        inner = f"{interface}_app"
        setattr(application, inner, made(getattr(application, inner), recipe, recorder))
        return application
    return made(application, recipe, recorder)


def is_recorded(application: Any) -> bool:
    """Whether it is, by itself or by what it calls."""
    own = getattr(application, "__dict__", None)
    inner = [own.get(f"{interface}_app") for interface in _INNER] if type(own) is dict else []
    return type(application) in _MADE or any(type(one) in _MADE for one in inner)


def _has_inner(application: Any, interface: str) -> bool:
    """Whether it is of Flask or Quart, whose attribute for this is made to be wrapped: so
    it stays itself, and `app.run()` is recorded, too."""
    return any(f"{cls.__module__}.{cls.__name__}" in _INNER[interface] for cls in type(application).__mro__)


def interface_of(application: Any) -> str:
    """ "asgi", "wsgi", or "" if it is neither: what else is called with as many is told by the names."""
    import inspect  # here: 20 ms that only servers need

    call = application if inspect.isroutine(application) else getattr(type(application), "__call__", None)  # noqa: B004
    if call is None or inspect.isclass(application):
        return ""
    try:
        parameters = inspect.signature(application).parameters.values()
    except (TypeError, ValueError):
        return ""
    wanted = [
        one.name
        for one in parameters
        if one.default is inspect.Parameter.empty and one.kind is not one.VAR_KEYWORD
    ]
    if len(wanted) == _ASGI_PARAMETERS:
        return "asgi" if wanted[0] == "scope" or wanted[1:] == ["receive", "send"] else ""
    if len(wanted) == _WSGI_PARAMETERS:
        return "wsgi" if wanted[0].startswith("env") or wanted[1].startswith("start_resp") else ""
    return ""


def _found(application: Any) -> str:
    """Which module has it under a name of its own; where it is recorded, the module that is being imported
    gets the name only now: its class or function says the module then."""
    own = getattr(application, "import_name", "")  # of Flask and Quart
    frame = sys._getframe(1)
    while frame is not None:
        name = frame.f_globals.get("__name__")
        if type(name) is str and not name.startswith("relive"):
            own = own or name
            break
        frame = frame.f_back  # type: ignore[assignment]
    for module, found in list(sys.modules.items()):
        if type(found) is ModuleType and not module.startswith("relive"):
            names = found.__dict__
            if len(names) > _NAMES or (own and module != own):
                continue
            for name, value in list(names.items()):
                if value is application:
                    return f"{module}:{name}"
    return f"{own}:app" if own else ""
