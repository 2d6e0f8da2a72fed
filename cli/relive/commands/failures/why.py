"""`relive why`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click
from relive_base.errors import ExitCode
from relive_base.terminal import one_line

from relive.arguments.completing import complete_failure
from relive.commands.failures.replay import failure_line
from relive.debugging.replaying import debugger, find_scene, run_again
from relive.output import echo, note
from relive.recorded.scenes import is_from_elsewhere
from relive.session import Session

if TYPE_CHECKING:
    from relive_platform.api import control_pb2 as pb
    from relive_platform.api.local_debug import LocalDebugCall

__all__ = ["why"]


class _Heard:
    """A session, and whether it has given no answer."""

    def __init__(self, call: LocalDebugCall) -> None:
        self.refused = False
        self._call = call

    def __getattr__(self, name: str) -> Any:
        return getattr(self._call, name)

    def next(self, timeout_s: float) -> pb.DebugResponse | None:
        """What the process says next, as of the session."""
        response = self._call.next(timeout_s)
        if response is not None:
            self.refused |= any(line.startswith("***") for line in response.text.text.splitlines())
        return response


@click.command()
@click.argument(
    "ident", default="last", metavar="[ID | FUNCTION | last | FILE]", shell_complete=complete_failure
)
@click.argument("expression", default="", metavar="[EXPRESSION]")
@click.option(
    "--code",
    type=click.Path(exists=True, path_type=Path),
    default=None,
    help="Run this working copy (a folder or a relive.toml) instead of the version that failed.",
)
@click.option("--trust", is_flag=True, help="Run the sources in the scene if the code is not deployed here.")
@click.option(
    "--python",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Of what was recorded outside of Relive: a Python whose packages it gets.",
)
@click.pass_obj
def why(
    session: Session, ident: str, expression: str, code: Path | None, trust: bool, python: Path | None
) -> int:
    """Where a failure began: the line that made the bad value, and the way from there to the failing line.

    The failure is replayed, and gone back in. Needs no server. EXPRESSION is a local of the failing line, or
    made of its locals; without one it is what the line stumbled over. "arose at" means that nothing else
    explains the error as well, "may have arisen at" that it is the likeliest of several lines. The exit
    status is 1 if the replay did not fail, 4 if it cannot be replayed or gone back in, or if there is no
    answer (it says why, after ***).

    \b
    relive why                           of the newest failure
    relive why checkout                  of the newest one of a function
    relive why 01a2086a 'cart["total"]'  where has this value come from?
    relive why app --code .              of what was recorded elsewhere, on your working copy
    relive replay last --travel          go there, and look around
    """
    from relive_platform.replay import ReplayOptions

    scene = find_scene(session, ident)
    talk, calls = debugger(session, (f"why {expression}".strip(),)), list[_Heard]()

    def ask(call: LocalDebugCall) -> None:
        calls.append(_Heard(call))
        talk(cast("LocalDebugCall", calls[-1]))

    options = ReplayOptions(
        code=code, trust=trust, python=python, travel=True, debug=ask,
        elsewhere=is_from_elsewhere(session, ident, scene),
    )  # fmt: skip
    outcome = run_again(session, scene, options)
    if calls:
        return ExitCode.REFUSED if calls[-1].refused else ExitCode.DONE
    run = outcome.runs[-1]
    if run.outcome == "passed":
        failed = failure_line(
            outcome.recorded_type, outcome.recorded_message, outcome.recorded_file, outcome.recorded_line
        )
        echo(one_line(f"the replay did not fail: there is nothing to go back from. Recorded: {failed}", 300))
        echo(f"  relive replay {outcome.invocation_id} --times 20    does it fail now and then?")
    else:
        failed = failure_line(run.error_type, run.message, run.file, run.line)
        echo(one_line(f"the replay failed, and cannot be gone back in: {failed}", 300))
    for text in outcome.notes:
        note(one_line(text, 300))
    return ExitCode.FAILED if run.outcome == "passed" else ExitCode.REFUSED
