"""Requests of OTLP, good and hostile, become rows or a clear refusal; who may send them."""

from __future__ import annotations

import gzip
import json
import time
import zlib
from contextlib import suppress
from typing import Any

import pytest
import zstandard
from google.protobuf.json_format import MessageToDict
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from relive_base.redaction.redactor import Redactor
from relive_platform.signals.kept import DAY_NS, KeptDays
from relive_platform.signals.receivers.otlp.decoding import JSON, PROTOBUF, SIGNALS, Refused, read, unpacked
from relive_platform.signals.receivers.otlp.entry import Entry
from relive_platform.signals.receivers.otlp.intake import BUFFER_ROWS, Intake
from relive_platform.signals.receivers.otlp.ledger import Entry as LedgerEntry
from relive_platform.signals.receivers.otlp.limits import OtlpLimits
from relive_platform.signals.receivers.otlp.requests import Converted, Converter

NOW = 1_800_000_000_000_000_000
NAN, INF = float("nan"), float("inf")
OLD_SPAN = "older than 14 days, and otel_traces keeps no more (RELIVE_RETENTION_DAYS)"
LIMITS = OtlpLimits(attributes=3, value_chars=20, events=2, links=1, buckets=4)


def converter() -> Converter:
    return Converter(Redactor(), LIMITS, lambda: NOW)


def rows_of(done: Converted) -> list[dict[str, Any]]:
    [(_, columns)] = done.tables
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def traces(**more: Any) -> tuple[ExportTraceServiceRequest, Any]:
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add()
    group.resource.attributes.add(key="service.name").value.string_value = "web"
    times = {"start_time_unix_nano": NOW, "end_time_unix_nano": NOW + 5}
    fields = {"trace_id": b"\1" * 16, "span_id": b"\2" * 8, "name": "load", "kind": 2, **times, **more}
    return request, group.scope_spans.add().spans.add(**fields)


def test_values_keep_their_types_and_are_cut() -> None:
    request, span = traces(dropped_attributes_count=4)
    values = AnyValue(), AnyValue()
    values[0].array_value.values.add().int_value = 1
    values[0].array_value.values.add().bool_value = True
    values[1].kvlist_value.values.add(key="inner").value.bytes_value = b"\0\1"
    span.attributes.add(key="list").value.CopyFrom(values[0])
    span.attributes.add(key="map").value.CopyFrom(values[1])
    span.attributes.add(key="long").value.string_value = "x" * 100
    span.attributes.add(key="too many").value.int_value = 1
    for name in "abc":
        span.events.add(name=name, time_unix_nano=NOW).attributes.add(key="n").value.double_value = 0.5
    [row] = rows_of(converter().traces(request))
    assert row["SpanAttributes"] == {
        "list": "[1,true]", "map": '{"inner":"AAE="}', "long": "x" * 19 + "…",
        "otel.dropped_attributes_count": "5", "otel.dropped_events_count": "1",
    }  # fmt: skip
    assert row["AttributeTypes"]["list"] == "a"
    assert row["AttributeTypes"]["event/1/n"] == "d"
    assert (row["Events.Name"], row["ServiceName"], row["SpanKind"]) == (["a", "b"], "web", "Server")
    assert (row["Timestamp"], row["Duration"], row["StatusCode"]) == (NOW, 5, "Unset")


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"trace_id": b""}, "1 without a valid trace id and span id"),
        ({"span_id": bytes(8)}, "1 without a valid trace id and span id"),
        ({"start_time_unix_nano": 0}, f"1 {OLD_SPAN}"),
        ({"start_time_unix_nano": NOW - 15 * DAY_NS}, f"1 {OLD_SPAN}"),
        ({"start_time_unix_nano": NOW + 2 * DAY_NS}, "1 more than 1 day ahead"),
        ({"start_time_unix_nano": (1 << 64) - 1}, "1 more than 1 day ahead"),
        ({"end_time_unix_nano": (1 << 64) - 1}, "1 ending more than 1 day ahead"),
    ],
)
def test_a_span_that_cannot_be_kept_is_refused_and_counted(fields: dict[str, Any], why: str) -> None:
    request, _ = traces(**fields)
    request.MergeFrom(traces()[0])
    done = converter().traces(request)
    assert (done.taken, done.message) == (1, why)


