"""`relive export`: send what was recorded to Jaeger or anything else that speaks OTLP, afterwards."""

from __future__ import annotations

import click
from relive_base.errors import ExitCode, UsageError

from relive.commands.invocations import resolve_trace
from relive.durations import DURATION, since_ns
from relive.output import echo, emit_object, json_option
from relive.session import Session

__all__ = ["export"]


@click.command()
@click.argument("what", nargs=-1, metavar="trace ID")
@click.option("--since", type=DURATION, default=None, help="All traces of the last 15m, 1h, ...")
@click.option(
    "--otlp",
    "endpoint",
    required=True,
    help="The collector: http://HOST:4317 (gRPC), http://HOST:4318 (HTTP).",
)
@click.option(
    "--protocol", type=click.Choice(["grpc", "http"]), default=None, help="By the port where it is not given."
)
@click.option(
    "--timeout", "timeout_s", type=DURATION, default=30.0, help="Give up after this long.  [default: 30s]"
)
@json_option
@click.pass_obj
def export(
    session: Session,
    what: tuple[str, ...],
    since: float | None,
    endpoint: str,
    protocol: str | None,
    timeout_s: float,
    as_json: bool,
) -> int:
    """Send one trace, or all of a time, to an OTLP collector such as Jaeger.

    \b
    relive export trace last --otlp http://127.0.0.1:4317
    relive export --since 1h --otlp http://127.0.0.1:4318
    """
    from relive_tracer.explore import export as explore

    if what and (len(what) != 2 or what[0] != "trace"):
        raise UsageError(
            "what to export is not clear", remedy="relive export trace ID, or relive export --since 1h"
        )
    if bool(what) == (since is not None):
        raise UsageError(
            "name one trace, or a time", remedy="relive export trace ID, or relive export --since 1h"
        )
    store = session.store()
    if what:
        outcome = explore.export_trace(store, resolve_trace(session, what[1]), endpoint, protocol, timeout_s)
    else:
        outcome = explore.export_since(store, since_ns(since), endpoint, protocol, timeout_s)
    if as_json:
        emit_object({"sent": outcome.sent, "failed": outcome.failed})
    else:
        why = f": {outcome.last_error}" if outcome.failed else ""
        echo(f"{outcome.sent} spans sent, {outcome.failed} failed{why}", err=bool(outcome.failed))
    return ExitCode.FAILED if outcome.failed or not outcome.sent else ExitCode.DONE
