"""`relive logs`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import click
from relive_base.errors import ExitCode
from relive_base.terminal import escape_terminal

from relive.durations import DURATION, since_ns
from relive.listing import check_function, tell_lateness
from relive.output import echo, emit_object, format_time, json_option
from relive.session import Session

__all__ = ["logs"]

_FLUSH_LIMIT_S = 2.0
_TRACEBACK_LINES = 40
_TRACEBACK_HEAD = 6
_COLORS = {"ERROR": "red", "FATAL": "red", "WARN": "yellow", "DEBUG": "bright_black", "TRACE": "bright_black"}


@click.command()
@click.argument("function", default="")
@click.option(
    "--invocation", default="", help="Only this invocation (an id, or the beginning of one, or last)."
)
@click.option("--since", type=DURATION, default=None, help="Only lines of the last 15m, 1h, ...")
@click.option(
    "--limit", type=click.IntRange(1, 1_000_000), default=200, show_default=True, help="The newest lines."
)
@click.option(
    "--tracebacks/--no-tracebacks", default=True, help="Under each line that has one; shown by default."
)
@click.option("--follow", "-f", is_flag=True, help="Go on as lines are written.")
@json_option
@click.pass_obj
def logs(
    session: Session,
    function: str,
    invocation: str,
    since: float | None,
    limit: int,
    tracebacks: bool,
    follow: bool,
    as_json: bool,
) -> int:
    """Show what functions printed and logged, with the invocation and trace of each line.

    \b
    relive logs checkout --follow
    relive logs --invocation last
    relive logs checkout --since 1h --json
    relive logs checkout --no-tracebacks
    """
    from relive_tracer.explore import invocations
    from relive_tracer.explore import logs as explore

    chosen = invocations.get(session.store(), invocation).invocation_id if invocation else ""
    if function and follow:
        check_function(session, function)
    feed = _begin_to_follow(session, function, chosen) if follow else None
    found = explore.LogFilter(function=function, invocation_id=chosen, since_ns=since_ns(since))
    rows = [_row(line) for line in explore.page(session.store(), found, limit=limit)]
    _print(sorted(rows, key=lambda row: row["timestamp_ns"]), as_json, tracebacks)
    if feed is not None:
        return _follow(feed, rows, as_json, tracebacks)
    if not rows and function:
        check_function(session, function)
    if not tell_lateness(session) and not rows and not as_json:
        echo(_nothing(function, chosen), err=True)
    return ExitCode.DONE if rows else ExitCode.FAILED


def _nothing(function: str, invocation_id: str) -> str:
    if invocation_id:
        return f"invocation {invocation_id} wrote no lines"
    return f"no lines; invoke something first: relive invoke {function or 'FUNCTION'}"


def _begin_to_follow(session: Session, function: str, invocation_id: str) -> Iterator[Any]:
    """Live lines; all earlier ones are in the store when this returns, so that none falls in between."""
    feed = session.control().follow_logs(function, invocation_id)
    session.control().status(flush_s=_FLUSH_LIMIT_S)
    return feed


def _follow(feed: Iterator[Any], shown: list[dict[str, Any]], as_json: bool, tracebacks: bool) -> int:
    """Live lines, without those that were just shown; ends by Ctrl-C or with the server."""
    known = Counter(map(_identity, shown))
    try:
        for batch in feed:
            rows = []
            for row in map(_row, batch.lines):
                if known[identity := _identity(row)] > 0:
                    known[identity] -= 1
                else:
                    rows.append(row)
            _print(rows, as_json, tracebacks)
            if batch.dropped:
                echo(f"({batch.dropped} lines dropped: this terminal was too slow)", err=True)
    except KeyboardInterrupt:
        pass
    return ExitCode.DONE


def _identity(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["timestamp_ns"], row["invocation_id"], row["source"], row["body"]


def _row(line: Any) -> dict[str, Any]:
    return {
        "timestamp_ns": line.timestamp_ns,
        "severity": line.severity,
        "body": line.body,
        "function": line.function,
        "invocation_id": line.invocation_id,
        "trace_id": line.trace_id,
        "span_id": line.span_id,
        "source": line.source,
        "stacktrace": _stacktrace(line),
    }


def _stacktrace(line: Any) -> str:
    """Of a line from the store, or of one that comes live."""
    attributes = getattr(line, "attributes", None)
    return line.stacktrace if attributes is None else str(attributes.get("exception.stacktrace", ""))


def _print(rows: Iterable[dict[str, Any]], as_json: bool, tracebacks: bool) -> None:
    for row in rows:
        if as_json:
            emit_object(row)
            continue
        head = click.style(
            f"{format_time(row['timestamp_ns'])} {row['severity']:<5}", fg=_COLORS.get(row["severity"])
        )
        name = escape_terminal(row["function"])
        click.echo(f"{head} {name} {row['invocation_id'][-12:]}  {escape_terminal(row['body'])}")
        for line in _folded(row["stacktrace"]) if tracebacks else ():
            click.echo(click.style(f"    {escape_terminal(line)}", dim=True))


def _folded(stacktrace: str) -> list[str]:
    """The lines of a traceback; of a long one its beginning and, longer, its end, which names the error."""
    lines = stacktrace.rstrip("\n").split("\n") if stacktrace else []
    left_out = len(lines) - _TRACEBACK_LINES
    if left_out <= 0:
        return lines
    return [
        *lines[:_TRACEBACK_HEAD],
        f"  … {left_out} more lines (--json has all) …",
        *lines[_TRACEBACK_HEAD + left_out :],
    ]
