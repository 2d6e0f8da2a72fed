"""`relive usage`."""

from __future__ import annotations

import time
from typing import Final

import click

from relive.arguments.completing import complete_function
from relive.output import (
    Column,
    echo,
    format_bytes,
    json_option,
    wide_option,
)
from relive.recorded.listing import emit_recorded, empty_on_new_home
from relive.session import Session

__all__ = ["usage"]

_DAYS: Final = 30


def _seconds(ns: int) -> str:
    return f"{ns / 1e9:,.3f} s"


def _gb_s(value: float) -> str:
    return f"{value:,.3f}"


COLUMNS = [
    Column("day", "day (UTC)", style="dim"),
    Column("app", "application", least=12, rank=3),
    Column("function", "function", least=20, style="bold"),
    Column("version", "version", lambda number: f"v{number}" if number else "", rank=2),
    Column("invocations", "invocations", right=True),
    Column("attempts", "attempts", right=True, rank=5),
    Column("failed", "failed", right=True, rank=6),
    Column("gb_s", "GB-s", _gb_s, right=True),
    Column("duration_ns", "handler", _seconds, right=True, rank=1),
    Column("start_ns", "cold starts", _seconds, right=True, rank=7),
    Column("egress_bytes", "egress", format_bytes, right=True),
    Column("ingress_bytes", "ingress", format_bytes, right=True, rank=8),
    Column("cpu_ns", "CPU", _seconds, right=True, wide=True),
    Column("start_gb_s", "GB-s of starts", _gb_s, right=True, wide=True),
    Column("rejected", "rejected", right=True, wide=True),
    Column("largest_rss_bytes", "largest", format_bytes, right=True, wide=True),
]


@click.command()
@click.argument("function", default="", shell_complete=complete_function)
@click.option(
    "--by",
    default="day,function,version",
    metavar="KEYS",
    help="What makes a row: day, app, function, version.  [default: day,function,version]",
)
@click.option(
    "--days",
    type=click.IntRange(1, 36_500),
    default=_DAYS,
    help="So many days, today included.",
    show_default=True,
)
@wide_option
@json_option
@click.pass_obj
@empty_on_new_home
def usage(session: Session, function: str, by: str, days: int, wide: bool, as_json: bool) -> int:
    """What functions have used: invocations, GB-seconds, bytes of answers, by function, version and day.

    \b
    relive usage
    relive usage checkout --by day
    relive usage --by app --days 7 --json
    relive sql "SELECT Function, sum(GbSeconds) FROM usage GROUP BY Function"

    GB-s: the memory that a function reserves (memory_mb, in GiB) times the time of its handler, added up over
    every attempt. Cold starts are counted apart. Days are UTC. Needs no server.
    """
    from relive_views import usage as views

    keys = _keys(by, views.KEYS)
    since = time.strftime("%Y-%m-%d", time.gmtime(time.time() - (days - 1) * 86_400))
    rows = views.usage(session.store(), keys, since_day=since, function=function)
    shown = [column for column in COLUMNS if column.key not in views.KEYS or column.key in keys]
    count = emit_recorded(
        session,
        [views.usage_json(row) for row in rows],
        shown,
        function=function,
        as_json=as_json,
        wide=wide,
        empty=f"nothing ran in the last {days} days",
    )
    if len(rows) > 1 and not as_json:
        whole = views.total(rows)
        echo(
            f"in all {whole.invocations:,} invocations, {_gb_s(whole.gb_s)} GB-s,"
            f" {format_bytes(whole.egress_bytes)} of answers"
        )
    return count


def _keys(text: str, known: tuple[str, ...]) -> list[str]:
    keys = [part.strip() for part in text.split(",") if part.strip()]
    for key in keys:
        if key not in known:
            raise click.UsageError(f"--by: {key!r} is not known: use {', '.join(known)}")
    return keys