def test_what_each_row_repeats_has_a_limit_of_its_own() -> None:
    # Given a resource and a scope of more than their rows can repeat, and of less
    request = ExportLogsServiceRequest()
    group = request.resource_logs.add()
    part = group.scope_logs.add()
    part.log_records.add(time_unix_nano=NOW)
    for owner in (group.resource, part.scope):
        for name, size in (("a", 30), ("b", 40), ("c", 10)):
            owner.attributes.add(key=name).value.string_value = "x" * size
    limits = OtlpLimits(shared_chars=50)
    [row] = rows_of(Converter(Redactor(), limits, lambda: NOW).logs(request))
    # I expect what is too much left out and counted
    kept = {"a": "x" * 30, "c": "x" * 10, "otel.dropped_attributes_count": "1"}
    assert (row["ResourceAttributes"], row["ScopeAttributes"]) == (kept, kept)


def bombs() -> dict[str, Any]:
    """Small requests whose rows are large, as each repeats what is said once."""
    spans = ExportTraceServiceRequest()
    group = spans.resource_spans.add()
    group.resource.attributes.add(key="a").value.string_value = "x" * 400
    for _ in range(200):
        group.scope_spans.add().spans.add(trace_id=b"\1" * 16, span_id=b"\2" * 8, start_time_unix_nano=NOW)
    logs = ExportLogsServiceRequest()
    part = logs.resource_logs.add().scope_logs.add()
    part.scope.attributes.add(key="a").value.string_value = "x" * 400
    metrics = ExportMetricsServiceRequest()
    metric = metrics.resource_metrics.add().scope_metrics.add().metrics.add(description="x" * 400)
    for _ in range(200):
        part.log_records.add(time_unix_nano=NOW)
        metric.gauge.data_points.add(time_unix_nano=NOW, as_int=1)
    return {"traces": spans, "logs": logs, "metrics": metrics}


def test_rows_of_nothing_have_a_limit_too() -> None:
    request = ExportLogsServiceRequest()
    records = request.resource_logs.add().scope_logs.add().log_records
    for _ in range(4_000):
        records.add()
    with pytest.raises(Refused):
        Converter(Redactor(), OtlpLimits(body_bytes=request.ByteSize() + 10), lambda: NOW).logs(request)


@pytest.mark.parametrize(
    ("status", "counted"),
    [(413, "too_large"), (400, "malformed"), (401, "turned_away"), (415, "turned_away")],
)
def test_a_request_that_is_refused_before_it_is_read_is_counted(status: int, counted: str) -> None:
    intake = Intake(Converter(Redactor(), OtlpLimits(), lambda: NOW), FullWriter(0, 0), 1_000)
    # When a door refuses one, and lets another one in
    with pytest.raises(Refused), intake.at_the_door():
        raise Refused(status, "no")
    with intake.at_the_door():
        pass
    # I expect the first one counted, by what it is
    counts = intake.counts
    assert (counts.requests, counts.too_large + counts.malformed + counts.turned_away) == (1, 1)
    assert getattr(counts, counted) == 1


@pytest.mark.parametrize("signal", sorted(SIGNALS))
def test_a_request_whose_rows_would_be_too_large_is_refused(signal: str) -> None:
    body = bombs()[signal].SerializeToString()
    writer = FullWriter(0, 0)
    # When it is sent where it may be 8 times as large as 10,000 bytes
    limits = OtlpLimits(body_bytes=10_000)
    assert len(body) <= limits.body_bytes
    intake = Intake(Converter(Redactor(), limits, lambda: NOW), writer, 1_000)
    with pytest.raises(Refused) as refused:
        intake.take(signal, body, PROTOBUF)
    # I expect nothing of it taken, and told what to do
    assert refused.value.status == 413
    assert "over 80000 bytes" in refused.value.message
    assert "RELIVE_OTLP_BODY_LIMIT_BYTES" in refused.value.message
    assert (intake.counts.too_large, intake.counts.taken.total()) == (1, 0)
    # ... and where there is more room, it is taken
    enough = Converter(Redactor(), OtlpLimits(body_bytes=20_000), lambda: NOW)
    assert getattr(enough, signal)(read(signal, body)).taken == 200


def test_a_request_of_before_that_is_too_large_now_stops_no_start() -> None:
    class Left:
        def left(self) -> list[LedgerEntry]:
            bodies = bombs()["logs"], traces()[0]
            return [
                LedgerEntry(number, signal, PROTOBUF, body.SerializeToString())
                for number, (signal, body) in enumerate(zip(("logs", "traces"), bodies, strict=True), 1)
            ]

    class Written(FullWriter):
        def add_all(self, tables: Any, mark: Any = None) -> None:
            written.append((tables[0][0], mark.rows))

    written: list[tuple[str, int]] = []
    ledger: Any = Left()
    small = Converter(Redactor(), OtlpLimits(body_bytes=10_000), lambda: NOW)
    assert Intake(small, Written(0, 0), 1_000, ledger).take_up() == 1
    assert written == [("otel_traces", 2)]


