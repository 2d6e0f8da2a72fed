"""Rows into a real store and back through the queries."""

from __future__ import annotations

import random
import time

import pytest
from relive_base.ids import new_span_id
from relive_base.records import InvocationRecord
from relive_base.wire.messages import LogLine, SpanData, SpanEvent, SpanLink
from relive_platform.signals.processors import sample
from relive_store import Store
from relive_tracer.explore import functions, invocations, logs, traces
from relive_tracer.explore.dropped import SPANS_LEFT_OUT, unkept
from relive_tracer.explore.errors import AmbiguousId, InvocationNotFound, TraceNotFound
from relive_tracer.explore.invocation_rows import invocation_columns
from relive_tracer.explore.invocations import InvocationFilter, key_of
from relive_tracer.explore.logs import LogFilter
from relive_tracer.explore.platform_rows import platform_columns
from relive_tracer.explore.rows import FunctionRef, log_columns, span_columns
from relive_tracer.explore.tree import build_tree
from relive_tracer.explore.usage import usage
from relive_tracer.explore.warmth import habits
from tracer_records import MS, NOW, failed_record, record


def keep(store: Store, *records: InvocationRecord) -> None:
    store.insert("invocations", invocation_columns(records))
    store.insert("otel_traces", platform_columns(records))


def ref(of: InvocationRecord) -> FunctionRef:
    return FunctionRef(of.function, of.version, of.app, of.code_hash, of.invocation_id, of.attempt)


def test_empty_tables_give_empty_answers(clean_store: Store) -> None:
    assert traces.trace(clean_store, "0" * 32) == []
    assert invocations.page(clean_store, InvocationFilter()) == []
    assert invocations.count(clean_store, InvocationFilter(function="x", text="y")) == 0
    assert functions.stats(clean_store, 0) == []
    assert logs.page(clean_store, LogFilter(severity="ERROR")) == []
    for missing in ("last", "abcd"):
        with pytest.raises(InvocationNotFound):
            invocations.get(clean_store, missing)
    with pytest.raises(TraceNotFound):
        traces.resolve(clean_store, "abcd")


def test_what_a_trace_lacks_is_counted_by_what_took_it(clean_store: Store) -> None:
    # Given a trace of three invocations: one whose spans were left out, one over a limit, one that is whole
    first = record(attributes={SPANS_LEFT_OUT: "3"})
    over = record(trace_id=first.trace_id, dropped=500)
    whole = record(trace_id=first.trace_id, attributes={SPANS_LEFT_OUT: "none"})
    keep(clean_store, first, over, whole)
    # I expect each counted by itself, under its own span
    found = unkept(clean_store, first.trace_id)
    assert found.left_out == {first.span_id: 3}
    assert found.dropped == {first.span_id: 0, over.span_id: 500, whole.span_id: 0}
    assert found.left_out_text == "3 spans of its functions left out: span_share"
    assert found.dropped_text.startswith("500 more of its spans")
    assert sample.SPANS_LEFT_OUT == SPANS_LEFT_OUT  # who writes it and who reads it
    # ... and nothing said of another trace
    keep(clean_store, other := record())
    clean = unkept(clean_store, other.trace_id)
    assert (clean.left_out_text, clean.dropped_text) == ("", "")


def test_a_trace_comes_back_whole(clean_store: Store) -> None:
    # Given a failed invocation with a span of the user's own that has an event and a link
    failed = failed_record(init_started_ns=NOW + MS, init_ended_ns=NOW + 2 * MS, cold=True)
    own = SpanData(
        trace_id=failed.trace_id, span_id=new_span_id(), parent_span_id=failed.span_id, name="price ü",
        kind="Client", start_ns=NOW + 3 * MS, end_ns=NOW + 4 * MS + 7, status="Error", status_message="no",
        attributes={"k": "v"}, events=[SpanEvent(NOW + 3 * MS, "exception", {"a": "b"})],
        links=[SpanLink("1" * 32, "2" * 16, "x=y", {"l": "1"})], scope="cart", scope_version="2",
    )  # fmt: skip
    keep(clean_store, failed, record())
    clean_store.insert("otel_traces", span_columns([(own, ref(failed))]))
    # I expect each span as it was, once
    spans = traces.trace(clean_store, failed.trace_id)
    assert sorted(s.name for s in spans) == ["POST /checkout", "checkout", "init", "price ü", "queue"]
    assert not traces.goes_on(clean_store, failed.trace_id, spans)
    first = traces.trace(clean_store, failed.trace_id, 3)
    assert (first, traces.goes_on(clean_store, failed.trace_id, first)) == (spans[:3], True)
    found = next(s for s in spans if s.name == "price ü")
    assert (found.start_ns, found.duration_ns, found.kind, found.status) == (
        NOW + 3 * MS,
        MS + 7,
        "Client",
        "Error",
    )
    assert found.attributes == {"k": "v", "faas.invocation_id": failed.invocation_id}
    assert [(e.timestamp_ns, e.name, e.attributes) for e in found.events] == [
        (NOW + 3 * MS, "exception", {"a": "b"})
    ]
    assert [(k.trace_id, k.trace_state, k.attributes) for k in found.links] == [("1" * 32, "x=y", {"l": "1"})]
    assert found.resource["service.namespace"] == "shop"
    tree = build_tree(spans)
    assert tree.spans[0].name == "POST /checkout"
    assert tree.spans[tree.root_cause()].name == "price ü"
    assert traces.resolve(clean_store, failed.trace_id[:20]) == failed.trace_id
    assert traces.resolve(clean_store, failed.invocation_id) == failed.trace_id
    assert len(traces.spans_since(clean_store, NOW - MS)) == 8


