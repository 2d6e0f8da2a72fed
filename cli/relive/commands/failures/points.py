"""`relive break`, `relive logpoint`: lines of functions that run, without a new deploy."""

from __future__ import annotations

from typing import Any

import click
from relive_base.errors import ExitCode, UsageError
from relive_base.terminal import one_line

from relive.arguments.completing import complete_function
from relive.arguments.durations import DURATION
from relive.output import Column, echo, emit, json_option, wide_option
from relive.session import Session

__all__ = ["break_", "logpoint"]

_BREAK_S = 600.0
_LOG_S = 600.0
COLUMNS = [
    Column("number", "point", style="cyan", right=True),
    Column("kind", "kind"),
    Column("function", "function", least=12, style="bold"),
    Column("place", "place", least=12),
    Column("condition", "if", least=8, rank=1),
    Column("text", "says", least=8, rank=1),
    Column("hits", "hits", right=True),
    Column("left", "left", right=True),
    Column("expires_s", "for", lambda s: f"{s:.0f} s", right=True),
    Column("problem", "problem", least=8, style="red"),
]


@click.command("break")
@click.argument("function", required=False, default="", shell_complete=complete_function)
@click.argument("place", required=False, default="", metavar="[FILE:LINE]")
@click.option("--if", "condition", default="", help="Only if this expression is true.")
@click.option(
    "--next", "count", type=click.IntRange(1), default=1, show_default=True, help="Hold so many invocations."
)
@click.option("--after", "--answer", "answer", default="", help="JSON that the caller gets; else a time-out.")
@click.option("--for", "for_s", type=DURATION, default=_BREAK_S, help="Wait for so long; default 10m.")
@click.option("--list", "listing", is_flag=True, help="List breakpoints and logpoints.")
@click.option("--remove", type=click.IntRange(1), default=None, help="Remove one by its number.")
@wide_option
@json_option
@click.pass_obj
def break_(
    session: Session,
    function: str,
    place: str,
    condition: str,
    count: int,
    answer: str,
    for_s: float,
    listing: bool,
    remove: int | None,
    wide: bool,
    as_json: bool,
) -> int:
    """Hold the next invocation of FUNCTION at a line, to be debugged there.

    The worker stays at the line, before it runs, as a failed one would: `relive debug` and editors look into
    it. Its caller is answered at once, as by a time-out or with --after; other invocations go on. FILE is
    relative to the function's folder.

    \b
    relive break checkout cart.py:33
    relive break checkout cart.py:33 --if 'total < 0' --next 2
    relive break checkout cart.py:17 --after '{"later": true}'
    relive break --list
    relive break --remove 3
    """
    if listing or remove is not None:
        _only(listing, remove, function, place)
        return _show(session, remove, wide, as_json)
    return _arm(session, function, place, condition, count, for_s, as_json, answer=answer)


@click.command()
@click.argument("function", required=False, default="", shell_complete=complete_function)
@click.argument("place", required=False, default="", metavar="[FILE:LINE]")
@click.argument("text", required=False, default="")
@click.option("--if", "condition", default="", help="Only if this expression is true.")
@click.option(
    "--hits",
    "count",
    type=click.IntRange(1),
    default=100,
    show_default=True,
    help="Gone after so many.",
)
@click.option("--for", "for_s", type=DURATION, default=_LOG_S, help="And after so long; default 10m.")
@click.option("--list", "listing", is_flag=True, help="List breakpoints and logpoints.")
@click.option("--remove", type=click.IntRange(1), default=None, help="Remove one by its number.")
@wide_option
@json_option
@click.pass_obj
def logpoint(
    session: Session,
    function: str,
    place: str,
    text: str,
    condition: str,
    count: int,
    for_s: float,
    listing: bool,
    remove: int | None,
    wide: bool,
    as_json: bool,
) -> int:
    """Log TEXT whenever FUNCTION comes to a line, without a new deploy.

    TEXT is an f-string without its quotes. Its expressions run in the function, before the line does: what
    they change is changed. The lines are among the invocation's logs (event relive.logpoint).

    \b
    relive logpoint checkout cart.py:33 'total={total}'
    relive logpoint checkout cart.py:33 '{cart["lines"]!r:.80}' --if 'total > 100' --hits 20 --for 1h
    relive logs checkout --follow
    relive logpoint --list
    """
    if listing or remove is not None:
        _only(listing, remove, function, place)
        return _show(session, remove, wide, as_json)
    if not text:
        hint = "relive logpoint checkout cart.py:33 'total={total}'"
        raise UsageError("a logpoint says something", hint=hint)
    return _arm(session, function, place, condition, count, for_s, as_json, text=text)


def _only(listing: bool, remove: int | None, function: str, place: str) -> None:
    if (listing and remove is not None) or function or place:
        raise UsageError("--list and --remove stand alone", hint="leave the rest out")


def _arm(
    session: Session,
    function: str,
    place: str,
    condition: str,
    count: int,
    for_s: float,
    as_json: bool,
    *,
    text: str = "",
    answer: str = "",
) -> int:
    from relive_platform.api import control_pb2 as pb

    file, _, number = place.rpartition(":")
    if not function or not file or not number.isascii() or not number.isdigit() or len(number) > 7:
        raise UsageError("give a function and a line of it", hint="such as: checkout cart.py:33")
    row = session.control().arm_point(
        pb.ArmPointRequest(
            function=function,
            file=file.removeprefix("./"),
            line=int(number),
            logs=bool(text),
            text=text,
            condition=condition,
            count=count,
            for_s=for_s,
            answer=answer,
        )
    )
    if as_json:
        emit([row], COLUMNS, as_json=True)
    else:
        _say(row, int(number))
    return ExitCode.DONE


def _say(row: dict[str, Any], asked: int) -> None:
    """`asked`: the line that was given."""
    if row["line"] != asked:
        echo(f"line {asked} is in the middle of a statement: the point is at its first line, {row['line']}")
    where = f"{one_line(row['function'])} v{row['version']} {one_line(row['file'])}:{row['line']}"
    point, until = f"point {row['number']}", f"within {row['expires_s']:.0f} s"
    if row["kind"] == "breakpoint":
        many = "invocation" if row["left"] == 1 else f"{row['left']} invocations"
        echo(f"{point}: the next {many} at {where} will be held, {until}; then:")
        echo(f"  relive debug {one_line(row['function'])}")
    else:
        echo(f"{point}: logs at {where}, {row['left']} times {until}; see them:")
        echo(f"  relive logs {one_line(row['function'])} --follow")


def _show(session: Session, remove: int | None, wide: bool, as_json: bool) -> int:
    if remove is not None:
        row = session.control().remove_point(remove)
        if as_json:
            emit([row], COLUMNS, as_json=True)
        else:
            echo(f"point {row['number']} is gone: {row['hits']} hits")
        return ExitCode.DONE
    rows = session.control().points()
    shown = [{**row, "place": f"{row['file']}:{row['line']}"} for row in rows]
    emit(rows, COLUMNS, as_json=as_json, empty="no breakpoint or logpoint is armed", wide=wide, shown=shown)
    return ExitCode.DONE
