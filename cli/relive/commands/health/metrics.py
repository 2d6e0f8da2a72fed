"""`relive metrics`."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click
from relive_base.errors import ExitCode, UsageError

from relive.arguments.completing import complete_function
from relive.arguments.durations import DURATION
from relive.output import (
    Column,
    emit,
    format_bytes,
    format_clock,
    format_ms,
    json_option,
    note,
    wide_option,
)
from relive.output.sparks import spark
from relive.recorded.listing import emit_recorded, empty_on_new_home
from relive.session import Session

if TYPE_CHECKING:
    from relive_views.health.functions import FunctionHealth
    from relive_views.health.platform import Gauge

__all__ = ["metrics"]

_LEAST_S = 60.0
_POINTS = 20
_NAME_WIDTH = 56  # of a gauge: what it is of stands at its end


def _percent(rate: object) -> str:
    if not isinstance(rate, int | float):
        return "-"
    return "0" if rate == 0 else f"{rate * 100:.2g} %" if rate < 0.0995 else f"{rate * 100:.0f} %"


def _rate(rate: object) -> str:
    if not isinstance(rate, int | float):
        return "-"
    if 0 < rate < 0.1:
        return f"{rate * 60:.2g}/min"
    if not rate:
        return "0"
    return f"{rate:,.1f}/s" if rate < 1000 else f"{rate:,.0f}/s"


def _errors_style(row: Mapping[str, Any]) -> str:
    return "red" if row.get("error_rate") else "dim"


_FIGURES = [
    Column("error_rate", "errors", _percent, right=True, style=_errors_style),
    Column("p50_ms", "p50", format_ms, right=True, rank=5),
    Column("p95_ms", "p95", format_ms, right=True),
    Column("p99_ms", "p99", format_ms, right=True, rank=6),
    Column("waited_p95_ms", "waited p95", format_ms, right=True, rank=1),
    Column("cold_starts", "cold", right=True, rank=4),
    Column("largest_rss_bytes", "memory", format_bytes, right=True, rank=3),
]
COLUMNS = [
    Column("function", "function", least=16, style="bold"),
    Column("rate", "rate", _rate, right=True),
    Column("trend", "", rank=2, style="cyan"),
    *_FIGURES,
    Column("attempts", "attempts", right=True, wide=True),
    Column("failed", "failed", right=True, wide=True),
    Column("rejected", "rejected", right=True, wide=True),
    Column("exemplar_trace_id", "slowest trace", wide=True),
]
POINTS = [
    Column("start_ns", "from", format_clock, style="dim"),
    Column("rate", "rate", _rate, right=True),
    Column("bar", "", rank=2, style="cyan"),
    *_FIGURES,
    Column("exemplar", "slowest or failed", rank=7, style="dim"),
]
GAUGES = [
    Column("name", "metric", least=24, style="bold"),
    Column("last", "now", lambda value: value, right=True),
    Column("mean", "mean", lambda value: value, right=True, rank=2),
    Column("least", "least", lambda value: value, right=True, rank=3),
    Column("most", "most", lambda value: value, right=True, rank=1),
    Column("trend", "", rank=4, style="cyan"),
]


@click.command()
@click.argument("function", default="", shell_complete=complete_function)
@click.option("--since", type=DURATION, default="1h", show_default=True, help="Of the last 15m, 1h, 7d, ...")
@click.option("--platform", is_flag=True, help="Workers, queue, memory and lag of the server itself.")
@click.option(
    "--points", type=click.IntRange(1, 1_000), default=_POINTS, help="How finely.", show_default=True
)
@wide_option
@json_option
@click.pass_obj
@empty_on_new_home
def metrics(
    session: Session, function: str, since: float, platform: bool, points: int, wide: bool, as_json: bool
) -> int:
    """Rate, errors, durations and waiting of each function; of one FUNCTION, how they changed.

    \b
    relive metrics
    relive metrics checkout --since 6h
    relive metrics --platform
    relive metrics --json --since 90d

    By whole minutes, kept for 90 days. Errors are the share of the attempts that ran; waited is the time in
    the queue and for a worker. Needs no server.
    """
    if platform and function:
        raise UsageError("--platform and a function cannot be combined", hint="relive metrics --platform")
    now_ns = time.time_ns()
    since_ns = now_ns - int(max(since, _LEAST_S) * 1e9)
    if platform:
        return _platform(session, since_ns, now_ns, points, wide=wide, as_json=as_json)
    from relive_views.health.functions import function_health

    found = function_health(session.store(), since_ns, now_ns, function=function, points=points)
    if function and found:
        return _one(found[0], wide=wide, as_json=as_json)
    rows = [one.as_json() for one in found]
    return emit_recorded(
        session,
        rows,
        COLUMNS,
        function=function,
        as_json=as_json,
        wide=wide,
        empty="nothing ran in that time",
        shown=[{**row, "trend": spark(one.series("rate"))} for row, one in zip(rows, found, strict=True)],
    )


def _one(found: FunctionHealth, *, wide: bool, as_json: bool) -> int:
    rows = [point.as_json() for point in found.points]
    top = max((point.rate for point in found.points), default=0.0)
    shown = [{**row, "bar": _bar(row["rate"], top), "exemplar": _exemplar(row)} for row in rows]
    emit(rows, POINTS, as_json=as_json, wide=wide, shown=shown)
    if not as_json:
        whole = found.whole
        said = f"in all {whole.attempts:,} attempts, {whole.failed:,} failed, {_rate(found.rate)}"
        note(said + (f", {whole.rejected:,} rejected" if whole.rejected else ""))
    return ExitCode.DONE


def _exemplar(row: Mapping[str, Any]) -> str:
    return str(row["exemplar_invocation_id"])[-12:]


def _bar(value: float, top: float) -> str:
    return "█" * max(round(value / top * 10), 1) if value and top else ""


def _platform(session: Session, since_ns: int, now_ns: int, points: int, *, wide: bool, as_json: bool) -> int:
    from relive_views.health.platform import platform_gauges

    gauges = platform_gauges(session.store(), since_ns, now_ns, points=points)
    told = gauges if wide or as_json else [gauge for gauge in gauges if gauge.found.most or gauge.found.least]
    name = max((len(gauge.name) for gauge in told), default=0)
    first = replace(GAUGES[0], least=min(max(name, GAUGES[0].least), _NAME_WIDTH))
    count = emit_recorded(
        session,
        [gauge.as_json() for gauge in told],
        [first, *GAUGES[1:]],
        function="",
        as_json=as_json,
        wide=wide,
        empty="the server has said nothing of itself in that time; it does so at the end of each minute",
        shown=list(_shown(told)),
    )
    if told and len(told) < len(gauges):
        note(f"{len(gauges) - len(told)} more were 0 all the time: --wide")
    return count


def _shown(gauges: Iterable[Gauge]) -> Iterable[dict[str, Any]]:
    for gauge in gauges:
        found = gauge.found
        values = {
            name: _value(getattr(found, name), found.unit) for name in ("last", "mean", "least", "most")
        }
        yield {"name": gauge.name, **values, "trend": spark(gauge.means)}


def _value(value: float, unit: str) -> str:
    if unit == "By":
        return format_bytes(value) if value else "0"
    if unit == "s":
        return format_ms(value * 1e3) if value else "0"
    return f"{value:,.0f}" if value == int(value) else f"{value:,.2f}"
