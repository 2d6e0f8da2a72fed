"""Names and ids that are given and empty, as a shell's variable that is not set: they mean nothing, neither
"the newest" nor "all"."""

from __future__ import annotations

from typing import Any, Final

import click
from click.core import ParameterSource

__all__ = ["refuse_empty"]

_NAMES: Final = frozenset(
    {"home", "server", "invocation", "trace", "span", "function", "status", "by", "versions", "event_id"}
    | {"http", "api", "store", "otlp", "otlp_grpc", "otlp_http", "lambda_api", "metrics", "gateways"}
)
"""Options that say which, as those do that are paths; others, such as an event or a note, may be empty."""


def refuse_empty(command: click.Command) -> None:
    """Have `command` end with a usage error for an argument, or an option that says which, that is empty."""
    for parameter in command.params:
        says_which = parameter.name in _NAMES or isinstance(parameter.type, click.Path)
        if isinstance(parameter, click.Argument) or says_which:
            _check(parameter)


def _check(parameter: click.Parameter) -> None:
    """Before it is made anything else of: the path "" is the folder that one is in."""
    if hasattr(parameter, "refuses_empty"):
        return
    cast = parameter.type_cast_value

    def checked(context: click.Context, value: Any) -> Any:
        given = context.get_parameter_source(parameter.name or "") is ParameterSource.COMMANDLINE
        parts = value if isinstance(value, tuple | list) else (value,)
        if given and any(isinstance(part, str) and not part.strip() for part in parts):
            raise click.BadParameter(
                "it is empty (a variable of the shell that is not set?); leave it out, or name one",
                context,
                parameter,
            )
        return cast(context, value)

    parameter.type_cast_value = checked  # type: ignore[method-assign,assignment]
    parameter.refuses_empty = True  # type: ignore[attr-defined]
