"""uvicorn and gunicorn: the application that they have loaded is recorded, wherever it comes from."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from types import ModuleType
from typing import Any

from relive_base.unseen import UNSEEN

from relive_outside.hosts.applications import interface_of, recorded_application
from relive_outside.hosts.asgi import RecordedAsgi
from relive_outside.record.recorder import Recorder

__all__ = ["patch_gunicorn", "patch_uvicorn"]


def patch_uvicorn(recorder: Recorder, serves: Callable[[], object], module: ModuleType) -> None:
    """Of `uvicorn.config`. `serves`: told that this process is a server."""
    config: Any = module.Config
    load = config.load

    @wraps(load)
    def loaded(self: Any) -> None:
        with UNSEEN:
            load(self)
        if isinstance(self.app, RecordedAsgi):
            return  # gunicorn has loaded it
        serves()
        _is_served(recorder, "uvicorn")
        handler = self.app if type(self.app) is str else ""
        made = _made(recorder, self.loaded_app, handler, "asgi")
        if made is not None:
            self.loaded_app = made

    config.load = loaded


def patch_gunicorn(recorder: Recorder, serves: Callable[[], object], module: ModuleType) -> None:
    """Of `gunicorn.app.base`. `serves`: told that this process is a server."""
    application: Any = module.BaseApplication
    wsgi = application.wsgi

    @wraps(wsgi)
    def recorded(self: Any) -> Any:
        first = self.callable is None
        with UNSEEN:
            found = wsgi(self)
        if not first:
            return found
        serves()
        _is_served(recorder, "gunicorn")
        uri = getattr(self, "app_uri", "")
        interface = interface_of(found) or "wsgi"
        made = _made(recorder, found, uri if type(uri) is str else "", interface)
        if made is not None:
            self.callable = made
        return self.callable

    application.wsgi = recorded


def _made(recorder: Recorder, application: Any, uri: str, interface: str) -> Any:
    """None if it cannot be recorded; then it is served as it is."""
    module, _, attribute = uri.partition(":")
    attribute = attribute.partition("(")[0].strip() or "application"
    try:
        return recorded_application(
            application, recorder, handler=f"{module}:{attribute}" if module else "", interface=interface
        )
    except Exception as error:
        recorder.say(f"the application is not recorded: {type(error).__name__}: {error}")
        return None


def _is_served(recorder: Recorder, host: str) -> None:
    recorder.host = host
    recorder.serves()