def test_severity_is_found_by_name_or_number() -> None:
    request = ExportLogsServiceRequest()
    records = request.resource_logs.add().scope_logs.add().log_records
    for text, number in (("Warning", 0), ("", 18), ("custom", 0), ("", 99)):
        records.add(severity_text=text, severity_number=number, observed_time_unix_nano=NOW)
    found = [(row["SeverityText"], row["SeverityNumber"]) for row in rows_of(converter().logs(request))]
    assert found == [("Warning", 13), ("ERROR", 18), ("custom", 0), ("", 0)]


def test_points_of_metrics_become_rows() -> None:
    request = ExportMetricsServiceRequest()
    metrics = request.resource_metrics.add().scope_metrics.add().metrics
    metrics.add(name="level").gauge.data_points.add(time_unix_nano=NOW, as_int=7)
    total = metrics.add(name="total").sum
    total.is_monotonic, total.aggregation_temporality = True, 2
    total.data_points.add(time_unix_nano=NOW, as_double=0.5).exemplars.add(as_int=3, trace_id=b"\1" * 16)
    took = metrics.add(name="took").histogram
    took.data_points.add(time_unix_nano=NOW, count=3, sum=6.0, bucket_counts=[1, 2], explicit_bounds=[1])
    took.data_points.add(time_unix_nano=NOW, bucket_counts=[1] * 9)
    fine = metrics.add(name="fine").exponential_histogram.data_points.add(time_unix_nano=NOW, scale=2)
    fine.positive.bucket_counts.extend([1, 2])
    metrics.add(name="old").summary.data_points.add(time_unix_nano=NOW).quantile_values.add(value=1)
    old = metrics.add(name="shape").histogram
    for counts, bounds in (([1], [1]), ([], [1]), ([1, 2], []), ([1, 2, 3], [2, 1]), ([1, 2], [NAN])):
        old.data_points.add(time_unix_nano=NOW, bucket_counts=counts, explicit_bounds=bounds)
    old.data_points.add(time_unix_nano=NOW, count=2, sum=3.0)
    metrics.add(name="nothing")
    done = converter().metrics(request)
    found = {table: {name: column[0] for name, column in columns.items()} for table, columns in done.tables}
    assert found["otel_metrics_gauge"]["Value"] == 7.0
    assert found["otel_metrics_sum"]["Exemplars.Value"] == [3.0]
    assert found["otel_metrics_sum"]["AggregationTemporality"] == 2
    assert found["otel_metrics_histogram"]["BucketCounts"] == [1, 2]
    assert found["otel_metrics_exponential_histogram"]["PositiveBucketCounts"] == [1, 2]
    assert found["otel_metrics_summary"]["ValueAtQuantiles.Value"] == [1.0]
    assert done.message == (
        "1 with more buckets than a histogram may have"
        "; 3 whose bucket counts do not fit their bounds: there must be one more of them"
        "; 2 whose bounds are not finite numbers that increase"
    )


def test_what_is_added_up_is_finite_and_a_gauge_is_what_it_is() -> None:
    # Given points that are NaN or infinite, of each kind
    request = ExportMetricsServiceRequest()
    metrics = request.resource_metrics.add().scope_metrics.add().metrics
    points: list[Any] = []
    for kind in ("gauge", "sum"):
        for value in (NAN, INF, 1.0):
            points.append(
                getattr(metrics.add(name=kind), kind).data_points.add(time_unix_nano=NOW, as_double=value)
            )
    points[-1].exemplars.add(as_double=NAN)
    points[-1].exemplars.add(as_double=2.0)
    for kind in ("histogram", "exponential_histogram", "summary"):
        made = getattr(metrics.add(name=kind), kind).data_points
        made.add(time_unix_nano=NOW, count=1, sum=NAN)
        last = made.add(time_unix_nano=NOW, count=1, sum=2.0)
    last.quantile_values.add(quantile=0.5, value=NAN)
    metrics[-3].histogram.data_points[1].max = INF

    done = converter().metrics(request)

    # I expect each gauge as it is, no sum of which all others would be nothing, and the sender told
    found = dict(done.tables)
    assert str(found["otel_metrics_gauge"]["Value"]) == "[nan, inf, 1.0]"
    assert found["otel_metrics_sum"]["Value"] == [1.0]
    assert found["otel_metrics_sum"]["Exemplars.Value"] == [[2.0]]
    sums = [
        found[f"otel_metrics_{kind}"]["Sum"] for kind in ("histogram", "exponential_histogram", "summary")
    ]
    assert sums == [[2.0]] * 3
    assert found["otel_metrics_histogram"]["Max"] == [0.0]
    assert str(found["otel_metrics_summary"]["ValueAtQuantiles.Value"]) == "[[nan]]"
    assert (done.taken, done.message) == (7, "5 with a sum that is NaN or infinite")


