"""`relive invocations` and `relive trace`."""

from __future__ import annotations

import shutil
from typing import Any

import click
from relive_base.errors import ExitCode, UsageError
from relive_base.records import STATUSES

from relive.durations import DURATION, since_ns
from relive.listing import emit_recorded
from relive.output import (
    Column,
    echo,
    emit,
    format_bytes,
    format_message,
    format_ns,
    format_time,
    json_option,
)
from relive.session import Session

__all__ = ["invocations", "trace"]

_FIELDS = (
    "invocation_id", "attempt", "function", "version", "trigger", "status", "started_at", "queue_ns",
    "init_ns", "duration_ns", "cpu_ns", "peak_rss_bytes", "cold", "error_type", "error_message", "trace_id",
    "span_id", "worker_pid", "isolation_tier",
)  # fmt: skip

_COLUMNS = [
    Column("started_at", "time", format_time),
    Column("function", "function"),
    Column("status", "status"),
    Column("duration_ns", "took", format_ns, right=True),
    Column("peak_rss_bytes", "memory", format_bytes, right=True),
    Column("cold", "cold", lambda cold: "cold" if cold else ""),
    Column("error_type", "error"),
    Column("error_message", "message", format_message, width=40),
    Column("invocation_id", "invocation"),
]


@click.command()
@click.argument("function", default="")
@click.option("--status", default="", help=f"One or more, with commas, of: {', '.join(STATUSES)}.")
@click.option("--since", type=DURATION, default=None, help="Only those of the last 15m, 1h, ...")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True)
@json_option
@click.pass_obj
def invocations(
    session: Session, function: str, status: str, since: float | None, limit: int, as_json: bool
) -> int:
    """List invocations, newest first.

    \b
    relive invocations checkout --status error,timeout --since 1h
    relive invocations --json --limit 1000
    """
    from relive_tracer.explore import invocations as explore

    statuses = tuple(part.strip() for part in status.split(",") if part.strip())
    for part in statuses:
        if part not in STATUSES:
            raise UsageError(f"{part!r} is no status", remedy=f"one of: {', '.join(STATUSES)}")
    found = explore.InvocationFilter(function=function, statuses=statuses, since_ns=since_ns(since))
    rows = [_row(entry) for entry in explore.page(session.store(), found, limit=limit)]
    chosen = statuses or since is not None
    empty = f"no invocations{f' of {function}' if function else ''}" + (
        " match" if chosen else f"; make one: relive invoke {function or 'FUNCTION'}"
    )
    shown = emit_recorded(session, rows, _COLUMNS, function=function, as_json=as_json, empty=empty)
    return ExitCode.DONE if shown else ExitCode.FAILED


def _row(entry: Any) -> dict[str, Any]:
    return {name: getattr(entry, name) for name in _FIELDS}


@click.command()
@click.argument("ident", default="last", metavar="[TRACE ID | INVOCATION ID | last]")
@json_option
@click.pass_obj
def trace(session: Session, ident: str, as_json: bool) -> None:
    """Show one trace: the trigger, the queue, the cold start, the functions and their own spans.

    \b
    relive trace last
    relive trace 4bf92f35
    """
    from relive_tracer.explore import render, traces, tree

    rows = traces.trace(session.store(), traces.resolve(session.store(), ident))
    if not as_json:
        width = shutil.get_terminal_size((120, 40)).columns
        echo(render.render_text(tree.build_tree(rows), width=width))
        return
    listed = [
        {
            "trace_id": span.trace_id,
            "span_id": span.span_id,
            "parent_span_id": span.parent_span_id,
            "name": span.name,
            "kind": span.kind,
            "service": span.service,
            "start_ns": span.start_ns,
            "duration_ns": span.duration_ns,
            "status": span.status,
            "attributes": span.attributes,
            "links": span.links,
        }
        for span in rows
    ]
    emit(listed, [], as_json=True)
