"""The `relive` command. Commands are imported when they are used, so that `relive --help` stays fast."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path

import click
from relive_base.errors import ExitCode, ReliveError
from relive_base.terminal import escape_terminal

__all__ = ["main"]

# command -> the module below relive.commands that defines it
COMMANDS = {
    "demo": "demo",
    "serve": "serve",
    "stop": "serve",
    "status": "serve",
    "doctor": "doctor",
    "deploy": "deploy",
    "functions": "deploy",
    "invoke": "invoke",
    "events": "events",
    "invocations": "invocations",
    "trace": "invocations",
    "export": "export",
    "failures": "failures",
    "failure": "failures",
    "scene": "failures",
    "logs": "logs",
    "hot": "profiles",
    "flame": "profiles",
    "profile": "profiles",
    "sql": "sql",
    "tui": "tui",
}

GROUPS = {
    "Start here": ("demo", "tui", "doctor"),
    "Run functions": ("serve", "stop", "status", "deploy", "functions", "invoke", "events"),
    "What happened": ("invocations", "trace", "logs", "export", "sql"),
    "Why it failed": ("failures", "failure", "scene"),
    "Where the time went": ("hot", "flame", "profile"),
}


class _LazyGroup(click.Group):
    """A group that imports a command's module when the command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for names in GROUPS.values() for name in names]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        module = COMMANDS.get(cmd_name)
        if module is None:
            return None
        command: click.Command = getattr(importlib.import_module(f"relive.commands.{module}"), cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        import difflib

        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            near = difflib.get_close_matches(args[0], COMMANDS, 1)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            ctx.fail(f"No such command '{args[0]}'.{hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, names in GROUPS.items():
            rows = [
                (name, command.get_short_help_str(70))
                for name in names
                if (command := self.get_command(ctx, name))
            ]
            with formatter.section(title):
                formatter.write_dl(rows)


@click.command(
    cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.option(
    "--home", type=click.Path(path_type=Path), envvar="RELIVE_HOME", help="Where Relive keeps its state."
)
@click.option(
    "--server", envvar="RELIVE_SERVER", default="", help="A server elsewhere: HOST:PORT (with RELIVE_TOKEN)."
)
@click.version_option(package_name="relive", prog_name="relive")
@click.pass_context
def cli(ctx: click.Context, home: Path | None, server: str) -> None:
    """A function platform that remembers every invocation.

    \b
    relive demo                  see it work, with real functions that fail
    relive serve                 start the platform
    relive deploy .              deploy what relive.toml names
    relive tui                   one key from launch to the root cause
    """
    from relive.session import Session

    ctx.obj = Session.create(home, server, os.environ)
    ctx.call_on_close(ctx.obj.close)


def main(arguments: list[str] | None = None) -> None:
    """Run the command; ends the process with an exit status of ExitCode."""
    try:
        code = cli.main(args=arguments, prog_name="relive", standalone_mode=False)
    except click.exceptions.Abort:
        click.echo("stopped", err=True)
        code = 130
    except click.ClickException as error:
        error.show()
        code = ExitCode.USAGE
    except ReliveError as error:
        click.echo(f"relive: {escape_terminal(str(error))}", err=True)
        code = error.exit_code
    except BrokenPipeError:
        # the reader (head, less) has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = ExitCode.DONE
    sys.exit(code if isinstance(code, int) else ExitCode.DONE)


if __name__ == "__main__":
    main()
