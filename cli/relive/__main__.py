"""The `relive` command.

`relive tui` does not pass through the command group: half of what that imports is never needed to paint.
"""

from __future__ import annotations

import os
import sys

from relive_base.ending import end_process
from relive_base.errors import ExitCode, ReliveError, UsageError
from relive_base.garbage import seldom

__all__ = ["main"]

INTERRUPTED = 130


def main(arguments: list[str] | None = None) -> None:
    """Run the command, by default this process's own; ends the process with an exit status of ExitCode."""
    given = sys.argv[1:] if arguments is None else arguments
    try:
        code = _run(given)
    except ReliveError as error:
        from relive.output import tell_error

        tell_error(error, as_json="--json" in given)
        code = error.exit_code
    except BrokenPipeError:
        # the reader (head, less) has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = ExitCode.DONE
    status = code if isinstance(code, int) else ExitCode.DONE
    if arguments is None:
        end_process(status)
    sys.exit(status)


def _run(arguments: list[str]) -> object:
    from relive.ui import UiRequest, open_ui

    request = UiRequest.parse(arguments, os.environ) if "tui" in arguments else None
    if request is not None and sys.stdin.isatty() and sys.stdout.isatty():
        return open_ui(request)
    return _run_command(arguments)


def _run_command(arguments: list[str]) -> object:
    seldom()
    import click

    from relive.group import cli

    try:
        return cli.main(args=arguments, prog_name="relive", standalone_mode=False)
    except click.exceptions.Abort:
        click.echo("stopped", err=True)
        return INTERRUPTED
    except click.ClickException as error:
        if "--json" not in arguments:
            error.show()
            return ExitCode.USAGE
        raise UsageError(error.format_message(), hint=_help_of(error)) from error


def _help_of(error: Exception) -> str:
    context = getattr(error, "ctx", None)
    return f"{context.command_path} --help" if context is not None else ""


if __name__ == "__main__":
    main()
