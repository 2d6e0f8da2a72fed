"""`relive mcp`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click
from relive_base.errors import ReliveError, UsageError

from relive.arguments.durations import WAIT
from relive.arguments.loopback import listen, loopback_address
from relive.output import echo
from relive.recorded.scenes import is_from_elsewhere
from relive.recorded.stores import Stores
from relive.session import Session

__all__ = ["mcp"]

_PORT = 8791


@click.command()
@click.option(
    "--code",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=None,
    help="The only folder whose code is replayed and in which tests are written.",
)
@click.option(
    "--http",
    "address",
    default="",
    metavar="HOST:PORT",
    help="Listen there instead; port 0 picks a free one.",
)
@click.option(
    "--timeout",
    "timeout_s",
    type=WAIT,
    default=120.0,
    help="So long a replay, a test or a debugger's commands may take.  [default: 120s]",
)
@click.pass_obj
def mcp(session: Session, code: Path | None, address: str, timeout_s: float) -> None:
    """Tools for coding agents, by the Model Context Protocol: failures, their scenes, replays of a fix.

    On standard input and output, as agents start it. With --http it listens on loopback, and clients give
    the home's token (Authorization: Bearer).

    \b
    relive mcp --code .
    claude mcp add relive -- relive mcp --code .
    relive mcp --code . --http 127.0.0.1:8791
    """
    try:
        from relive_agents.actions import Actions
        from relive_agents.commands import Commands
        from relive_agents.reader import Reader
        from relive_agents.server import Desk, make_server
        from relive_agents.serving import PATH, serve_http, serve_stdio
        from relive_agents.workspace import Workspace
    except ImportError as error:
        raise UsageError(
            f"the tools need {error.name}, which is not installed", hint="pip install 'relive[mcp]'"
        ) from error
    from importlib.metadata import version

    place = loopback_address(address, _PORT, "these tools") if address else None
    stores = Stores(session)
    stores.open(anew=False)  # what is wrong with it is said here
    prefix = [sys.executable, "-m", "relive", "--home", str(session.home), "--starter", str(os.getpid())]
    prefix += ["--server", session.server] if session.server else []
    reader = Reader(
        stores.open,
        session.home,
        stores.names,
        elsewhere=lambda scene: is_from_elsewhere(session, scene.invocation_id, scene),
    )
    commands = Commands(prefix, session.environment, timeout_s)
    actions = Actions(commands, Workspace(code), reader.ident, reader.code_of)
    desk = Desk(reader, actions)
    server = make_server(desk, version("relive"))
    try:
        if place is None:
            serve_stdio(server, desk.close)
            return
        token = session.gateway_token()
        if not token:
            raise ReliveError(
                "the home has no token, and nobody is let in without it", hint="relive serve makes one"
            )
        listener = listen(*place)
        at = f"http://{listener.getsockname()[0]}:{listener.getsockname()[1]}{PATH}"
        serve_http(server, listener, token, lambda: echo(at))
    finally:
        stores.close()
