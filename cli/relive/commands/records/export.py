"""`relive export`: send what was recorded to Jaeger or anything else that speaks OTLP, afterwards."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click
from relive_base.errors import ExitCode, UsageError
from relive_base.escapes import to_json
from relive_base.shown_numbers import counted

from relive.arguments.durations import DURATION, WAIT, since_ns
from relive.arguments.otlp_headers import headers_of_lines, headers_of_variable
from relive.output import echo, emit_object, json_option, note
from relive.output.files import writing
from relive.recorded.listing import finder, tell_lateness
from relive.session import Session

if TYPE_CHECKING:
    from relive_store import Store
    from relive_tracer.explore.otlp_settings import OtlpSettings
    from relive_views.records import LogRow, SpanRow

__all__ = ["export"]

_PAGE_ROWS = 5_000
_WHOLE = 100_000_000  # of a trace that is sent a page at a time
_FILE = click.Path(exists=True, dir_okay=False)


@dataclass
class _Sent:
    """What became of it so far."""

    spans: int = 0
    logs: int = 0
    failed: int = 0
    skipped: int = 0
    why: str = ""

    @property
    def text(self) -> str:
        told = (
            f"{counted(self.spans, 'span')} and {counted(self.logs, 'log line')} sent, {self.failed} failed"
        )
        if self.skipped:
            told += f", {counted(self.skipped, 'log line')} left out"
        return told + (f": {self.why}" if self.why and (self.failed or self.skipped) else "")


@click.command()
@click.argument("what", nargs=-1, metavar="trace ID")
@click.option("--since", type=DURATION, default=None, help="All traces and logs of the last 15m, 1h, ...")
@click.option(
    "--output",
    "-o",
    "target",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the trace to a file instead: OTLP's JSON, which Jaeger opens; with its logs if the name ends"
    " in .jsonl, which the OpenTelemetry Collector reads.",
)
@click.option(
    "--otlp",
    "endpoint",
    default="",
    help="The collector: http://HOST:4317 (gRPC), http://HOST:4318 (HTTP).  "
    "[default: OTEL_EXPORTER_OTLP_ENDPOINT]",
)
@click.option(
    "--protocol", type=click.Choice(["grpc", "http"]), default=None, help="By the port if it is not given."
)
@click.option(
    "--headers",
    "headers_file",
    type=click.File(),
    help="A file with headers, one NAME=VALUE a line; - reads them from stdin. They are secrets:"
    " RELIVE_OTLP_HEADERS and OTEL_EXPORTER_OTLP_HEADERS have them, too.",
)
@click.option("--certificate", type=_FILE, default=None, help="PEM file of the authorities to trust.")
@click.option(
    "--client-certificate", type=_FILE, default=None, help="PEM file of our own certificate (mTLS)."
)
@click.option("--client-key", type=_FILE, default=None, help="Its key, if that is a file of its own.")
@click.option(
    "--timeout", "timeout_s", type=WAIT, default=30.0, help="Give up after this long.  [default: 30s]"
)
@json_option
@click.pass_obj
def export(
    session: Session,
    what: tuple[str, ...],
    since: float | None,
    target: Path | None,
    endpoint: str,
    protocol: str | None,
    headers_file: IO[str] | None,
    certificate: str | None,
    client_certificate: str | None,
    client_key: str | None,
    timeout_s: float,
    as_json: bool,
) -> int:
    """Send one trace with its logs, or all of a time, to an OTLP collector such as Jaeger; or write a trace
    to a file.

    Options that are not given come from the standard OTEL_EXPORTER_OTLP_* variables.
    OTEL_LOGS_EXPORTER=none leaves the logs out.

    \b
    relive export trace last --otlp http://127.0.0.1:4317
    relive export trace checkout --output checkout.json
    relive export --since 1h --otlp https://otlp.example --headers ~/.otlp-headers
    """
    from relive_tracer.explore.otlp_settings import OtlpSettings, endpoint_settings

    _check_what(what, since)
    if target is not None:
        return _write(session, what[1:], bool(endpoint), target, as_json)
    settings: OtlpSettings | None
    if not endpoint:
        _refuse_without_endpoint(
            {
                "--headers": headers_file,
                "--protocol": protocol,
                "--certificate": certificate,
                "--client-certificate": client_certificate,
                "--client-key": client_key,
            }
        )
    if endpoint:
        settings = endpoint_settings(
            endpoint,
            protocol or "",
            _headers(headers_file),
            env=os.environ,
            certificate=certificate or "",
            client_certificate=client_certificate or "",
            client_key=client_key or "",
        )
    else:
        settings = OtlpSettings.from_environment(os.environ)
    if settings is None:
        raise UsageError(
            "no collector is named", hint="--otlp http://HOST:4317, or of one trace --output FILE"
        )
    for chosen in (settings.traces, settings.logs):
        if chosen is not None:
            chosen.check()
    store = session.store()
    trace_id = finder(session).trace(what[1]) if what else ""
    sent = _send(store, trace_id, since_ns(since), settings, timeout_s)
    tell_lateness(session)
    if as_json:
        emit_object({"sent": sent.spans, "logs": sent.logs, "failed": sent.failed, "skipped": sent.skipped})
    else:
        echo(sent.text, err=bool(sent.failed))
    return ExitCode.FAILED if sent.failed or not sent.spans + sent.logs else ExitCode.DONE


def _check_what(what: tuple[str, ...], since: float | None) -> None:
    """Raises UsageError."""
    if what and (len(what) != 2 or what[0] != "trace"):
        raise UsageError(
            "what to export is not clear", hint="relive export trace ID, or relive export --since 1h"
        )
    if bool(what) == (since is not None):
        raise UsageError(
            "name one trace, or a time", hint="relive export trace ID, or relive export --since 1h"
        )


def _write(session: Session, named: tuple[str, ...], sends: bool, target: Path, as_json: bool) -> int:
    """One trace as a file. Raises NotFound, UsageError."""
    from relive_tracer.explore import logs, otlp_json, traces

    if not named or sends:
        hint = "relive export trace ID --output FILE"
        raise UsageError("--output is for one trace, without --otlp", hint=hint)

    store = session.store()
    trace_id = finder(session).trace(named[0])
    spans = traces.trace(store, trace_id)
    if traces.goes_on(store, trace_id, spans):
        note(f"note: only its first {len(spans):,} spans are written: the trace has more, which --otlp sends")
    parts = [otlp_json.trace_json(spans)]
    lines: list[LogRow] = []
    if target.suffix == ".jsonl":
        lines = [line for page in logs.pages(store, logs.LogFilter(trace_id=trace_id)) for line in page]
        parts += [otlp_json.logs_json(lines)] if lines else []
    data = b"".join(to_json(part) + b"\n" for part in parts)
    with writing(target):
        target.write_bytes(data)
    tell_lateness(session, as_json=as_json)
    if as_json:
        row = {"path": str(target), "bytes": len(data), "trace_id": trace_id}
        emit_object({**row, "spans": len(spans), "logs": len(lines)})
    else:
        echo(
            f"{target}  {counted(len(spans), 'span')}, {counted(len(lines), 'log line')}, {len(data):,} bytes"
        )
    return ExitCode.DONE


def _refuse_without_endpoint(options: Mapping[str, object]) -> None:
    """Options that say how to reach the endpoint of --otlp say nothing without it. Raises UsageError."""
    for name, value in options.items():
        if value is not None:
            raise UsageError(
                f"{name} goes with --otlp",
                hint="--otlp http://HOST:4317; for OTEL_EXPORTER_OTLP_ENDPOINT there are variables",
            )


def _headers(file: IO[str] | None) -> dict[str, str]:
    found = headers_of_variable(os.environ.get("RELIVE_OTLP_HEADERS", ""), "RELIVE_OTLP_HEADERS")
    if file is not None:
        source = "--headers -" if file.name == "<stdin>" else str(file.name)
        found.update(headers_of_lines(file, source))
    return found


def _send(store: Store, ident: str, begin_ns: int, settings: OtlpSettings, timeout_s: float) -> _Sent:
    from relive_tracer.explore import otlp

    sent = _Sent()
    for spans, lines in _parts(store, ident, begin_ns, settings):
        stats = otlp.export_rows(settings, spans, lines, timeout_s=timeout_s)
        if spans:
            sent.spans += stats.sent
        else:
            sent.logs += stats.sent
        sent.failed += stats.failed + stats.dropped
        sent.skipped += stats.skipped
        sent.why = stats.off or stats.last_error or sent.why
    return sent


def _parts(
    store: Store, ident: str, begin_ns: int, settings: OtlpSettings
) -> Iterator[tuple[list[SpanRow], list[LogRow]]]:
    """Spans or log lines to send, a page at a time."""
    from relive_tracer.explore import logs, traces

    wanted = logs.LogFilter(since_ns=begin_ns)
    if ident:
        wanted = logs.LogFilter(trace_id=ident)
        if settings.traces is not None:
            for spans in traces.trace_pages(store, ident, _WHOLE, _PAGE_ROWS):
                yield spans, []
    elif settings.traces is not None:
        for spans in _pages(store, begin_ns):
            yield spans, []
    if settings.logs is not None:
        for lines in logs.pages(store, wanted, _PAGE_ROWS):
            yield [], lines


def _pages(store: Store, begin_ns: int) -> Iterator[list[SpanRow]]:
    """All spans since `begin_ns`, a page at a time."""
    from relive_tracer.explore import traces

    after = ""
    while spans := traces.spans_since(store, begin_ns, after_span_id=after, limit=_PAGE_ROWS):
        yield spans
        begin_ns, after = spans[-1].start_ns, spans[-1].span_id