def test_an_export_by_pages_sees_every_span_once(clean_store: Store) -> None:
    # Given 50 spans, of which ten each began at the same moment
    ref = FunctionRef("f", 1)
    spans = [
        SpanData("ab" * 16, f"{i:016x}", "", f"s{i}", "Internal", NOW + i // 10, NOW + 100) for i in range(50)
    ]
    clean_store.insert("otel_traces", span_columns([(span, ref) for span in spans]))
    seen: list[str] = []
    since, after = NOW, ""
    while page := traces.spans_since(clean_store, since, after_span_id=after, limit=7):
        seen += [span.name for span in page]
        since, after = page[-1].start_ns, page[-1].span_id
    assert seen == [f"s{i}" for i in range(50)]


def test_an_invocation_comes_back_whole(clean_store: Store) -> None:
    failed = failed_record(
        attempt=2, trigger="queue", event_id="e1", has_scene=True, worker_pid=77, isolation_tier=1
    )
    keep(clean_store, failed, record(NOW - MS))
    row = invocations.get(clean_store, "last")
    assert row == invocations.get(clean_store, failed.invocation_id[:34])
    assert (row.invocation_id, row.attempt, row.status, row.failed) == (
        failed.invocation_id,
        2,
        "error",
        True,
    )
    assert (row.error_type, row.error_file, row.error_line, row.error_function) == (
        "KeyError",
        "cart.py",
        88,
        "price",
    )
    assert (row.started_at, row.duration_ns, row.total_ns) == (NOW, 10 * MS, 13 * MS)
    assert (row.enqueued_at, row.has_scene, row.worker_pid, row.event_id) == (0, True, 77, "e1")


def test_a_later_record_of_an_attempt_replaces_the_earlier_one(clean_store: Store) -> None:
    first = record()
    keep(clean_store, first)
    later = record(invocation_id=first.invocation_id, trace_id=first.trace_id, has_scene=True, logs=4)
    clean_store.insert("invocations", invocation_columns([later], record_version=NOW * 2))
    (row,) = invocations.page(clean_store, InvocationFilter())
    assert (row.has_scene, row.logs) == (True, 4)
    assert invocations.count(clean_store, InvocationFilter()) == 1


def test_pages_by_key_see_every_invocation_once(clean_store: Store) -> None:
    # Given 100 invocations, some at the same moment
    records = [record(NOW + (i // 3) * MS, duration_ns=(i % 7 + 1) * MS) for i in range(100)]
    keep(clean_store, *records)
    for order in ("newest", "oldest", "slowest", "memory"):
        seen, before = [], None
        while rows := invocations.page(clean_store, InvocationFilter(), before=before, limit=9, order=order):
            seen += rows
            before = key_of(rows[-1], order)
        assert len({r.invocation_id for r in seen}) == len(seen) == 100, order
        keys = [key_of(r, order) for r in seen]
        assert keys == sorted(keys, reverse=order != "oldest")
        # and the way back gives the same rows
        back = invocations.page(clean_store, InvocationFilter(), after=keys[30], limit=9, order=order)
        assert back == seen[21:30]
        assert (
            invocations.page(clean_store, InvocationFilter(), offset=50, limit=5, order=order) == seen[50:55]
        )


def test_a_page_goes_as_far_back_as_it_has_to(clean_store: Store) -> None:
    # Given two invocations of the last hour, two of the day before that, and two of before
    now = time.time_ns()
    ages_s = (60, 1_800, 7_200, 40_000, 100_000, 900_000)
    kept = [record(now - age_s * 10**9) for age_s in ages_s]
    keep(clean_store, *kept)
    # When pages of each size are asked for
    # I expect the newest of all in each, the newest first, wherever a window ends
    ids = [one.invocation_id for one in kept]
    for limit in range(1, len(kept) + 2):
        found = invocations.page(clean_store, InvocationFilter(), limit=limit)
        assert [row.invocation_id for row in found] == ids[:limit]
        older = invocations.page(clean_store, InvocationFilter(), before=key_of(found[0]), limit=limit)
        assert [row.invocation_id for row in older] == ids[1 : limit + 1]


def test_filters(clean_store: Store) -> None:
    failed = failed_record(NOW, duration_ns=500 * MS)
    other = record(NOW + MS, function="pricing", trigger="call", version=4, cold=True, http_path="")
    keep(clean_store, failed, other, record(NOW - 3600 * 1000 * MS))
    for filter, expected in (
        (InvocationFilter(function="pricing"), 1),
        (InvocationFilter(statuses=("error", "timeout")), 1),
        (InvocationFilter(since_ns=NOW), 2),
        (InvocationFilter(until_ns=NOW), 1),
        (InvocationFilter(trigger="call"), 1),
        (InvocationFilter(version=3), 2),
        (InvocationFilter(trace_id=failed.trace_id), 1),
        (InvocationFilter(min_duration_ns=100 * MS), 1),
        (InvocationFilter(text="SKU"), 1),
        (InvocationFilter(text="' OR 1=1 --"), 0),
        (InvocationFilter(fingerprint="abc"), 1),
        (InvocationFilter(cold=True), 1),
        (InvocationFilter(function="checkout", statuses=("ok",), since_ns=NOW), 0),
    ):
        assert invocations.count(clean_store, filter) == expected, filter
        assert len(invocations.page(clean_store, filter)) == expected, filter


def test_an_ambiguous_prefix_is_an_error(clean_store: Store) -> None:
    first = record(invocation_id="01990000-0000-7000-8000-000000000001", trace_id="aa" * 16)
    second = record(invocation_id="01990000-0000-7000-8000-000000000002", trace_id="aa" * 15 + "bb")
    keep(clean_store, first, second)
    with pytest.raises(AmbiguousId, match="give more of the id"):
        invocations.get(clean_store, "0199")
    with pytest.raises(AmbiguousId):
        traces.resolve(clean_store, "aaaa")
    assert invocations.get(clean_store, second.invocation_id).trace_id == second.trace_id


def test_function_statistics(clean_store: Store) -> None:
    records = [record(NOW - i * 1000 * MS, duration_ns=(i + 1) * MS, cold=i == 0) for i in range(100)]
    records += [
        failed_record(NOW - 5 * MS),
        record(NOW, function="idle", status="rejected", started_ns=0, ended_ns=0),
    ]
    keep(clean_store, *records)
    checkout, idle = functions.stats(clean_store, NOW - 100_000 * MS, NOW + MS)
    assert (checkout.name, checkout.invocations, checkout.errors, checkout.cold_starts) == (
        "checkout",
        101,
        1,
        1,
    )
    assert checkout.p50_ms == pytest.approx(50, abs=3)
    assert checkout.p95_ms == pytest.approx(95, abs=3)
    assert checkout.last_failure_ns == NOW - 5 * MS
    assert (sum(checkout.spark), sum(checkout.errors_spark), len(checkout.spark)) == (101, 1, 20)
    assert all(4 <= n <= 7 for n in checkout.spark)
    assert checkout.memory_limit_bytes == 256 << 20
    assert (idle.invocations, idle.errors, idle.p50_ms, idle.last_failure_ns) == (1, 0, 0.0, 0)


def test_lines_of_one_moment_keep_their_order_whichever_way_they_are_read(clean_store: Store) -> None:
    # Given lines that all have one time, as programs of others send them
    own = record()
    bodies = [f"line {chr(ord('z') - i)}" for i in range(26)]
    clean_store.insert("otel_logs", log_columns([(LogLine(NOW, "INFO", body), ref(own)) for body in bodies]))
    # When they are listed from the end or followed from the beginning, I expect the order of writing
    assert [r.body for r in logs.page(clean_store, LogFilter())] == bodies
    assert [r.body for r in logs.page(clean_store, LogFilter(), limit=5)] == bodies[-5:]
    assert [r.body for r in logs.page(clean_store, LogFilter(), after_ns=NOW - 1)] == bodies


def test_log_pages_and_following(clean_store: Store) -> None:
    own, other = record(), record(function="pricing")
    lines = [
        (
            LogLine(NOW + i, "ERROR" if i % 10 == 0 else "INFO", f"line {i} ü", own.trace_id, own.span_id),
            ref(own),
        )
        for i in range(100)
    ]
    lines += [(LogLine(NOW + 5, "WARN", "elsewhere", other.trace_id, other.span_id, "stderr"), ref(other))]
    clean_store.insert("otel_logs", log_columns(lines))
    assert [r.body for r in logs.page(clean_store, LogFilter(function="checkout"), limit=3)] == [
        "line 97 ü", "line 98 ü", "line 99 ü",
    ]  # fmt: skip
    followed, after = [], NOW - 1
    while rows := logs.page(clean_store, LogFilter(invocation_id=own.invocation_id), after_ns=after, limit=7):
        followed += [r.body for r in rows]
        after = rows[-1].timestamp_ns
    assert followed == [f"line {i} ü" for i in range(100)]
    assert len(logs.page(clean_store, LogFilter(severity="warn"))) == 11
    assert len(logs.page(clean_store, LogFilter(text="LINE 9"))) == 11
    assert len(logs.page(clean_store, LogFilter(trace_id=other.trace_id))) == 1
    assert len(logs.page(clean_store, LogFilter(), before_ns=NOW + 10)) == 11
    (row,) = logs.page(clean_store, LogFilter(span_id=other.span_id))
    assert (row.source, row.severity, row.function, row.invocation_id) == (
        "stderr", "WARN", "pricing", other.invocation_id,
    )  # fmt: skip


def test_usage_is_the_sum_of_all_attempts(clean_store: Store) -> None:
    # Given attempts of two days, versions and memory sizes, with odd durations and retries, one that was
    # refused, and one whose row came twice
    chance = random.Random(8)
    day = 86_400_000_000_000
    noon = NOW // day * day + day // 2 - day  # of yesterday
    records = [
        record(
            noon - day * chance.randrange(2),
            chance.randrange(1, 10**10),
            function=chance.choice(("checkout", "report")),
            version=chance.randrange(1, 3),
            attempt=chance.choice((1, 1, 1, 2)),
            memory_limit_bytes=chance.choice((128, 256, 3008)) << 20,
            result_bytes=chance.randrange(10**6),
            event_bytes=chance.randrange(10**4),
        )
        for _ in range(300)
    ]
    refused = record(noon, status="rejected", started_ns=0, ended_ns=0, function="report", version=1)
    keep(clean_store, *records, refused)
    keep(clean_store, records[0])
    # When the usage is read by day, function and version
    rows = usage(clean_store)
    # I expect of each what its attempts add up to, to the last nanosecond
    assert len(rows) == 8
    for row in rows:
        own = [
            one
            for one in records
            if (one.function, one.version) == (row.function, row.version)
            and time.strftime("%Y-%m-%d", time.gmtime(one.accepted_ns / 1e9)) == row.day
        ]
        assert row.duration_ns == sum(one.duration_ns for one in own)
        assert row.attempts == len(own)
        assert row.invocations == sum(one.attempt == 1 for one in own)
        assert row.egress_bytes == sum(one.result_bytes for one in own)
        assert row.ingress_bytes == sum(one.event_bytes for one in own) + (
            refused.event_bytes if row.rejected else 0
        )
        exact = sum(one.duration_ns * one.memory_limit_bytes for one in own) / (2**30 * 10**9)
        assert row.gb_s == pytest.approx(exact, rel=1e-14)
    assert sum(row.rejected for row in rows) == 1
    # And folded, the same sums
    (checkout,) = usage(clean_store, ["function"], function="checkout")
    assert checkout.duration_ns == sum(row.duration_ns for row in rows if row.function == "checkout")
    assert (checkout.day, checkout.version) == ("", 0)
    first = min(row.day for row in rows)
    last = max(row.day for row in rows)
    assert {row.day for row in usage(clean_store, since_day=last)} == {last} != {first}


def test_idle_times_are_what_lies_between_invocations(clean_store: Store) -> None:
    # Given a function with arrivals 60 and 100 s apart, one that came while another ran, and a timer's
    assert habits(clean_store) == []
    begin = NOW - 3_600_000 * MS
    second = 1_000 * MS
    records = [
        record(begin, 5 * second),
        record(
            begin + 65 * second,
            30 * second,
            cold=True,
            init_started_ns=begin,
            init_ended_ns=begin + second // 2,
        ),
        record(begin + 70 * second, second),  # beside it
        record(begin + 197 * second, second),
        record(begin + 300 * second, second, trigger="timer"),
        record(begin, 5 * second, function="once"),
    ]
    keep(clean_store, *records)
    # I expect the idle times from the end of what ran, but not the one that the timer has ended
    found = {one.function: one for one in habits(clean_store)}
    assert found["checkout"].gaps_s == pytest.approx([60.0, 102.0], abs=0.01)
    assert found["checkout"].start_s == pytest.approx(0.5)
    assert found["checkout"].memory_bytes == 50 << 20
    assert found["once"].gaps_s == []
    assert found["once"].start_s == 0.0
