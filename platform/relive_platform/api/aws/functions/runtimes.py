"""Lambda's runtimes, as kinds of functions that Relive runs."""

from __future__ import annotations

from typing import Final

from relive_runtime.adapters.table import KINDS

from relive_platform.api.aws.errors import AwsError
from relive_platform.registry.application.handlers import normalise_handler

__all__ = ["handler_of", "kind_of", "program_of"]

_EVENT: Final = "event"
_CUSTOM: Final = "custom"


def kind_of(runtime: str) -> str:
    """A function of `python3.x` runs in the Python that Relive runs in, whichever x is. Raises AwsError."""
    if runtime.startswith("python") or not runtime:
        return _EVENT
    if _CUSTOM in KINDS and runtime.startswith(("nodejs", "provided", "go")):
        return _CUSTOM
    known = "python3.x, nodejs and provided" if _CUSTOM in KINDS else "python3.x"
    raise AwsError(
        "InvalidParameterValueException",
        f"Relive does not run the runtime {runtime}: it runs {known}",
    )


def program_of(runtime: str) -> str:
    """What runs a function of kind "custom": `runtime` of relive.toml."""
    if kind_of(runtime) != _CUSTOM:
        return ""
    return "nodejs" if runtime.startswith("nodejs") else "provided"


def handler_of(runtime: str, handler: str) -> str:
    """`module:attribute` of a Python handler; what cannot be one fails when it is invoked, as on Lambda."""
    if kind_of(runtime) != _EVENT:
        return handler
    return normalise_handler(handler) or f"{handler.replace(':', '_').replace('.', '_') or 'none'}:handler"
