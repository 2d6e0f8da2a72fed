"""Relive's small public API: inside functions call another function, send it an event, put one on a bus;
elsewhere record what fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from relive_outside import record

    from relive.calls import FunctionError, emit, invoke, send

__all__ = ["FunctionError", "emit", "invoke", "record", "send"]


def __getattr__(name: str) -> object:
    # the command line tool is in this package too, and starts without what only functions need
    if name == "record":
        from relive.recording import record

        return record
    if name in __all__:
        from relive import calls

        return getattr(calls, name)
    if name == "LambdaContext":  # under this name a handler's context is shown, and pickled
        from relive_runtime.adapters.event.context import LambdaContext

        return LambdaContext
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
