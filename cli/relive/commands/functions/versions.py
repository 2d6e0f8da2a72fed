"""`relive rollback`, `relive undeploy` and `relive cancel`: taking back what was put in service or begun."""

from __future__ import annotations

import click

from relive.arguments.completing import complete_function, complete_invocation
from relive.output import echo, emit_object, json_option
from relive.session import Session

__all__ = ["cancel", "rollback", "undeploy"]


@click.command()
@click.argument("function", shell_complete=complete_function)
@click.option(
    "--to",
    "version",
    type=click.IntRange(1, 2**31 - 1),
    default=None,
    help="This version; the one before by default.",
)
@json_option
@click.pass_obj
def rollback(session: Session, function: str, version: int | None, as_json: bool) -> None:
    """Put an earlier version of FUNCTION in service again.

    What runs is finished by the version that it runs in. The next deploy makes a new version, with the next
    number. A function that was undeployed comes back in its last version.

    \b
    relive rollback checkout
    relive rollback checkout --to 3
    """
    found = session.control().roll_back(function, version or 0)
    if as_json:
        row = {"function": found.function, "version": found.version}
        emit_object({**row, "code_hash": found.code_hash, "url": found.url})
    else:
        echo(f"{found.function}  version {found.version} is in service  {found.url}")


@click.command()
@click.argument("name", metavar="FUNCTION | APPLICATION", shell_complete=complete_function)
@json_option
@click.pass_obj
def undeploy(session: Session, name: str, as_json: bool) -> None:
    """Take a function, or all functions of an application, out of service.

    Their versions and all that was recorded are kept; `relive rollback FUNCTION` brings one back.

    \b
    relive undeploy checkout
    relive undeploy shop
    """
    for function in session.control().undeploy(name):
        if as_json:
            emit_object({"function": function})
        else:
            echo(f"{function} is no longer in service; to bring it back: relive rollback {function}")


@click.command()
@click.argument("ident", metavar="ID | FUNCTION | last", shell_complete=complete_invocation)
@json_option
@click.pass_obj
def cancel(session: Session, ident: str, as_json: bool) -> None:
    """End an invocation that runs, or discard an event that waits.

    The function is stopped where it is, and the invocation fails with the status "cancelled"; its scene
    says where it was. It is not tried again. Of a function, the newest one.

    \b
    relive cancel 01a2086a
    relive cancel checkout
    """
    found = session.control().cancel(ident)
    if as_json:
        row = {"invocation_id": found.invocation_id, "function": found.function, "state": found.state}
        emit_object(row)
        return
    what = {"queued": "was discarded, and is not tried any more", "waiting": "was ended before it began"}
    echo(f"invocation {found.invocation_id} of {found.function} {what.get(found.state, 'was ended')}")
    if found.state == "running":
        echo(f"  relive failure {found.invocation_id}      see where it stood", err=True)
