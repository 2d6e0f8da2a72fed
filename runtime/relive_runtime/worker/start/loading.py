"""Finding the user's handler."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable

from relive_base.errors import ReliveError
from relive_base.wire.messages import FunctionSpec

from relive_runtime.adapters.table import KINDS

__all__ = ["HandlerError", "load_handler", "split_handler"]


class HandlerError(ReliveError):
    """The handler that the configuration names cannot be used."""

    __module__ = "builtins"  # users read its bare name


def split_handler(handler: str) -> tuple[str, str]:
    """Module and attribute of "module:attribute" or, as AWS Lambda writes it, "module.attribute".

    Slashes in the module ("src/app.handler") are packages, as AWS Lambda has it. Raises HandlerError.
    """
    module, separator, attribute = handler.partition(":")
    if not separator:
        module, separator, attribute = handler.rpartition(".")
    module = module.removesuffix(".py") if "/" in module else module
    module = module.replace("/", ".").strip(".")
    if not module or not attribute:
        raise HandlerError(
            f"the handler {handler!r} names no module and attribute",
            hint='write handler = "module:attribute", such as "cart:handler"',
        )
    return module, attribute


def load_handler(spec: FunctionSpec) -> Callable[..., object]:
    """Import the module and take the attribute. Raises HandlerError, and whatever the module raises."""
    module_name, attribute = split_handler(spec.handler)
    try:
        found: object = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        # Only if the handler's own module is not there; a missing import inside it is the user's error.
        if error.name and (module_name == error.name or module_name.startswith(f"{error.name}.")):
            raise _no_module(spec, module_name, error.name) from None
        raise
    where = module_name
    for name in attribute.split("."):
        if not hasattr(found, name):
            raise HandlerError(
                f"{where} has no attribute {name!r}",
                where=spec.name,
                hint=f"define {name} there, or correct the handler {spec.handler!r}{_offer(found)}",
            )
        found = getattr(found, name)
        where = f"{where}.{name}"
    if not callable(found):
        raise HandlerError(
            f"{spec.handler} is not callable: it is of type {type(found).__name__}",
            where=spec.name,
            hint=f"name what is called as {_signatures()}",
        )
    return found


def _signatures() -> str:
    return ", or ".join(
        f'{kind.signature} for kind = "{name}"' for name, kind in KINDS.items() if kind.adapter
    )


def _no_module(spec: FunctionSpec, module_name: str, missing: str) -> HandlerError:
    try:
        names = sorted(entry for entry in os.listdir(spec.source) if entry.endswith(".py"))
    except OSError:
        names = []
    there = f"; there is {', '.join(names[:10])}" if names else "; the folder has no Python file"
    return HandlerError(
        f"there is no module {missing!r} for the handler {spec.handler!r}",
        where=spec.name,
        hint=f"put {module_name.replace('.', '/')}.py into the function's source folder{there}",
    )


def _offer(module: object) -> str:
    names = (
        [
            name
            for name, value in vars(module).items()
            if callable(value)
            and not name.startswith("_")
            and getattr(value, "__module__", "") == getattr(module, "__name__", None)
        ]
        if hasattr(module, "__dict__")
        else []
    )
    return f"; it defines {', '.join(names[:10])}" if names else ""
