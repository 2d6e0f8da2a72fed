"""The commands of `relive`. Each is imported when it is used, so that `relive --help` stays fast."""

from __future__ import annotations

import importlib
import keyword
import os
from pathlib import Path
from typing import Any

import click

from relive.arguments.emptiness import refuse_empty

__all__ = ["COMMANDS", "GROUPS", "cli"]

# group -> command -> (the module below relive.commands that defines it, one line of help)
GROUPS: dict[str, dict[str, tuple[str, str]]] = {
    "Start here": {
        "demo": ("start.demo", "See it work: a small shop, real events, real failures"),
        "tui": ("start.tui", "One key from launch to the root cause"),
        "web": ("start.web", "Read-only pages in the browser, each with its address"),
        "mcp": ("start.mcp", "Tools for coding agents: failures, scenes, replays of a fix"),
        "completion": ("start.completion", "TAB completion for bash, zsh and fish"),
        "doctor": ("start.doctor", "Check prerequisites and how to fix what is missing"),
    },
    "Run functions": {
        "init": ("functions.init", "Write a small application to begin with"),
        "serve": ("functions.serve", "Start the platform on this home"),
        "stop": ("functions.serve", "Stop the server: finish what runs, keep what is queued"),
        "status": ("functions.serve", "Store, workers, queue, and what was dropped"),
        "deploy": ("functions.deploy", "Deploy the functions of a relive.toml or a SAM template"),
        "import": ("functions.import_", "Write the relive.toml of a SAM template"),
        "rollback": ("functions.versions", "Put an earlier version in service again"),
        "alias": ("functions.alias", "Names for versions, and shares of the events for others"),
        "undeploy": ("functions.versions", "Take functions out of service"),
        "functions": ("functions.functions", "List the functions with their last day"),
        "why-warm": ("functions.warm", "Why workers of a function wait while it is idle"),
        "invoke": ("functions.invoke", "Invoke a function with an event or an HTTP request"),
        "cancel": ("functions.versions", "End an invocation that runs"),
        "resources": ("functions.resources", "List queues and other resources; purge or delete one"),
        "alarm": ("functions.alarm", "List alarms, say in which state one is, silence one"),
        "alerts": ("health.alerts", "How the alerts of relive.toml stand; --history, --follow"),
        "emit": ("functions.emit", "Put an event on a bus"),
        "aws": ("functions.aws", "Credentials for boto3 and the AWS CLI"),
        "layer": ("start.layer", "The recorder for AWS Lambda and other hosts"),
        "events": ("functions.events", "List asynchronous events; retry or discard dead ones"),
    },
    "What happened": {
        "invocations": ("records.invocations", "List invocations, newest first"),
        "trace": ("records.invocations", "Show one trace from the trigger to the last span"),
        "logs": ("records.logs", "Show what functions printed and logged; --follow"),
        "export": ("records.export", "Send traces to Jaeger or anything that speaks OTLP"),
        "metrics": ("health.metrics", "Rate, errors, durations and waiting of functions; --platform"),
        "usage": ("records.usage", "Invocations, GB-seconds and bytes by function, version and day"),
        "store": ("health.store", "Sizes, parts and oldest rows; trim, backup, restore"),
        "sql": ("records.sql", "Query everything that was recorded"),
    },
    "Why it failed": {
        "failures": ("failures.failures", "List failures, newest first; --group"),
        "failure": ("failures.scene", "Show the failing line, its locals, the event, the logs"),
        "why": ("failures.why", "Where it went wrong: the line that made the bad value"),
        "heap": ("failures.heap", "What filled the memory, and who holds it"),
        "debug": ("failures.debug", "A debugger in the process that failed, or on its scene"),
        "break": ("failures.points", "Hold the next invocation at a line, to debug it there"),
        "logpoint": ("failures.points", "Log a line of code that runs, without a new deploy"),
        "dap": ("failures.dap", "Debug a failure in VS Code, Neovim and other editors"),
        "scene": ("failures.scene", "Write a failure's scene to a file, or open one"),
        "replay": ("failures.replay", "Run a failure again: same event, calls, clock and random numbers"),
    },
    "Where the time went": {
        "why-slow": ("records.slow", "Why one invocation took longer than others"),
        "hot": ("records.profiles", "The hottest lines or functions"),
        "flame": ("records.profiles", "A call tree: text, HTML, speedscope, pprof, OTLP"),
        "diff": ("records.differences", "What became slower: two versions, slow or failed ones"),
        "profile": ("records.profiles", "Profile the next invocations more finely"),
    },
}
COMMANDS = {name: module for commands in GROUPS.values() for name, (module, _) in commands.items()}


class _LazyGroup(click.Group):
    """A group that imports a command's module when the command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        module = COMMANDS.get(cmd_name)
        if module is None:
            return None
        attribute = cmd_name.replace("-", "_") + ("_" if keyword.iskeyword(cmd_name) else "")
        command: click.Command = getattr(importlib.import_module(f"relive.commands.{module}"), attribute)
        refuse_empty(command)
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

    def invoke(self, ctx: click.Context) -> Any:
        from relive_base.errors import NotFound

        try:
            return super().invoke(ctx)
        except NotFound as error:
            late = ctx.obj.lateness() if ctx.obj is not None and ctx.obj.has_read else ""
            if late:  # it may be there and not be readable yet
                told = NotFound(f"{error.message}; {late}", where=error.where, hint=error.hint)
                told.exit_code = error.exit_code
                raise told from error
            raise

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, commands in GROUPS.items():
            with formatter.section(title):
                formatter.write_dl([(name, text) for name, (_, text) in commands.items()])


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
@click.option("--starter", type=int, hidden=True, help="End with this process, which has started it.")
@click.pass_context
def cli(ctx: click.Context, home: Path | None, server: str, starter: int | None) -> None:
    """A function platform that remembers every invocation.

    \b
    relive demo                  see it work, with real functions that fail
    relive serve                 start the platform
    relive deploy .              deploy what relive.toml names
    relive tui                   one key from launch to the root cause
    """
    from relive.session import Session

    if starter is not None:
        from relive.ending import end_with

        end_with(starter)
    ctx.obj = Session.create(home, server, os.environ)
    ctx.call_on_close(ctx.obj.close)


refuse_empty(cli)
