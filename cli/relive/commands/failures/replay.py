"""`relive replay`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec
from relive_base.errors import ExitCode, UsageError
from relive_base.terminal import one_line, title_line

from relive.arguments.completing import complete_failure
from relive.debugging.replaying import debugger, find_scene, run_again
from relive.output import echo, emit_object, json_option
from relive.recorded.scenes import is_from_elsewhere
from relive.session import Session

if TYPE_CHECKING:
    from relive_platform.replay import ReplayOutcome, ReplayRun
    from relive_views.scenes.archives import SceneFile

__all__ = ["failure_line", "replay", "travel_in"]

_SAID = {
    "same": "the same failure",
    "other": "another failure",
    "passed": "it passed",
    "past": "past the failing line",
    "unrecorded": "it came to a call that is not in the scene",
    "mixed": "it varies from run to run",
}
_SHOWN = 8


@click.command()
@click.argument(
    "ident", default="last", metavar="[ID | FUNCTION | last | FILE]", shell_complete=complete_failure
)
@click.option(
    "--code",
    type=click.Path(exists=True, path_type=Path),
    default=None,
    help="Run this working copy (a folder or a relive.toml) instead of the version that failed.",
)
@click.option(
    "--live", is_flag=True, help="Let calls reach the network instead of answering them from the scene."
)
@click.option(
    "--times", type=click.IntRange(1, 1000), default=1, show_default=True, help="Run it so many times."
)
@click.option(
    "--answer",
    "answers",
    multiple=True,
    metavar="CALL=JSON",
    help="Answer calls that are not in the scene: a function's name, a URL, or method and URL; CALL=@FILE.",
)
@click.option("--trust", is_flag=True, help="Run the sources in the scene if the code is not deployed here.")
@click.option(
    "--python",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Of what was recorded outside of Relive: a Python whose packages it gets.",
)
@click.option("--pdb", "debug", is_flag=True, help="A real pdb in the process of the run that fails.")
@click.option(
    "--travel", is_flag=True, help="The same, and back from there: rs, rr, goto, origin, values, why."
)
@click.option("--command", "-c", "commands", multiple=True, help="A command of the debugger; then it ends.")
@json_option
@click.pass_obj
def replay(
    session: Session,
    ident: str,
    code: Path | None,
    live: bool,
    times: int,
    answers: tuple[str, ...],
    trust: bool,
    python: Path | None,
    debug: bool,
    travel: bool,
    commands: tuple[str, ...],
    as_json: bool,
) -> int:
    """Run a failed invocation again: the same event, code, dependencies, calls, clock and random numbers.

    Needs no server. Calls are answered from the recording in the scene; a call that was not recorded fails
    and is named. The exit status is 0 if it passed, 1 if it failed (the same way or another), made a call
    that was not recorded ("unrecorded"), or failed after it had left the failing line without that failure
    ("past"); 4 if it cannot be replayed.

    \b
    relive replay                        the newest failure
    relive replay checkout               the newest one of a function
    relive replay 01a2086a --times 20    is it flaky?
    relive replay last --code .          does my fix survive the event?
    relive replay last --code . --answer orders='{"id": 7}'   ... where it now goes on to a new call
    relive replay last --pdb             look at the failure where it happens again
    relive replay last --travel          go back from it, line by line
    relive replay last --travel -c why   where does the bad value come from?
    relive replay ./theirs.scene --json
    """
    from relive_platform.replay import ReplayOptions
    from relive_platform.replay.answers import read_answers

    debug = debug or travel
    if debug and as_json:
        raise UsageError("--pdb, --travel and --json cannot be combined", hint="leave one of them out")
    if commands and not debug:
        raise UsageError("-c is for a debugger", hint="add --pdb or --travel")
    talk = debugger(session, commands) if debug else None
    scene = find_scene(session, ident)
    options = ReplayOptions(
        code=code, live=live, times=times, trust=trust, travel=travel, debug=talk,
        answers=read_answers(answers), python=python, elsewhere=is_from_elsewhere(session, ident, scene),
    )  # fmt: skip
    outcome = run_again(session, scene, options)
    if as_json:
        emit_object(_as_json(outcome))
    else:
        _print(outcome)
    return ExitCode.DONE if outcome.outcome == "passed" else ExitCode.FAILED


def travel_in(session: Session, ident: str, scene: SceneFile, commands: tuple[str, ...]) -> int:
    """Back from a failure, as `--travel` does. What the archive brings along is not run. Raises ReliveError
    if it cannot be replayed here."""
    from relive_platform.replay import ReplayOptions

    elsewhere = is_from_elsewhere(session, ident, scene)
    options = ReplayOptions(travel=True, debug=debugger(session, commands), elsewhere=elsewhere)
    outcome = run_again(session, scene, options)
    _print(outcome)
    return ExitCode.DONE if outcome.outcome == "passed" else ExitCode.FAILED


def _as_json(outcome: ReplayOutcome) -> dict[str, Any]:
    runs = [_run_json(run) for run in outcome.runs]
    last = runs[-1]
    return {
        "invocation_id": outcome.invocation_id,
        "attempt": outcome.attempt,
        "function": outcome.function,
        "version": outcome.version,
        "code": outcome.code,
        "outcome": outcome.outcome,
        "counts": outcome.counts,
        "recorded": {
            "type": outcome.recorded_type,
            "message": outcome.recorded_message,
            "file": outcome.recorded_file,
            "line": outcome.recorded_line,
        },
        "error": last["error"],
        "difference": last["differences"][0] if last["differences"] else None,
        "seconds": round(outcome.seconds, 3),
        "notes": outcome.notes,
        "runs": runs,
    }


def _run_json(run: ReplayRun) -> dict[str, Any]:
    error = None
    if run.outcome != "passed":
        error = {
            "type": run.error_type,
            "message": run.message,
            "kind": run.kind,
            "file": run.file,
            "line": run.line,
            "fingerprint": run.fingerprint,
        }
    return {
        "outcome": run.outcome,
        "seconds": round(run.seconds, 3),
        "error": error,
        "differences": msgspec.to_builtins(run.differences),
        "result": run.result,
        "calls": msgspec.to_builtins(run.calls),
        "log": run.log,
    }


def _print(outcome: ReplayOutcome) -> None:
    mark = "✔" if outcome.outcome == "passed" else "✖"
    echo(f"{mark} {_SAID[outcome.outcome]}  {one_line(outcome.function)} on {one_line(outcome.code)}")
    if len(outcome.runs) > 1:
        counted = ", ".join(f"{count} {name}" for name, count in outcome.counts.items() if count)
        echo(f"  {len(outcome.runs)} runs: {counted}")
    run = outcome.runs[-1]
    recorded = failure_line(
        outcome.recorded_type, outcome.recorded_message, outcome.recorded_file, outcome.recorded_line
    )
    echo(one_line(f"  recorded  {recorded}", 200))
    if run.outcome == "passed":
        text = msgspec.json.encode(run.result).decode()
        echo(one_line(f"  result    {text}", 200))
    else:
        echo(one_line(f"  replayed  {failure_line(run.error_type, run.message, run.file, run.line)}", 200))
    _print_differences(run)
    _print_calls(run)
    _print_refused(run)
    for note in outcome.notes:
        echo(one_line(f"  note: {note}", 200))


def _print_refused(run: ReplayRun) -> None:
    """What to do about a call that has no answer."""
    if run.outcome not in ("unrecorded", "past") or not run.calls.missing:
        return
    if run.outcome == "past":
        echo(f"  {_SAID['unrecorded']}")
    method, _, called = run.calls.missing[-1].partition(" ")
    if run.calls.answered and not run.calls.unused:
        lets = "" if method in ("CALL", "SEND") else "; --live lets it be made"
        echo(f"  after all the recorded ones, without the recorded failure{lets}")
    if method.isupper() and called:
        echo(one_line(f"  to answer it yourself: --answer {shlex.quote(f'{called}=JSON')}", 200))


def failure_line(error_type: str, message: str, file: str, line: int) -> str:
    """ "KeyError: 'sku'  main.py:7"; what is not there leaves no gap."""
    said = f"{error_type}: {title_line(message)}" if message.strip() else error_type
    return f"{said}  {file}:{line}" if file else said


def _print_differences(run: ReplayRun) -> None:
    for found in run.differences[:_SHOWN]:
        echo(one_line(f"  {found.what}: {title_line(found.recorded)}", 200))
        echo(one_line(f"  {'':<{len(found.what)}}  now {title_line(found.replayed)}", 200))
    more = len(run.differences) - _SHOWN
    if more > 0:
        echo(f"  … {more} more differences")


def _print_calls(run: ReplayRun) -> None:
    calls = run.calls
    if calls.answered or calls.unused or calls.missing or calls.given:
        echo(f"  calls: {calls.answered} answered from the scene, {len(calls.unused)} recorded ones not made")
    for title, places in (
        ("not in the scene", calls.missing),
        ("answered by --answer", calls.given),
        ("not made", calls.unused),
        ("given by --answer, and no call was for it", calls.unasked),
        ("sent another body", calls.differing),
    ):
        for place in places[:_SHOWN]:
            echo(one_line(f"    {title}: {place}", 200))