def test_what_is_older_than_its_table_keeps_is_refused() -> None:
    # Given tables that keep traces for three days, gauges for 400, and sums for ever
    kept = KeptDays({"otel_traces": 3, "otel_metrics_gauge": 400, "otel_logs": 30})
    four, hundred = NOW - 4 * DAY_NS, NOW - 100 * DAY_NS
    of_three = Converter(Redactor(), LIMITS, lambda: NOW, kept)

    # When what comes is older, or not
    spans = of_three.traces(traces(start_time_unix_nano=four)[0])
    lines = ExportLogsServiceRequest()
    lines.resource_logs.add().scope_logs.add().log_records.add(time_unix_nano=four)
    request = ExportMetricsServiceRequest()
    metrics = request.resource_metrics.add().scope_metrics.add().metrics
    for kind in ("gauge", "sum"):
        for at_ns in (four, hundred):
            getattr(metrics.add(name=kind), kind).data_points.add(time_unix_nano=at_ns, as_int=1)
    points = of_three.metrics(request)

    # I expect it to be refused by its own table's days, of which at most 90 count
    assert spans.message == "1 older than 3 days, and otel_traces keeps no more (RELIVE_RETENTION_DAYS)"
    assert of_three.logs(lines).taken == 1
    assert (points.taken, points.message) == (2, "2 older than 90 days, the most that is taken")


def test_days_are_those_of_the_store_unless_the_server_sets_them() -> None:
    class Asked:
        def query(self, sql: str) -> Any:
            return self

        def rows(self) -> Any:
            yield "otel_logs", "... TTL toDateTime(Timestamp) + toIntervalDay(2) ..."

    store: Any = Asked()
    learned, told = KeptDays(), KeptDays({"otel_logs": 5})
    assert learned.of("otel_logs") == 14
    for one in (learned, told):
        one.learn(store)
    assert (learned.of("otel_logs"), learned.of("otel_traces"), told.of("otel_logs")) == (2, 90, 5)


def test_a_map_with_nan_is_json_all_the_same() -> None:
    request, span = traces()
    span.attributes.add(key="map").value.kvlist_value.values.add(key="x").value.double_value = NAN
    span.attributes.add(key="list").value.array_value.values.add().double_value = INF
    [row] = rows_of(converter().traces(request))
    # What has a type goes out over OTLP as the number that it was
    assert (row["SpanAttributes"], row["AttributeTypes"]["list"]) == (
        {"map": '{"x":"nan"}', "list": "[Infinity]"},
        "a",
    )


NAMES = [
    *("resourceSpans", "scopeSpans", "spans", "traceId", "spanId", "attributes", "key", "value", "values"),
    *("resourceLogs", "resourceMetrics", "scopeMetrics", "metrics", "gauge", "dataPoints", "timeUnixNano"),
    *("startTimeUnixNano", "stringValue", "arrayValue", "kvlistValue"),
]
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(NAMES),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


def taken(signal: str, body: bytes, content_type: str) -> Converted | None:
    """As a door does; None if it was refused."""
    try:
        request = read(signal, body, content_type)
    except Refused as refused:
        return None if refused.status == 400 and refused.message else pytest.fail(repr(refused))
    done: Converted = getattr(converter(), signal)(request)
    for _, columns in done.tables:
        assert len({len(column) for column in columns.values()}) == 1
    return done


