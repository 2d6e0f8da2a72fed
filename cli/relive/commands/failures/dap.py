"""`relive dap`."""

from __future__ import annotations

import secrets
from pathlib import Path

import click
from relive_base.errors import ExitCode, ReliveError
from relive_base.terminal import one_line

from relive.arguments.belonging import goes_with
from relive.arguments.completing import complete_failure
from relive.ending import ended_by_signals
from relive.output import echo
from relive.session import Session

__all__ = ["dap"]


@click.command()
@click.argument(
    "ident", default="last", metavar="[ID | FUNCTION | last | FILE]", shell_complete=complete_failure
)
@click.option(
    "--mode",
    type=click.Choice(["auto", "process", "scene", "travel"]),
    default="auto",
    show_default=True,
    help="What is looked at. auto: attach is the failed process or its scene, launch is travel.",
)
@click.option(
    "--port", type=click.IntRange(0, 65_535), help="Listen on this port of 127.0.0.1; 0 picks a free one."
)
@click.option("--once", is_flag=True, help="With --port: end when the first client has left.")
@click.option(
    "--code",
    type=click.Path(exists=True, path_type=Path),
    default=None,
    help="Replay this working copy (a folder or a relive.toml) instead of the version that failed.",
)
@click.option(
    "--local",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=Path(),
    help="Where you work: a file there that equals the deployed one is shown itself.",
)
@click.option(
    "--trust", is_flag=True, help="Replay the sources in the scene if the code is not deployed here."
)
@click.pass_obj
def dap(
    session: Session,
    ident: str,
    mode: str,
    port: int | None,
    once: bool,
    code: Path | None,
    local: Path,
    trust: bool,
) -> int:
    """Debug a failure in an editor: a server of the Debug Adapter Protocol.

    Editors start this command and speak to it; docs/how-to/editors.md says what to write where. On a port, a
    client gives the token of the home, and can name another `failure` and `mode`.

    \b
    relive dap 01a2086a                  on the standard streams
    relive dap last --mode travel        a replay that can be stepped back in
    relive dap failure.scene             without a server
    relive dap --port 4711
    """
    from relive.dap.opening import Opening
    from relive.dap.serving import listen, serve_port, serve_streams

    opener = Opening(session, ident, mode, code=code, trust=trust)
    root = local.absolute()
    if port is None:
        goes_with("--port", "once", hint="relive dap --port 0 --once")
        with ended_by_signals():
            problem = serve_streams(opener, root)
        if problem:
            raise ReliveError(f"the client's messages cannot be read: {problem}")
        return ExitCode.DONE
    token = session.gateway_token()
    if not token:
        token = secrets.token_urlsafe(32)
        echo(f"this home has no token yet; for now it is {token}", err=True)
    try:
        listener = listen(port)
    except OSError as error:
        raise ReliveError(f"cannot listen on port {port}: {error.strerror}", hint="choose another") from error
    with ended_by_signals(), listener:
        echo(f"listening on 127.0.0.1:{listener.getsockname()[1]}")
        serve_port(listener, opener, root, token, _tell, once=once)
    return ExitCode.DONE


def _tell(problem: str) -> None:
    echo(one_line(f"a client was cut off: {problem}", 200), err=True)
