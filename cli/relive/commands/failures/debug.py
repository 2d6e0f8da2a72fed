"""`relive debug`."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import click
from relive_base.errors import ExitCode, NotFound, ReliveError, ServerUnreachable

from relive.arguments.belonging import goes_with
from relive.arguments.completing import complete_failure
from relive.output import Column, echo, emit, format_bytes, json_option, note, wide_option
from relive.recorded.listing import finder
from relive.recorded.scenes import is_scene_file, load_scene
from relive.session import Session

if TYPE_CHECKING:
    from relive_platform.api.client import ControlClient
    from relive_platform.api.debug_call import DebugCall

__all__ = ["FIELDS", "attach_to_kept", "debug"]

FIELDS = (
    "invocation_id", "function", "error", "pid", "age_s", "expires_s", "rss", "attached", "version",
    "message", "failed_ns",
)  # fmt: skip
COLUMNS = [
    Column("short", "id", style="cyan"),
    Column("function", "function", least=18, style="bold"),
    Column("error", "error", least=16, style="red"),
    Column("pid", "pid", right=True),
    Column("age_s", "age", lambda s: f"{s:.0f} s", right=True),
    Column("expires_s", "leaves in", lambda s: f"{s:.0f} s", right=True),
    Column("rss", "memory", format_bytes, right=True),
    Column("attached", "debugged", lambda yes: "yes" if yes else "", rank=1),
    Column("invocation_id", "invocation", wide=True),
]


@click.command()
@click.argument(
    "ident", default="last", metavar="[ID | FUNCTION | last | FILE]", shell_complete=complete_failure
)
@click.option("--command", "-c", "commands", multiple=True, help="A command to run; then the session ends.")
@click.option(
    "--scene", "read_only", is_flag=True, help="The read-only session, even if the process is there."
)
@click.option("--raw", is_flag=True, help="Show control characters that the process writes as they are.")
@click.option("--list", "listing", is_flag=True, help="List the failed workers that are kept.")
@wide_option
@json_option
@click.pass_obj
def debug(
    session: Session,
    ident: str,
    commands: tuple[str, ...],
    read_only: bool,
    raw: bool,
    listing: bool,
    wide: bool,
    as_json: bool,
) -> int:
    """Debug a failed invocation, in its own process.

    The newest two failed workers stay, frozen, for ten minutes: this attaches a real pdb to their frames.
    When one is gone, or for a scene file, a read-only session shows the same frames as they were captured;
    its command travel goes back from there in a replay, as relive replay --travel does.

    \b
    relive debug                         the newest failure
    relive debug checkout                the newest one of a function
    relive debug 01a2086a
    relive debug last -c "p basket" -c u -c "pp event"
    relive debug failure.scene           without a server
    relive debug --list
    """
    if listing:
        goes_with("a session", "ident", "commands", "read_only", "raw", hint="relive debug --list is a list")
        return _list(session, wide, as_json)
    goes_with("--list", "as_json", "wide", hint="relive debug --list --json")
    if is_scene_file(ident) or read_only:
        return _debug_scene(session, ident, load_scene(session, ident), commands, raw)
    call, why = attach_to_kept(session, ident)
    if call is None:
        scene = load_scene(session, ident)
        echo(f"{why}\nopening its scene instead: read-only", err=True)
        return _debug_scene(session, ident, scene, commands, raw)
    from relive.debugging.process import talk_to_process

    return talk_to_process(session, call, commands, raw)


def _list(session: Session, wide: bool, as_json: bool) -> int:
    from relive_views.ids import shortest

    rows = [{name: getattr(worker, name) for name in FIELDS} for worker in session.control().frozen()]
    short = shortest((row["invocation_id"] for row in rows), ())
    emit(
        rows,
        COLUMNS,
        as_json=as_json,
        empty="no failed worker is kept",
        wide=wide,
        shown=[{**row, "short": short[row["invocation_id"]]} for row in rows],
    )
    return ExitCode.DONE


def attach_to_kept(session: Session, ident: str) -> tuple[DebugCall | None, str]:
    """A session in the process, or None and why there is none. Raises Refused: somebody else debugs it."""
    try:
        control = session.control()
        return control.debug(_failure_of(session, control, ident)), ""
    except ServerUnreachable:
        return None, "no server runs here, and so none of its failed workers is there any more"
    except NotFound as error:
        return None, error.message


def _failure_of(session: Session, control: ControlClient, ident: str) -> str:
    """The id of the failure that `ident` means. Workers that are kept may be newer than what the store has
    yet, and are there if the store is in trouble."""
    from relive_capture.explore import failures

    kept = control.frozen()
    function = "" if ident == "last" else ident
    if function and function not in {worker.function for worker in kept}:
        with contextlib.suppress(ReliveError):
            return finder(session).failure(ident).ident
        return ident  # the server knows the beginnings of those that are kept
    known = [(worker.failed_ns, worker.invocation_id) for worker in kept if function in ("", worker.function)]
    with contextlib.suppress(ReliveError):
        found = finder(session).failure(ident)
        if found.note:
            note(f"note: {found.note}")
            return found.ident
        newest = failures.page(session.store(), failures.FailureFilter(function=function), 1, 0)
        known += [(entry.captured_ns, entry.invocation_id) for entry in newest]
    return max(known, default=(0, "last"))[1]


def _debug_scene(session: Session, ident: str, scene: Any, commands: tuple[str, ...], raw: bool) -> int:
    from relive_capture.explore.postmortem import PostMortem

    from relive.debugging.lines import ScriptLines, session_lines
    from relive.debugging.talk import talk_read_only

    reading = PostMortem(scene)
    with session_lines(commands, session.home, reading.complete_line) as lines:
        if not talk_read_only(reading, lines, raw=raw):
            return ExitCode.DONE
        rest = lines.rest() if isinstance(lines, ScriptLines) else ()
    from relive.commands.failures.replay import travel_in

    return travel_in(session, ident, scene, rest)
