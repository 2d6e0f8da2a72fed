"""Exceptions that web frameworks answer for themselves. No framework is imported for it."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from types import FunctionType
from typing import Any, Final

from relive_tracer.record import HANDLED, SIGNALLED

__all__ = ["FrameworkErrors"]

_Notice = Callable[[BaseException, int], None]

_SIGNALS: Final = ("flask.signals", "quart.signals", "django.core.signals")
_NAME: Final = "got_request_exception"
_CALLS: Final = (
    # What looks for the application's error handler: the one for exceptions, which may be one of abort().
    ("flask.sansio.app", "App", "_find_error_handler", SIGNALLED),
    ("flask.app", "Flask", "_find_error_handler", SIGNALLED),  # before Flask 3
    ("quart.app", "Quart", "_find_error_handler", SIGNALLED),
    ("starlette._exception_handler", "", "is_async_callable", SIGNALLED),
    ("starlette.middleware.exceptions", "", "is_async_callable", SIGNALLED),  # before Starlette 0.28
    ("starlette.middleware.errors", "", "is_async_callable", SIGNALLED),
    ("django.core.handlers.base", "BaseHandler", "process_exception_by_middleware", SIGNALLED),
    # What each response is made with: `except Exception: return JSONResponse(..., 500)`.
    ("werkzeug.sansio.response", "Response", "_clean_status", HANDLED),
    ("starlette.responses", "Response", "init_headers", HANDLED),
    ("django.http.response", "HttpResponseBase", "make_bytes", HANDLED),
)
"""Module, class or "", what is called there while the exception is handled, and how sure it then is.

All but that of Django's middleware return before the application's code goes on, with no frame of Relive."""


class FrameworkErrors:
    """Listens to Flask, Quart, Django and Starlette (FastAPI) once the function has loaded them."""

    def __init__(self, notice: _Notice) -> None:
        self._notice = notice
        self._signals = list(_SIGNALS)
        self._calls = list(_CALLS)
        self._undo: list[Callable[[], object]] = []

    def watch(self) -> None:
        """Listen to what has been loaded since. Never raises."""
        modules = sys.modules
        for name in self._signals:
            if name in modules:
                self._signals = [other for other in self._signals if other != name]
                try:
                    self._connect(vars(modules[name])[_NAME])
                except Exception:
                    continue  # a module of the function's own that is called so
        for call in self._calls:
            if call[0] in modules:
                self._calls = [other for other in self._calls if other is not call]
                try:
                    self._wrap(*call)
                except Exception:
                    continue  # another version of the framework

    def close(self) -> None:
        """Leave the frameworks as they were."""
        undo, self._undo = self._undo, []
        for step in undo:
            step()

    def _connect(self, signal: Any) -> None:
        signal.connect(self._heard, weak=False)
        self._undo.append(lambda: signal.disconnect(self._heard))

    def _wrap(self, module: str, owner: str, name: str, rank: int) -> None:
        place = vars(sys.modules[module])[owner] if owner else sys.modules[module]
        found = vars(place)[name]
        if type(found) is not FunctionType:
            return
        wrapped = _noticing(found, self._notice, rank)
        setattr(place, name, wrapped)

        def undo() -> None:
            if vars(place).get(name) is wrapped:
                setattr(place, name, found)

        self._undo.append(undo)

    def _heard(self, *_: Any, exception: Any = None, **__: Any) -> None:
        """Flask gives the exception, Django sends while it is being handled."""
        error = exception if isinstance(exception, BaseException) else sys.exc_info()[1]
        if error is not None:
            self._notice(error, SIGNALLED)


def _noticing(call: Callable[..., Any], notice: _Notice, rank: int) -> Callable[..., Any]:
    """`call`, which tells of the exception that is being handled meanwhile."""

    @functools.wraps(call)
    def called(*args: Any, **options: Any) -> Any:
        error = sys.exc_info()[1]
        if error is not None:
            notice(error, rank)
        return call(*args, **options)

    return called
