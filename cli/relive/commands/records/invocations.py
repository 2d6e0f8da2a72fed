"""`relive invocations` and `relive trace`."""

from __future__ import annotations

import click
from relive_base.errors import ExitCode, UsageError
from relive_base.records import STATUSES

from relive.arguments.completing import complete_function, complete_invocation
from relive.arguments.durations import DURATION, since_ns
from relive.output import (
    Column,
    echo_styled,
    emit,
    format_bytes,
    format_clock,
    format_ns,
    json_option,
    note,
    status_style,
    text_width,
    wide_option,
)
from relive.recorded.listing import emit_recorded, empty_on_new_home, finder
from relive.recorded.slowness import tell_slowness
from relive.session import Session

__all__ = ["invocations", "trace"]


def _grown(count: object) -> str:
    if not isinstance(count, int):
        return "-"
    if not count:
        return "0 B"
    return f"{'-' if count < 0 else '+'}{format_bytes(abs(count))}"


COLUMNS = [
    Column("started_at", "time", format_clock, style="dim"),
    Column("function", "function", least=18, style="bold"),
    Column("status", "status", style=status_style),
    Column("duration_ns", "took", format_ns, right=True),
    Column("peak_rss_bytes", "memory", format_bytes, right=True, rank=2, style="dim"),
    Column("memory_growth_bytes", "grew", _grown, right=True, wide=True),
    Column("cold", "cold", lambda cold: "cold" if cold else "", rank=3, style="dim"),
    Column("attempt", "try", lambda number: str(number) if number > 1 else "", right=True, rank=4),
    Column("error", "error", least=24, share=3, rank=1, style="red"),
    Column("short", "id", style="cyan"),
    Column("trigger", "trigger", wide=True),
    Column("version", "version", lambda number: f"v{number}", wide=True),
    Column("queue_ns", "queued", format_ns, right=True, wide=True),
    Column("init_ns", "init", format_ns, right=True, wide=True),
    Column("cpu_ns", "cpu", format_ns, right=True, wide=True),
    Column("worker_pid", "pid", right=True, wide=True),
    Column("trace_id", "trace", wide=True),
    Column("invocation_id", "invocation", wide=True),
]


@click.command()
@click.argument("function", default="", shell_complete=complete_function)
@click.option("--status", default="", help=f"One or more, with commas, of: {', '.join(STATUSES)}.")
@click.option("--since", type=DURATION, default=None, help="Only those of the last 15m, 1h, ...")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True)
@wide_option
@json_option
@click.pass_obj
@empty_on_new_home
def invocations(
    session: Session,
    function: str,
    status: str,
    since: float | None,
    limit: int,
    wide: bool,
    as_json: bool,
) -> int:
    """List invocations, newest first.

    \b
    relive invocations checkout --status error,timeout --since 1h
    relive invocations --json --limit 1000
    """
    from relive_views import invocations as views
    from relive_views.failures import error_text

    statuses = tuple(part.strip() for part in status.split(",") if part.strip())
    for part in statuses:
        if part not in STATUSES:
            raise UsageError(f"{part!r} is not a status", hint=f"one of: {', '.join(STATUSES)}")
    wanted = views.InvocationFilter(function=function, statuses=statuses, since_ns=since_ns(since))
    found = views.invocations(session.store(), wanted, limit, memory=wide or as_json)
    chosen = statuses or since is not None
    empty = f"no invocations{f' of {function}' if function else ''}" + (
        " match" if chosen else f"; make one: relive invoke {function or 'FUNCTION'}"
    )
    emit_recorded(
        session,
        [entry.as_json() for entry in found],
        COLUMNS,
        function=function,
        as_json=as_json,
        empty=empty,
        wide=wide,
        shown=[
            {
                **entry.as_json(),
                "short": entry.short,
                "error": error_text(entry.row.error_type, entry.row.error_message),
            }
            for entry in found
        ],
    )
    return ExitCode.DONE


_STYLES = {
    "head": "bold", "function": "bold", "failed": "bold red", "error": "red", "between": "dim", "dim": "dim",
}  # fmt: skip


@click.command()
@click.argument("ident", default="last", metavar="[ID | FUNCTION | last]", shell_complete=complete_invocation)
@json_option
@click.pass_obj
def trace(session: Session, ident: str, as_json: bool) -> None:
    """Show one trace: the trigger, the queue, the cold start, the functions and their own spans.

    The id is a trace's or an invocation's, or the beginning of one.

    \b
    relive trace last
    relive trace checkout         the newest one of a function
    relive trace 4bf92f35
    """
    from relive_tracer.explore import dropped, render, traces, tree

    trace_id = finder(session).trace(ident)
    rows = traces.trace(session.store(), trace_id)
    if traces.goes_on(session.store(), trace_id, rows):
        note(
            f"note: only the first {len(rows):,} spans are shown: the trace has more (relive sql counts them)"
        )
    missing = dropped.unkept(session.store(), trace_id)
    if not as_json:
        lines = render.trace_lines(tree.build_tree(rows), text_width())
        told = ((missing.left_out_text, "dim"), (missing.dropped_text, "error"))
        lines[1:1] = [render.TraceLine(text, style) for text, style in told if text]
        echo_styled((line.text, _STYLES.get(line.style, "")) for line in lines)
        first = next((span for span in rows if "faas.invocation_id" in span.attributes), None)
        if first is not None:
            tell_slowness(session, first.attributes["faas.invocation_id"], name=first.service)
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
            "dropped": missing.dropped.get(span.span_id),  # none: not an invocation's, or without a row yet
            "left_out": missing.left_out.get(span.span_id, 0),
        }
        for span in rows
    ]
    emit(listed, [], as_json=True)
