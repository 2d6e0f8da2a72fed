"""`relive logs`."""

from __future__ import annotations

import os
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click
from relive_base.errors import ExitCode, NotFound, UsageError
from relive_tracer.explore.rows import SEVERITY_NUMBERS
from relive_views.ids import short_ids

from relive.arguments.completing import complete_invocation
from relive.arguments.durations import DURATION, since_ns
from relive.output import echo, emit_object, has_colour, json_option, note, table_width
from relive.output.log_lines import LineForm
from relive.recorded.listing import empty_on_new_home, finder, function_names, tell_lateness
from relive.session import Session

if TYPE_CHECKING:
    from relive_tracer.explore.logs import LogFilter

__all__ = ["logs"]

_FLUSH_LIMIT_S = 2.0
_NAME_WIDTH = 24
_SPAN_ID = re.compile(r"[0-9a-f]{16}")
LEVELS = ("trace", "debug", "info", "warn", "error", "fatal")


@click.command()
@click.argument("function", default="", metavar="[FUNCTION | ID]", shell_complete=complete_invocation)
@click.option(
    "--invocation",
    default="",
    help="Only this invocation: an id, its beginning, a function's newest, or last.",
)
@click.option("--trace", "trace", default="", help="Only this trace: the same, or a trace's id.")
@click.option("--span", "span", default="", help="Only what was written in this span: its id.")
@click.option(
    "--level",
    "--severity",
    "level",
    type=click.Choice(LEVELS, case_sensitive=False),
    help="Only this level and above.",
)
@click.option("--grep", "pattern", default="", help="Only lines that match this regular expression.")
@click.option(
    "--attr",
    "attributes",
    multiple=True,
    metavar="NAME=VALUE",
    help="Only lines with this attribute, or this field of a line in JSON; several: with all of them.",
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
@empty_on_new_home
def logs(
    session: Session,
    function: str,
    invocation: str,
    trace: str,
    span: str,
    level: str | None,
    pattern: str,
    attributes: tuple[str, ...],
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
    relive logs checkout --level warn --grep 'timeout|refused' --since 1h
    relive logs checkout --attr order.id=4711
    relive logs --trace checkout             all lines of the newest trace of a function
    relive logs checkout --no-tracebacks --json
    """
    from relive_tracer.explore import logs as explore
    from relive_tracer.explore.logs import LogFilter

    if span and not _SPAN_ID.fullmatch(span.lower()):
        raise UsageError(f"{span!r} is no span id", hint="16 hexadecimal digits: `relive trace ID --json`")
    given = LogFilter(
        function=function,
        invocation_id=invocation,
        trace_id=trace,
        span_id=span.lower(),
        severity=(level or "").upper(),
        pattern=pattern,
        attributes=_pairs(attributes),
        since_ns=since_ns(since),
    )
    wanted = _found(session, given)
    feed = _begin_to_follow(session, wanted.function, wanted.invocation_id) if follow else None
    rows = [_row(line) for line in explore.page(session.store(), wanted, limit=limit)]
    rows.sort(key=lambda row: row["timestamp_ns"])
    short = {} if as_json else short_ids(session.store(), (row["invocation_id"] for row in rows))
    form = LineForm(
        tracebacks=tracebacks,
        function=not wanted.function,
        invocation=not wanted.invocation_id,
        short=short,
        function_width=min(max((len(row["function"]) for row in rows), default=0), _NAME_WIDTH),
        width=table_width(os.environ, True) if sys.stdout.isatty() else None,
        colour=has_colour(os.environ, sys.stdout.isatty()),
    )
    _print(rows, None if as_json else form)
    if feed is not None:
        return _follow(feed, _Wanted(wanted), rows, None if as_json else form)
    if not tell_lateness(session, as_json=as_json) and not rows and not as_json:
        echo(_nothing(wanted), err=True)
    return ExitCode.DONE


def _pairs(given: Iterable[str]) -> dict[str, str]:
    """Raises UsageError."""
    found = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise UsageError(f"--attr {text!r} is not NAME=VALUE", hint="for example --attr order.id=4711")
        found[name] = value
    return found


def _found(session: Session, given: LogFilter) -> LogFilter:
    """With ids in place of names and beginnings. Raises NotFound, UsageError."""
    from relive_tracer.explore.logs import has_service

    try:
        re.compile(given.pattern)
    except re.error as error:
        raise UsageError(f"--grep {given.pattern!r} is not a regular expression: {error}") from error
    found = finder(session)
    function, invocation = given.function, given.invocation_id
    if function and not invocation and function not in function_names(session):
        try:
            invocation = found.invocation(function).ident
            function = ""
        except NotFound:
            if not has_service(session.store(), function):
                raise
    return replace(
        given,
        function=function,
        invocation_id=found.invocation(invocation).ident if invocation else "",
        trace_id=found.trace(given.trace_id) if given.trace_id else "",
    )


def _nothing(wanted: LogFilter) -> str:
    if wanted.severity or wanted.pattern or wanted.since_ns or wanted.attributes or wanted.span_id:
        return "no lines match"
    if wanted.invocation_id:
        return f"invocation {wanted.invocation_id} wrote no lines"
    if wanted.trace_id:
        return f"trace {wanted.trace_id} has no lines"
    return f"no lines; invoke something first: relive invoke {wanted.function or 'FUNCTION'}"


class _Wanted:
    """Which live lines are shown: the server chooses by function and invocation only."""

    def __init__(self, wanted: LogFilter) -> None:
        self._trace_id = wanted.trace_id
        self._least = SEVERITY_NUMBERS.get(wanted.severity, 0)
        self._pattern = re.compile(wanted.pattern)
        self._span_id = wanted.span_id
        self._attributes = wanted.attributes.items()

    def __call__(self, row: dict[str, Any]) -> bool:
        return (
            self._trace_id in ("", row["trace_id"])
            and self._span_id in ("", row["span_id"])
            and self._attributes <= row["attributes"].items()
            and SEVERITY_NUMBERS.get(row["severity"], 0) >= self._least
            and self._pattern.search(row["body"]) is not None
        )


def _begin_to_follow(session: Session, function: str, invocation_id: str) -> Iterator[Any]:
    """Live lines; all earlier ones are in the store when this returns, so that none falls in between."""
    feed = session.control().follow_logs(function, invocation_id)
    session.control().status(flush_s=_FLUSH_LIMIT_S)
    return feed


def _follow(feed: Iterator[Any], wanted: _Wanted, shown: list[dict[str, Any]], form: LineForm | None) -> int:
    """Live lines, without those that were just shown; ends by Ctrl-C or with the server."""
    known = Counter(map(_identity, shown))
    try:
        for batch in feed:
            rows = []
            for row in filter(wanted, map(_row, batch.lines)):
                if known[identity := _identity(row)] > 0:
                    known[identity] -= 1
                else:
                    rows.append(row)
            _print(rows, form)
            if batch.dropped:
                text = f"({batch.dropped} lines dropped: this terminal was too slow)"
                note(text, as_json=form is None)
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
        "attributes": {
            name: text for name, text in line.attributes.items() if name != "exception.stacktrace"
        },
    }


def _stacktrace(line: Any) -> str:
    """Of a line from the store, or of one that comes live."""
    return str(getattr(line, "stacktrace", "") or line.attributes.get("exception.stacktrace", ""))


def _print(rows: Iterable[dict[str, Any]], form: LineForm | None) -> None:
    """As people read it, or as JSON without a `form`."""
    for row in rows:
        if form is None:
            emit_object(row)
            continue
        for line in form.lines(row):
            click.echo(line, color=form.colour)
