"""One function gives every listing both its forms: a table for people, JSON lines for machines."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import click
from relive_base.errors import ReliveError
from relive_base.escapes import to_json
from relive_base.terminal import escape_terminal

from relive.output.table import GAP, Column, plain, rows_of

__all__ = [
    "Column",
    "echo",
    "echo_styled",
    "emit",
    "emit_object",
    "format_age",
    "format_bytes",
    "format_clock",
    "format_ms",
    "format_ns",
    "format_plain",
    "format_time",
    "format_utc",
    "has_colour",
    "json_option",
    "note",
    "print_table",
    "status_style",
    "styled",
    "table_width",
    "tell_error",
    "text_width",
    "wide_option",
]

MIN_WIDTH: Final = 40
PIPE_WIDTH: Final = 120

_NEVER = "-"
_EPOCH = datetime(1970, 1, 1)


def format_time(ns: object) -> str:
    """Local time of ns since the epoch, with the date if it is not today's; "-" for 0."""
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
    if ns >= 999.95e6:
        return f"{ns / 1e9:.2f} s"
    if ns >= 999.5e3:
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
    return plain(value)


def format_clock(ns: object) -> str:
    """Local time of ns since the epoch in few cells: the time of today, day and minute of this year, the date
    of an earlier one; "-" for 0."""
    if not isinstance(ns, int) or ns <= 0:
        return _NEVER
    moment, now = datetime.fromtimestamp(ns / 1e9), datetime.now()
    if moment.date() == now.date():
        return moment.strftime("%H:%M:%S")
    return moment.strftime("%m-%d %H:%M" if moment.year == now.year else "%Y-%m-%d")


def format_age(ns: object) -> str:
    """How long ago, "5m"; "in 5m" for what is to come; "-" for 0."""
    if not isinstance(ns, int) or ns <= 0:
        return _NEVER
    seconds = (time.time_ns() - ns) / 1e9
    if abs(seconds) < 1:
        return "now"
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")):
        if abs(seconds) >= size:
            text = f"{int(abs(seconds) // size)}{unit}"
            return text if seconds > 0 else f"in {text}"
    return _NEVER


json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
wide_option = click.option("--wide", is_flag=True, help="All columns, and no text cut.")


def echo(text: str = "", *, err: bool = False) -> None:
    """Print text that may hold anything: control characters are escaped, line breaks stay."""
    click.echo(escape_terminal(text), err=err)


def note(text: str, *, as_json: bool = False) -> None:
    """Something to know beside the rows, on standard error; with --json that is JSON, too."""
    click.echo(to_json({"note": text}).decode() if as_json else escape_terminal(text), err=True)


def tell_error(error: ReliveError, *, as_json: bool = False) -> None:
    """On standard error: what happened, where, and what to do about it."""
    if not as_json:
        click.echo(f"relive: {escape_terminal(str(error))}", err=True)
        return
    row = {
        "type": type(error).__name__,
        "message": error.message,
        "where": error.where,
        "hint": error.hint,
        "exit_status": int(error.exit_code),
    }
    click.echo(to_json({"error": row}).decode(), err=True)


def emit(
    rows: Iterable[Mapping[str, Any]],
    columns: list[Column],
    *,
    as_json: bool,
    empty: str = "nothing found",
    wide: bool = False,
    shown: Iterable[Mapping[str, Any]] | None = None,
) -> int:
    """Print `rows`; gives how many there were. `shown`: the same rows with what only people are shown."""
    listed = list(rows)
    if as_json:
        for row in listed:
            emit_object(row)
        return len(listed)
    if not listed:
        click.echo(empty, err=True)
        return 0
    print_table(list(shown) if shown is not None else listed, columns, wide=wide)
    return len(listed)


def emit_object(row: Mapping[str, Any]) -> None:
    """One JSON object on a line of its own. JSON escapes control characters by itself."""
    click.echo(to_json(row).decode())


def print_table(rows: list[Mapping[str, Any]], columns: list[Column], *, wide: bool = False) -> None:
    """A table as wide as the terminal. A pipe gets every text whole, as does --wide."""
    width = None if wide else table_width(os.environ, sys.stdout.isatty())
    colour = has_colour(os.environ, sys.stdout.isatty())
    for line in rows_of(rows, columns, width, wide=wide):
        cells = [styled(cell.text, cell.style) for cell in line]
        click.echo((" " * GAP).join(cells).rstrip(), color=colour)


def table_width(environment: Mapping[str, str], is_terminal: bool) -> int | None:
    """Cells that a table may take: COLUMNS if it is set, else the terminal's; None for a pipe."""
    given = environment.get("COLUMNS", "")
    if given.isdecimal() and int(given):
        return max(int(given), MIN_WIDTH)
    return max(shutil.get_terminal_size().columns, MIN_WIDTH) if is_terminal else None


def text_width() -> int:
    """Cells that a text for people may take."""
    return table_width(os.environ, sys.stdout.isatty()) or PIPE_WIDTH


def has_colour(environment: Mapping[str, str], is_terminal: bool) -> bool:
    """Whether to colour: at a terminal, unless NO_COLOR says no, or if FORCE_COLOR says so."""
    if environment.get("NO_COLOR"):
        return False
    if environment.get("FORCE_COLOR"):
        return True
    return is_terminal and environment.get("TERM") != "dumb"


def styled(text: str, style: str) -> str:
    """`text` in the colours and weights that `style` names: "red", "bold red", "dim"."""
    words = style.split()
    if not words:
        return text
    colour = next((word for word in words if word not in ("bold", "dim")), None)
    return click.style(text, fg=colour, bold="bold" in words or None, dim="dim" in words or None)


def echo_styled(lines: Iterable[tuple[str, str]]) -> None:
    """Print lines, escaped, each in its style."""
    colour = has_colour(os.environ, sys.stdout.isatty())
    for text, style in lines:
        click.echo(styled(escape_terminal(text), style), color=colour)


def status_style(row: Mapping[str, Any]) -> str:
    """Of a row with a status: green for ok, yellow for what was refused, red for what failed."""
    status = row.get("status")
    return "green" if status == "ok" else "yellow" if status in ("rejected", "lost") else "red"