@given(st.sampled_from(sorted(SIGNALS)), st.binary(max_size=300))
def test_bytes_of_any_kind_are_taken_or_refused(signal: str, body: bytes) -> None:
    taken(signal, body, PROTOBUF)
    for encoding in ("gzip", "zstd", "deflate"):
        with suppress(Refused):
            assert len(unpacked(body, encoding, 1_000)) <= 1_000


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd", "zstd of unknown size"])
def test_half_of_a_request_never_passes_for_a_whole_one(encoding: str) -> None:
    # Given a request of many spans, packed
    body = b"".join(traces(name="load" * 20)[0].SerializeToString() for _ in range(2_000))
    stream = zstandard.ZstdCompressor().compressobj()
    packed = {
        "gzip": gzip.compress(body),
        "deflate": zlib.compress(body),
        "zstd": zstandard.ZstdCompressor().compress(body),
        "zstd of unknown size": stream.compress(body) + stream.flush(),
    }[encoding]
    encoding, limit_bytes = encoding.split()[0], 8 * 1_048_576
    assert unpacked(packed, encoding, limit_bytes) == body

    # When it ends too early, or another one stands behind it, I expect it to be refused
    for wrong, why in (
        (packed[:-1], "too early"),
        (packed[: len(packed) // 2], "no "),
        (packed * 2, "behind"),
    ):
        with pytest.raises(Refused, match=why) as refused:
            unpacked(wrong, encoding, limit_bytes)
        assert refused.value.status == 400


@settings(max_examples=60)
@given(st.sampled_from(sorted(SIGNALS)), JSON_VALUES)
def test_json_of_any_kind_is_taken_or_refused(signal: str, value: Any) -> None:
    taken(signal, json.dumps(value).encode(), JSON)


@given(st.data())
def test_a_request_that_was_damaged_is_taken_or_refused(data: st.DataObject) -> None:
    request, span = traces()
    span.links.add(trace_id=b"\3" * 16)
    span.attributes.add(key="k").value.array_value.values.add().string_value = "deep"
    body = bytearray(request.SerializeToString())
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    taken("traces", bytes(body), PROTOBUF)


def test_json_has_ids_in_hex_and_says_the_same() -> None:
    request, span = traces()
    span.events.add(name="e", time_unix_nano=NOW)
    plain = MessageToDict(request)
    [told] = plain["resourceSpans"][0]["scopeSpans"][0]["spans"]
    told["traceId"], told["spanId"] = "01" * 16, "02" * 8
    by_json = taken("traces", json.dumps(plain).encode(), JSON)
    assert by_json is not None
    assert by_json.tables == converter().traces(request).tables


LOOPBACK = Entry(loopback=True)
OPEN = Entry(loopback=False, token="a-long-enough-token", hosts=["otel.example"])


@pytest.mark.parametrize(
    ("entry", "headers", "status"),
    [
        (LOOPBACK, {}, 0),
        (LOOPBACK, {"host": "127.0.0.1:4318"}, 0),
        (LOOPBACK, {"host": "[::1]:4318"}, 0),
        (LOOPBACK, {"host": "relive.localhost"}, 0),
        (LOOPBACK, {"host": "evil.example:4318"}, 403),
        (LOOPBACK, {"host": "[broken"}, 403),
        (LOOPBACK, {"host": "localhost", "origin": "http://localhost:3000"}, 403),
        (LOOPBACK, {"host": "localhost", "sec-fetch-site": "cross-site"}, 403),
        (OPEN, {"host": "otel.example"}, 401),
        (OPEN, {"host": "otel.example", "authorization": "Bearer nonsense"}, 401),
        (OPEN, {"host": "otel.example", "authorization": "Basic a-long-enough-token"}, 401),
        (OPEN, {"host": "otel.example", "authorization": "bearer a-long-enough-token"}, 0),
        (OPEN, {"host": "otel.example", "x-relive-token": "a-long-enough-token"}, 0),
        (OPEN, {"host": "other.example", "x-relive-token": "a-long-enough-token"}, 403),
    ],
)
def test_who_may_send(entry: Entry, headers: dict[str, str], status: int) -> None:
    if not status:
        entry.check_page(headers)
        return
    with pytest.raises(Refused) as refused:
        entry.check_page(headers)
    assert refused.value.status == status


class FullWriter:
    """One that has so much waiting."""

    def __init__(self, rows: int, spooled: int) -> None:
        self.buffered_rows, self.spooled_bytes = rows, spooled

    def add_all(self, tables: Any, mark: Any = None) -> None:
        raise AssertionError("nothing is taken")

    def stats(self) -> FullWriter:
        return self


@pytest.mark.parametrize(("rows", "spooled"), [(BUFFER_ROWS + 1, 0), (0, 950)])
def test_what_there_is_no_room_for_comes_again(rows: int, spooled: int) -> None:
    intake = Intake(Converter(Redactor(), LIMITS, time.time_ns), FullWriter(rows, spooled), 1_000)
    with pytest.raises(Refused) as refused:
        intake.take("traces", traces()[0].SerializeToString(), PROTOBUF)
    assert (refused.value.status, refused.value.retry_s > 0) == (503, True)
    assert (intake.counts.held_back, intake.counts.taken.total()) == (1, 0)
