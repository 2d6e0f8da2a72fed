"""`relive diff`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import click
from relive_base.errors import ExitCode, UsageError

from relive.arguments.completing import complete_function
from relive.arguments.durations import DURATION, since_ns
from relive.arguments.weights import weight_option
from relive.output import Column, echo, echo_styled, emit_object, json_option, note, print_table, text_width
from relive.recorded.listing import check_function, empty_on_new_home, tell_lateness
from relive.session import Session

if TYPE_CHECKING:
    from relive_views.profiles.diff import HotFilter, Sides

__all__ = ["diff"]


def _ms(value: object) -> str:
    return f"{value:,.3f}" if isinstance(value, float) else "-"


def _change(value: object) -> str:
    return f"{value:+,.3f}" if isinstance(value, float) else "-"


COLUMNS = [
    Column("change_ms", "change", _change, right=True),
    Column("margin_ms", "± 95 %", _ms, right=True, rank=1, style="dim"),
    Column("before_self_ms", "before", _ms, right=True),
    Column("after_self_ms", "after", _ms, right=True),
    Column("name", "name", least=14, share=2, style="bold"),
    Column("where", "where", least=14, share=2),
    Column("verdict", "", lambda text: str(text), style="dim"),
]
_VERDICTS = {True: "", False: "noise", None: "too few to say"}


@click.command()
@click.argument("function", shell_complete=complete_function)
@click.option("--versions", default="", metavar="BEFORE,AFTER", help="Two versions: 3,4.")
@click.option("--slow", is_flag=True, help="The slowest 5 % against the others.")
@click.option("--failed", is_flag=True, help="Those that failed against those that went well.")
@click.option("--since", type=DURATION, default=None, help="Only profiles of the last 15m, 1h, ...")
@click.option("--by", type=click.Choice(["function", "line"]), default="function", show_default=True)
@click.option("--precise", is_flag=True, help="From pyinstrument's profiles instead of the sampled ones.")
@weight_option
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True)
@json_option
@click.pass_obj
@empty_on_new_home
def diff(
    session: Session,
    function: str,
    versions: str,
    slow: bool,
    failed: bool,
    since: float | None,
    by: str,
    precise: bool,
    weight: Literal["wall", "cpu"],
    limit: int,
    as_json: bool,
) -> int:
    """Show what became slower or faster between two sets of invocations, in ms per invocation.

    \b
    relive diff checkout --versions 3,4
    relive diff checkout --slow --since 1h
    relive diff checkout --failed --by line
    relive diff checkout --versions 3,4 --weight cpu        what computes; waiting is left out

    Each change comes with how far it may be off: what is smaller than that is called noise.
    """
    from relive_profiler.explore.diff_tree import render_diff_tree
    from relive_views.profiles import diff as views

    if bool(versions) + slow + failed != 1:
        raise UsageError("what is to be compared?", hint="one of --versions 3,4, --slow, --failed")
    check_function(session, function)
    wanted = views.HotFilter(function=function, since_ns=since_ns(since), engine="precise" if precise else "")
    store = session.store()
    if slow:
        sides = views.sides_of_slow(store, wanted)
    elif failed:
        sides = views.sides_of_failed(wanted)
    else:
        sides = _versions(wanted, versions)
    found = views.diff(store, sides, "line" if by == "line" else "function", limit, weight)
    told = found.as_json()
    if as_json:
        emit_object(told)
        return ExitCode.DONE
    list_ = found.found
    times = "ms on the CPU" if weight == "cpu" else "ms"
    echo_styled([(f"{list_.before_ms:,.3f} -> {list_.after_ms:,.3f} {times} per invocation", "bold")])
    before = f"{list_.before_invocations:,} {found.before}"
    echo_styled([(f"  {before} -> {list_.after_invocations:,} {found.after} · {list_.engine}", "dim")])
    echo("")
    rows: list[Mapping[str, Any]] = [{**row, "verdict": _VERDICTS[row["certain"]]} for row in told["rows"]]
    print_table(rows, COLUMNS)
    lines = render_diff_tree(found.tree, text_width())
    if lines:
        echo("")
        for line in lines:
            echo(line)
    note(list_.note)
    tell_lateness(session)
    return ExitCode.DONE


def _versions(wanted: HotFilter, text: str) -> Sides:
    from dataclasses import replace

    parts = [part.strip() for part in text.split(",")]
    if len(parts) != 2 or not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise UsageError(f"{text!r} are not two versions", hint="as in --versions 3,4")
    first, second = (replace(wanted, version=int(part)) for part in parts)
    return first, second, f"of version {parts[0]}", f"of version {parts[1]}"
