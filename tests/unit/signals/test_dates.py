"""A function's own times: what no table could hold, or would hold for ever, is where it came, and says so."""

from __future__ import annotations

import pytest
from relive_base.wire.messages import LogLine, Logs, MetricData, MetricPoint, Metrics, SpanData, Spans
from relive_platform.signals.kept import KeptDays
from relive_platform.signals.processors.dates import STATED_END, STATED_TIME, Dates
from relive_platform.signals.signal import Arrival, Flow, ref_of
from tracer_records import record

DAY_NS = 86_400 * 1_000_000_000
NOW_NS = 1_796_057_000 * 1_000_000_000
POSSIBLE = (NOW_NS, NOW_NS - 13 * DAY_NS, NOW_NS + DAY_NS // 2)
IMPOSSIBLE = (0, 1, 1_796_057_000, 1_796_057_000_000, NOW_NS - 15 * DAY_NS, NOW_NS + 2 * DAY_NS, 1 << 62)


def flow_of(lines: list[LogLine], spans: list[SpanData], points: list[MetricPoint] | None = None) -> Flow:
    flow = Flow([Logs, Spans, Metrics])
    metric = MetricData("m", "gauge", points=points or [])
    flow.arrivals[Metrics].append(Arrival(Metrics("i", [metric]), ref_of(record()), []))
    flow.arrivals[Logs].append(Arrival(Logs(invocation_id="i", lines=lines), ref_of(record()), []))
    flow.arrivals[Spans].append(Arrival(Spans(invocation_id="i", spans=spans), ref_of(record()), []))
    return flow


def span(start_ns: int, end_ns: int) -> SpanData:
    return SpanData("a" * 32, "b" * 16, "", "work", "Internal", start_ns, end_ns, attributes={"k": 1})


@pytest.mark.parametrize("at_ns", POSSIBLE)
def test_what_can_be_stays(at_ns: int) -> None:
    line, work, dates = LogLine(at_ns, "INFO", "x"), span(at_ns, at_ns + 5), Dates(lambda: NOW_NS)
    dates(flow_of([line], [work]))

    assert (line.timestamp_ns, line.attributes) == (at_ns, {})
    assert (work.start_ns, work.end_ns, work.attributes) == (at_ns, at_ns + 5, {"k": 1})
    assert dates.counts.taken == 0


@pytest.mark.parametrize("at_ns", IMPOSSIBLE)
def test_what_cannot_be_is_where_it_came_and_says_so(at_ns: int) -> None:
    # Given seconds or milliseconds for nanoseconds, a date of long ago, or one of the future
    line, work, dates = LogLine(at_ns, "INFO", "x"), span(at_ns, at_ns + 5), Dates(lambda: NOW_NS)
    other = LogLine(NOW_NS, "INFO", "y")
    dates(flow_of([line, other], [work]))

    # I expect both to be found at the time of their arrival, with what they were given beside it
    assert (line.timestamp_ns, line.attributes) == (NOW_NS, {STATED_TIME: at_ns})
    assert (work.start_ns, work.end_ns) == (NOW_NS - 5, NOW_NS)
    assert work.attributes == {"k": 1, STATED_TIME: at_ns, STATED_END: at_ns + 5}
    # ... and the other line to be as it was
    assert (other.timestamp_ns, other.attributes) == (NOW_NS, {})
    assert dates.counts.taken == 2


def test_a_span_whose_length_cannot_be_has_none() -> None:
    # Given a start in seconds, and an end in nanoseconds
    work = span(1_796_057_000, NOW_NS)
    Dates(lambda: NOW_NS)(flow_of([], [work]))

    assert (work.start_ns, work.end_ns) == (NOW_NS, NOW_NS)


def test_what_the_tables_keep_no_more_is_where_it_came() -> None:
    # Given tables that keep traces for two days, and logs for a hundred
    kept = KeptDays({"otel_traces": 2, "otel_logs": 100, "otel_metrics_sum": 60, "otel_metrics_gauge": 40})
    at_ns = NOW_NS - 50 * DAY_NS
    line, work, point = LogLine(at_ns, "INFO", "x"), span(at_ns, at_ns + 5), MetricPoint(at_ns, [1])
    future = MetricPoint(1 << 62, [1], start_ns=1 << 61)
    Dates(lambda: NOW_NS, kept)(flow_of([line], [work], [point, future]))

    # I expect what would be gone at once, or never, at the time when it came
    assert line.timestamp_ns == at_ns
    assert (work.end_ns, work.attributes[STATED_TIME]) == (NOW_NS, at_ns)
    assert (point.time_ns, future.time_ns, future.start_ns) == (NOW_NS, NOW_NS, NOW_NS)
