"""`relive sql`: a read-only query on everything that was recorded."""

from __future__ import annotations

import re
import sys

import click

from relive.arguments.durations import WAIT
from relive.output import Column, emit, format_utc, json_option, wide_option
from relive.session import Session

__all__ = ["sql"]

_TIME = re.compile(r"(Nullable\()?DateTime")
_NUMBER = re.compile(r"(Nullable\()?(U?Int|Float|Decimal)")
_LEAST_TEXT = 12


@click.command()
@click.argument("query")
@click.option(
    "--timeout", "timeout_s", type=WAIT, default=30.0, help="Give up after this long.  [default: 30s]"
)
@click.option(
    "--limit", type=click.IntRange(1, 1_000_000), default=10_000, show_default=True, help="Rows at the most."
)
@wide_option
@json_option
@click.pass_obj
def sql(session: Session, query: str, timeout_s: float, limit: int, wide: bool, as_json: bool) -> None:
    """Run a read-only ClickHouse QUERY (- reads it from standard input).

    \b
    relive sql "SELECT Function, count() FROM invocations GROUP BY Function"
    relive sql "SHOW TABLES"
    relive sql - --json < query.sql

    Times are shown in UTC, and as ns since the epoch with --json.
    """
    text = sys.stdin.read() if query == "-" else query
    columns = session.store().query(text, timeout_s=timeout_s, max_rows=limit, read_only=True)
    shown = [_column(name, kind) for name, kind in zip(columns.names, columns.types, strict=True)]
    emit(columns.dicts(), shown, as_json=as_json, empty="no rows", wide=wide)


def _column(name: str, kind: str) -> Column:
    """Numbers and times are whole, texts share the width."""
    if _TIME.match(kind):
        return Column(name, name, format_utc)
    numbers = _NUMBER.match(kind) is not None
    return Column(name, name, right=numbers, least=0 if numbers else _LEAST_TEXT)
