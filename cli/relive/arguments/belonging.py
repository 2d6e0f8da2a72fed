"""Options that say something only with something else: alone they would be passed over in silence."""

from __future__ import annotations

import click
from click.core import ParameterSource
from relive_base.errors import UsageError

__all__ = ["goes_with"]


def goes_with(what: str, *names: str, hint: str = "") -> None:
    """Of the command that runs: its parameters `names` go with `what`, which was not given. Raises
    UsageError."""
    context = click.get_current_context()
    for parameter in context.command.params:
        name = parameter.name or ""
        if name in names and context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            said = parameter.opts[0] if isinstance(parameter, click.Option) else "an id"
            raise UsageError(f"{said} goes with {what}", hint=hint)
