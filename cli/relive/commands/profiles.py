"""`relive hot`, `relive flame` and `relive profile`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from relive_base.errors import ExitCode, NotFound
from relive_platform.names import unknown_name

from relive.durations import DURATION, since_ns
from relive.listing import emit_recorded, function_names, tell_lateness
from relive.output import Column, echo, emit_object, json_option
from relive.session import Session

__all__ = ["flame", "hot", "profile"]

_FORMATS = ("text", "html", "speedscope", "collapsed")


def _seconds(value: object) -> str:
    return f"{value:.3f} s" if isinstance(value, int | float) else "-"


def _columns(by: str) -> list[Column]:
    listed = [
        Column("self_pct", "self %", lambda value: f"{value:.1f}", right=True),
        Column("self_s", "self", _seconds, right=True),
        Column("total_s", "total", _seconds, right=True),
        Column("name", "name"),
        Column("where", "where"),
        Column("function", "function"),
        Column("samples", "samples", right=True),
        Column("invocations", "invocations", right=True),
    ]
    return [column for column in listed if by == "line" or column.key != "line"]


@click.command()
@click.argument("function", default="")
@click.option(
    "--version", "version", type=click.IntRange(1, 2**31 - 1), default=None, help="Only this version."
)
@click.option("--since", type=DURATION, default=None, help="Only profiles of the last 15m, 1h, ...")
@click.option("--by", type=click.Choice(["function", "line"]), default="line", show_default=True)
@click.option("--phase", type=click.Choice(["invoke", "init"]), default="invoke", show_default=True)
@click.option("--precise", is_flag=True, help="From pyinstrument's profiles instead of the sampled ones.")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True)
@json_option
@click.pass_obj
def hot(
    session: Session,
    function: str,
    version: int | None,
    since: float | None,
    by: str,
    phase: str,
    precise: bool,
    limit: int,
    as_json: bool,
) -> int:
    """Show the hottest lines (or functions) of all invocations, by their own time.

    \b
    relive hot checkout
    relive hot checkout --by function --since 1h
    relive hot report --phase init          where the cold start goes
    """
    from relive_profiler.explore import hot as explore
    from relive_profiler.explore.filters import HotFilter

    found = HotFilter(
        function=function,
        version=version or 0,
        since_ns=since_ns(since),
        phase=phase,
        engine="precise" if precise else "",
    )
    result = explore.hot(session.store(), found, "line" if by == "line" else "function", limit)
    rows = [_row(entry) for entry in result.rows]
    shown = emit_recorded(
        session,
        rows,
        _columns(by),
        function=function,
        as_json=as_json,
        empty="no samples; invoke a function that runs a few ms",
    )
    if shown and not as_json:
        echo(
            f"{result.samples:,} samples of {result.invocations:,} invocations. {result.note}".rstrip(),
            err=True,
        )
    return ExitCode.DONE if shown else ExitCode.FAILED


def _row(entry: Any) -> dict[str, Any]:
    return {
        "function": entry.function,
        "name": entry.name,
        "file": entry.file,
        "line": entry.line,
        "where": f"{Path(entry.file).name}:{entry.line}" if entry.line else Path(entry.file).name,
        "self_s": entry.self_s,
        "total_s": entry.total_s,
        "self_pct": entry.self_pct,
        "samples": entry.samples,
        "invocations": entry.invocations,
    }


@click.command()
@click.argument("subject", metavar="FUNCTION | INVOCATION ID | last")
@click.option("--format", "form", type=click.Choice(_FORMATS), default="text", show_default=True)
@click.option("--since", type=DURATION, default=None, help="For a function: only the last 15m, 1h, ...")
@click.option("--phase", type=click.Choice(["invoke", "init"]), default="invoke", show_default=True)
@click.option("--precise", is_flag=True, help="From pyinstrument's profiles instead of the sampled ones.")
@click.option("--output", "-o", type=click.Path(path_type=Path), help="A file instead of standard output.")
@click.pass_obj
def flame(
    session: Session,
    subject: str,
    form: str,
    since: float | None,
    phase: str,
    precise: bool,
    output: Path | None,
) -> int:
    """Show where the time went, as a call tree: of one invocation, or of all of a function.

    \b
    relive flame checkout
    relive flame last --format html --output flame.html
    relive flame checkout --format speedscope --output checkout.speedscope.json
    """
    from relive_profiler.explore import export
    from relive_profiler.explore import flame as explore
    from relive_profiler.explore.filters import HotFilter

    invocation_ids = _invocation(session, subject)
    found = HotFilter(
        function="" if invocation_ids else subject,
        since_ns=since_ns(since),
        phase=phase,
        engine="precise" if precise else "",
        invocation_ids=invocation_ids,
    )
    tree = explore.flame(session.store(), found)
    text = export.export(tree, form)
    tell_lateness(session)
    if output is None:
        echo(text)
    else:
        output.write_text(text, encoding="utf-8")
        echo(f"{output}  {len(text):,} characters", err=True)
    return ExitCode.DONE if tree.samples else ExitCode.FAILED


def _invocation(session: Session, subject: str) -> tuple[str, ...]:
    """The invocation that `subject` names, or nothing where it is a function's name."""
    from relive_tracer.explore import invocations as explore

    store = session.store()
    if subject != "last" and explore.page(store, explore.InvocationFilter(function=subject), limit=1):
        return ()
    try:
        return (explore.get(store, subject).invocation_id,)
    except NotFound as error:
        names = function_names(session)
        if subject in names:
            return ()  # it has not been invoked
        if subject == "last":
            raise
        raise unknown_name(
            NotFound, "function and no invocation", subject, names, "relive functions"
        ) from error


@click.command()
@click.argument("function")
@click.option(
    "--next",
    "count",
    type=click.IntRange(1, 1000),
    default=1,
    show_default=True,
    help="How many invocations.",
)
@json_option
@click.pass_obj
def profile(session: Session, function: str, count: int, as_json: bool) -> None:
    """Profile the next invocations of FUNCTION with pyinstrument, millisecond by millisecond.

    \b
    relive profile checkout --next 5
    relive flame checkout --precise
    """
    accepted = session.control().request_profiles(function, count)
    if as_json:
        emit_object({"function": function, "count": accepted})
    else:
        echo(f"the next {accepted} invocations of {function} are profiled; then:")
        echo(f"  relive flame {function} --precise")
