"""Of what is called: under which name it is found again, and where its code is."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any, Final

import msgspec
from relive_base.wire.messages import FunctionSpec

from relive_outside.record.settings import OutsideSettings

__all__ = ["Recipe", "handler_of", "recipe_of", "root_of", "spec_of"]

_MAIN: Final = "__main__"
_LOCALS: Final = "<locals>"


class Recipe(msgspec.Struct, frozen=True):
    """`handler`: "module:attribute", "" if a replay could not find it; `source`: the folder on the path that
    its module is in. `kind` is one of relive_runtime.adapters.table.KINDS or OUTSIDE."""

    name: str
    handler: str
    kind: str
    source: str
    host: str
    trigger: str = "api"
    timeout_s: float = 0.0
    memory_mb: int = 0


def recipe_of(function: Callable[..., Any], kind: str, host: str, settings: OutsideSettings) -> Recipe:
    """Of a function or task."""
    module = getattr(function, "__module__", None) or _MAIN
    name = settings.name or getattr(function, "__name__", "") or type(function).__name__
    source = settings.source or root_of(module)
    return Recipe(name, handler_of(function), kind, source, host)


def handler_of(function: Callable[..., Any]) -> str:
    """Where a replay finds it; "" for what is made inside of a function."""
    module = getattr(function, "__module__", None)
    name = getattr(function, "__qualname__", None) or getattr(function, "__name__", None)
    if type(module) is not str or type(name) is not str or _LOCALS in name:
        return ""
    return f"{_importable(module)}:{name}"


def _importable(module: str) -> str:
    """What a script is called if somebody imports it."""
    if module != _MAIN:
        return module
    found = sys.modules.get(_MAIN)
    spec = getattr(found, "__spec__", None)
    if spec is not None and type(spec.name) is str:
        return str(spec.name).removesuffix(".__main__")
    file = getattr(found, "__file__", None)
    return os.path.splitext(os.path.basename(file))[0] if type(file) is str else ""


def root_of(module: str) -> str:
    """The folder that a module was imported from: that of its outermost package's parent."""
    found = sys.modules.get(module)
    file = found.__dict__.get("__file__") if type(found) is ModuleType else None
    if type(file) is not str:
        return os.getcwd()
    folder = os.path.dirname(os.path.abspath(file))
    name = _importable(module)
    depth = name.count(".") + (os.path.basename(file).startswith("__init__.") and module != _MAIN)
    for _ in range(depth):
        folder = os.path.dirname(folder)
    return folder


def spec_of(recipe: Recipe, settings: OutsideSettings) -> FunctionSpec:
    """As the record sides want it."""
    return FunctionSpec(
        name=recipe.name,
        version=0,
        handler=recipe.handler,
        kind=recipe.kind,
        source=recipe.source,
        capture=settings.capture,
        timeout_s=recipe.timeout_s or settings.timeout_s or 0.0,
        memory_mb=recipe.memory_mb,
        isolation_tier=0,
        redact_keys=list(settings.redact),
        recording=settings.calls_bytes > 0,
        recording_bytes=settings.calls_bytes,
    )
