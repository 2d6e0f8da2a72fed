"""Exceptions that web frameworks signal before they answer with a 500. No framework is imported for it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Final

__all__ = ["FrameworkErrors"]

_SIGNALS: Final = ("flask.signals", "quart.signals", "django.core.signals")
_NAME: Final = "got_request_exception"


class FrameworkErrors:
    """Listens to Flask, Quart and Django once the function has loaded them."""

    def __init__(self, notice: Callable[[BaseException], None]) -> None:
        self._notice = notice
        self._left = list(_SIGNALS)

    def watch(self) -> None:
        """Listen to what has been loaded since. Never raises."""
        for name in self._left:
            if name in sys.modules:
                self._left = [other for other in self._left if other != name]
                try:
                    vars(sys.modules[name])[_NAME].connect(self._heard, weak=False)
                except Exception:
                    continue  # a module of the function's own that is called so

    def _heard(self, *_: Any, exception: Any = None, **__: Any) -> None:
        """Flask gives the exception, Django sends while it is being handled."""
        error = exception if isinstance(exception, BaseException) else sys.exc_info()[1]
        if error is not None:
            self._notice(error)
