"""One function gives every listing both its forms: a table for people, JSON lines for machines."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import click
from relive_base.escapes import to_json
from relive_base.terminal import escape_terminal, one_line, title_line

__all__ = [
    "Column",
    "echo",
    "emit",
    "emit_object",
    "format_bytes",
    "format_message",
    "format_ms",
    "format_ns",
    "format_plain",
    "format_time",
    "format_utc",
    "json_option",
]

_NEVER = "-"
_EPOCH = datetime(1970, 1, 1)


def format_time(ns: object) -> str:
    """Local time of ns since the epoch, with the date where it is not today's; "-" for 0."""
    if not isinstance(ns, int) or ns <= 0:
        return _NEVER
    moment = datetime.fromtimestamp(ns / 1e9)
    today = moment.date() == datetime.now().date()
    return moment.strftime("%H:%M:%S.%f" if today else "%Y-%m-%d %H:%M:%S.%f")[:-3]


def format_utc(ns: object) -> str:
    """Ns since the epoch as date and time in UTC, with the fraction that there is."""
    if not isinstance(ns, int):
        return _NEVER
    seconds, fraction = divmod(ns, 1_000_000_000)
    moment = (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%d %H:%M:%S")
    return f"{moment}.{fraction:09d}".rstrip("0") if fraction else moment


def format_ns(ns: object) -> str:
    """A duration in ns as people say it."""
    if not isinstance(ns, int | float) or ns < 0:
        return _NEVER
    if ns >= 1e9:
        return f"{ns / 1e9:.2f} s"
    if ns >= 1e6:
        return f"{ns / 1e6:.1f} ms"
    return f"{ns / 1e3:.0f} us"


def format_ms(ms: object) -> str:
    """A duration in ms as people say it."""
    return format_ns(ms * 1e6) if isinstance(ms, int | float) else _NEVER


def format_bytes(count: object) -> str:
    """A size with its unit."""
    if not isinstance(count, int | float) or count <= 0:
        return _NEVER
    value = float(count)
    for unit in ("B", "KB", "MB"):
        if value < 1024:
            return f"{value:.0f} {unit}"
        value /= 1024
    return f"{value:.1f} GB"


def format_plain(value: object) -> str:
    """Anything else, safe for a terminal."""
    if value is None:
        return _NEVER
    return one_line(value) if isinstance(value, str) else one_line(str(value))


def format_message(value: object) -> str:
    """An exception's message on one line: where one of its lines ends, a mark."""
    return title_line(str(value)) if value else _NEVER


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the table for people; `key` names the field of the row."""

    key: str
    title: str
    show: Callable[[Any], str] = field(default=format_plain)
    right: bool = False
    width: int | None = None


json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")


def echo(text: str = "", *, err: bool = False) -> None:
    """Print text that may hold anything: control characters are escaped, line breaks stay."""
    click.echo(escape_terminal(text), err=err)


def emit(
    rows: Iterable[Mapping[str, Any]], columns: list[Column], *, as_json: bool, empty: str = "nothing found"
) -> int:
    """Print `rows`; gives how many there were."""
    if as_json:
        count = 0
        for row in rows:
            emit_object(row)
            count += 1
        return count
    listed = list(rows)
    if not listed:
        click.echo(empty, err=True)
        return 0
    _table(listed, columns)
    return len(listed)


def emit_object(row: Mapping[str, Any]) -> None:
    """One JSON object on a line of its own. JSON escapes control characters by itself."""
    click.echo(to_json(row).decode())


def _table(rows: list[Mapping[str, Any]], columns: list[Column]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    for column in columns:
        table.add_column(
            column.title,
            justify="right" if column.right else "left",
            overflow="ellipsis",
            no_wrap=True,
            max_width=column.width,
        )
    for row in rows:
        table.add_row(*(Text(column.show(row.get(column.key))) for column in columns))
    # A pipe gets every column whole; a terminal gets its own width.
    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else 240, highlight=False)
    console.print(table)
