"""`relive.record`, where it is installed; inside of a worker it gives back what it gets."""

from __future__ import annotations

import importlib
from typing import Any

__all__ = ["record"]


def record(function: Any = None, *, name: str = "") -> Any:
    """Record the failures of a function, a handler of AWS Lambda, or an application of ASGI or WSGI: as a
    decorator, with or without a name, or called with it. See docs/how-to/record-elsewhere.md.

    What it gives behaves like what it was given. Inside of a function that Relive runs, and in a replay, it
    is what it was given.
    """
    try:
        found = importlib.import_module("relive_outside.recording")
    except ImportError:  # a worker does not have it
        return function if function is not None else lambda given: given
    return found.record(function, name=name)
