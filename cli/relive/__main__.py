"""The `relive` command.

`relive tui` does not pass through the command group: half of what that imports is never needed to paint.
"""

from __future__ import annotations

import os
import sys

from relive_base.errors import ExitCode, ReliveError
from relive_base.terminal import escape_terminal

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> None:
    """Run the command; ends the process with an exit status of ExitCode."""
    try:
        code = _run(sys.argv[1:] if arguments is None else arguments)
    except ReliveError as error:
        print(f"relive: {escape_terminal(str(error))}", file=sys.stderr)
        code = error.exit_code
    except BrokenPipeError:
        # the reader (head, less) has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = ExitCode.DONE
    sys.exit(code if isinstance(code, int) else ExitCode.DONE)


def _run(arguments: list[str]) -> object:
    from relive.ui import UiRequest, open_ui

    request = UiRequest.parse(arguments, os.environ) if "tui" in arguments else None
    if request is not None and sys.stdin.isatty() and sys.stdout.isatty():
        return open_ui(request)
    return _run_command(arguments)


def _run_command(arguments: list[str]) -> object:
    import click

    from relive.group import cli

    try:
        return cli.main(args=arguments, prog_name="relive", standalone_mode=False)
    except click.exceptions.Abort:
        click.echo("stopped", err=True)
        return 130
    except click.ClickException as error:
        error.show()
        return ExitCode.USAGE


if __name__ == "__main__":
    main()
