"""`relive export`: send what was recorded to Jaeger or anything else that speaks OTLP, afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click
from relive_base.errors import ExitCode, UsageError

from relive.durations import DURATION, WAIT, since_ns
from relive.listing import tell_lateness
from relive.output import echo, emit_object, json_option
from relive.session import Session

if TYPE_CHECKING:
    from relive_store import Store
    from relive_tracer.explore.models import SpanRow

__all__ = ["export"]

_PAGE_SPANS = 5_000


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
    "--timeout", "timeout_s", type=WAIT, default=30.0, help="Give up after this long.  [default: 30s]"
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
    from relive_tracer.explore import otlp
    from relive_tracer.explore.otlp_settings import endpoint_settings

    if what and (len(what) != 2 or what[0] != "trace"):
        raise UsageError(
            "what to export is not clear", remedy="relive export trace ID, or relive export --since 1h"
        )
    if bool(what) == (since is not None):
        raise UsageError(
            "name one trace, or a time", remedy="relive export trace ID, or relive export --since 1h"
        )
    store = session.store()
    settings = endpoint_settings(endpoint, protocol or "")
    pages = [_trace(store, what[1])] if what else _pages(store, since_ns(since))
    sent = failed = 0
    last_error = ""
    for spans in pages:
        stats = otlp.export_rows(settings, spans, timeout_s=timeout_s)
        sent, failed = sent + stats.sent, failed + stats.failed + stats.dropped
        last_error = stats.last_error or last_error
    tell_lateness(session)
    if as_json:
        emit_object({"sent": sent, "failed": failed})
    else:
        why = f": {last_error}" if failed else ""
        echo(f"{sent} spans sent, {failed} failed{why}", err=bool(failed))
    return ExitCode.FAILED if failed or not sent else ExitCode.DONE


def _trace(store: Store, ident: str) -> list[SpanRow]:
    from relive_tracer.explore import traces

    return traces.trace(store, traces.resolve(store, ident))


def _pages(store: Store, begin_ns: int) -> Iterator[list[SpanRow]]:
    """All spans since `begin_ns`, a page at a time."""
    from relive_tracer.explore import traces

    after = ""
    while spans := traces.spans_since(store, begin_ns, after_span_id=after, limit=_PAGE_SPANS):
        yield spans
        begin_ns, after = spans[-1].start_ns, spans[-1].span_id
