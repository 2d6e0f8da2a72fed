"""`relive hot`, `relive flame` and `relive profile`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click
from relive_base.errors import ExitCode, NotFound, UsageError

from relive.arguments.belonging import goes_with
from relive.arguments.completing import complete_function, complete_invocation
from relive.arguments.durations import DURATION, since_ns
from relive.arguments.weights import weight_option
from relive.output import Column, echo, emit_object, json_option, note, wide_option
from relive.output.files import writing
from relive.recorded.listing import emit_recorded, empty_on_new_home, finder, function_names, tell_lateness
from relive.session import Session

if TYPE_CHECKING:
    from relive_views.profiles.hot import HotFilter
    from relive_views.profiles.trees import Weight

__all__ = ["flame", "hot", "profile"]

_FORMATS = ("text", "html", "speedscope", "collapsed", "pprof", "otlp", "json")
_BINARY = ("pprof", "otlp")
_EMPTY = {
    "invoke": "no samples; invoke a function that runs a few ms",
    "init": "no samples of cold starts: there was none, or each took less than a few ms",
}


def _seconds(value: object) -> str:
    """Below a tenth of a second in ms: two digits of seconds would show nothing of it."""
    if not isinstance(value, int | float):
        return "-"
    return f"{value:.2f} s" if value >= 0.1 or value == 0 else f"{value * 1e3:.1f} ms"


COLUMNS = [
    Column("self_pct", "self %", lambda value: f"{value:.1f}", right=True),
    Column("self_s", "self", _seconds, right=True),
    Column("self_cpu_s", "on CPU", _seconds, right=True, rank=1),
    Column("total_s", "total", _seconds, right=True, rank=1),
    Column("name", "name", least=14, share=2, style="bold"),
    Column("where", "where", least=14, share=2),
    Column("function", "function", least=12, style="cyan"),
    Column("samples", "samples", right=True, rank=2),
    Column("invocations", "invocations", right=True, rank=3),
    Column("file", "file", wide=True),
]


@click.command()
@click.argument("function", default="", shell_complete=complete_function)
@click.option(
    "--version", "version", type=click.IntRange(1, 2**31 - 1), default=None, help="Only this version."
)
@click.option("--since", type=DURATION, default=None, help="Only profiles of the last 15m, 1h, ...")
@click.option(
    "--by",
    type=click.Choice(["function", "line", "module"]),
    default="line",
    show_default=True,
    help="module: of what cold starts import.",
)
@click.option(
    "--phase",
    type=click.Choice(["invoke", "init"]),
    default=None,
    help="Default: invoke; with --by module init.",
)
@click.option("--precise", is_flag=True, help="From pyinstrument's profiles instead of the sampled ones.")
@weight_option
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True)
@wide_option
@json_option
@click.pass_obj
@empty_on_new_home
def hot(
    session: Session,
    function: str,
    version: int | None,
    since: float | None,
    by: Literal["function", "line", "module"],
    phase: str | None,
    precise: bool,
    weight: Literal["wall", "cpu"],
    limit: int,
    wide: bool,
    as_json: bool,
) -> int:
    """Show the hottest lines (or functions) of all invocations, by their own time.

    \b
    relive hot checkout
    relive hot checkout --by function --since 1h
    relive hot checkout --weight cpu        what computes; waiting is left out
    relive hot report --phase init          where the cold start goes
    relive hot report --by module           the same by the modules that it imports
    """
    from relive_views.profiles import hot as views

    wanted = views.HotFilter(
        function=function,
        version=version or 0,
        since_ns=since_ns(since),
        phase=phase or ("init" if by == "module" else "invoke"),
        engine="precise" if precise else "",
    )
    found = views.hot(session.store(), wanted, by, limit, weight)
    shown = emit_recorded(
        session,
        [entry.as_json() for entry in found.rows],
        [column for column in COLUMNS if weight == "wall" or column.key != "self_cpu_s"],
        function=function,
        as_json=as_json,
        empty=_EMPTY[wanted.phase],
        wide=wide,
    )
    if shown and not as_json:
        what = "cold start" if wanted.phase == "init" else "invocation"
        invocations = f"1 {what}" if found.invocations == 1 else f"{found.invocations:,} {what}s"
        times = "time on the CPU, " if weight == "cpu" else ""
        note(f"{times}of {invocations}: {found.note or f'{found.samples:,} samples'}")
    return ExitCode.DONE


@click.command()
@click.argument("subject", default="", metavar="FUNCTION | ID | last", shell_complete=complete_invocation)
@click.option("--format", "form", type=click.Choice(_FORMATS), default="text", show_default=True)
@click.option("--since", type=DURATION, default=None, help="For a function: only the last 15m, 1h, ...")
@click.option(
    "--phase",
    type=click.Choice(["invoke", "init"]),
    default=None,
    help="Default: invoke; with --imports init.",
)
@click.option("--precise", is_flag=True, help="From pyinstrument's profiles instead of the sampled ones.")
@weight_option
@click.option("--span", "span", default="", help="Only inside this span: its id, or the beginning of it.")
@click.option(
    "--imports", is_flag=True, help="What cold starts import: the modules, as they import each other."
)
@click.option("--output", "-o", type=click.Path(path_type=Path), help="A file instead of standard output.")
@click.pass_obj
def flame(
    session: Session,
    subject: str,
    form: str,
    since: float | None,
    phase: str | None,
    precise: bool,
    weight: str,
    span: str,
    imports: bool,
    output: Path | None,
) -> int:
    """Show where the time went, as a call tree: of one invocation, one span, or all of a function.

    \b
    relive flame checkout
    relive flame last --format html --output flame.html
    relive flame --span 3f2a91c0             the samples taken inside a span
    relive flame checkout --imports         what cold starts import
    relive flame checkout --format speedscope --output checkout.speedscope.json
    relive flame checkout --format pprof --output checkout.pb.gz      for `go tool pprof`
    """
    if not subject and not span:
        raise UsageError("a function, an invocation, or --span is missing", hint="relive flame last")
    if form in _BINARY and output is None:
        raise UsageError(f"--format {form} is no text", hint="name a file: --output FILE")
    from relive_profiler.explore import export
    from relive_profiler.explore import flame as explore
    from relive_views.profiles.hot import HotFilter

    found = HotFilter(
        since_ns=since_ns(since),
        phase=phase or ("init" if imports else "invoke"),
        engine="precise" if precise else "",
    )
    if span:
        goes_with("a function", "since", hint="a span has a time of its own: leave it out")
        found = _inside(session, found, span, subject)
    else:
        invocation_ids = _invocation(session, subject)
        if invocation_ids:
            goes_with("a function", "since", hint="an invocation has a time of its own: leave it out")
        found = replace(found, function="" if invocation_ids else subject, invocation_ids=invocation_ids)
    chosen: Weight = "cpu" if weight == "cpu" else "wall"
    tree = explore.flame(session.store(), found, weight=chosen, imports=imports)
    data = export.export_bytes(tree, "imports" if imports and form == "text" else form)
    tell_lateness(session)
    if output is None:
        echo(data.decode())
    else:
        with writing(output):
            output.write_bytes(data)
        echo(f"{output}  {len(data):,} bytes", err=True)
    return ExitCode.DONE


def _inside(session: Session, found: HotFilter, span: str, subject: str) -> HotFilter:
    """Of a span; `subject` says of which trace it is."""
    from relive_views.profiles import spans

    store = session.store()
    view = spans.span(store, span, finder(session).trace(subject) if subject else "")
    wanted = spans.filter_of(view)
    if view.note:
        note(f"note: only {view.note}: samples of later ones below it are missing")
    return replace(
        found, invocation_ids=wanted.invocation_ids, span_ids=wanted.span_ids, phase=wanted.phase, since_ns=0
    )


def _invocation(session: Session, subject: str) -> tuple[str, ...]:
    """The invocation that `subject` names, or nothing if it is a function's name."""
    from relive_tracer.explore import invocations as explore

    if subject != "last" and explore.page(
        session.store(), explore.InvocationFilter(function=subject), limit=1
    ):
        return ()
    try:
        return (finder(session).invocation(subject).ident,)
    except NotFound:
        if subject in function_names(session):
            return ()  # it has not been invoked
        raise


@click.command()
@click.argument("function", shell_complete=complete_function)
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
        one = accepted == 1
        echo(
            f"the next {'invocation' if one else f'{accepted} invocations'} of {function} "
            f"{'is' if one else 'are'} profiled; then:"
        )
        echo(f"  relive flame {function} --precise")
