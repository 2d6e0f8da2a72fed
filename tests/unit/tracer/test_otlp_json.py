"""A trace as OTLP's JSON: ids in hex, enums as numbers, 64-bit numbers as text."""

from __future__ import annotations

import json

from google.protobuf.json_format import Parse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from relive_tracer.explore.models import LogRow, SpanEventRow, SpanRow
from relive_tracer.explore.otlp_json import logs_json, trace_json

SPAN = SpanRow(
    trace_id="4bf92f3577b34da6a3ce929d0e0e4736",
    span_id="00f067aa0ba902b7",
    parent_span_id="00f067aa0ba902b6",
    name="charge",
    kind="Client",
    service="orders",
    start_ns=1_800_000_000_000_000_001,
    duration_ns=5,
    status="Error",
    status_message="KeyError: 'sku'",
    attributes={"n": "1"},
    events=(SpanEventRow(1_800_000_000_000_000_002, "exception", {"exception.type": "KeyError"}),),
    types={"n": "i"},
)


def test_a_span_is_as_the_specification_has_it() -> None:
    found = trace_json([SPAN])

    (resource,) = found["resourceSpans"]
    (span,) = resource["scopeSpans"][0]["spans"]
    assert span["traceId"] == SPAN.trace_id
    assert span["spanId"] == SPAN.span_id
    assert span["parentSpanId"] == SPAN.parent_span_id
    assert span["kind"] == 3
    assert span["startTimeUnixNano"] == "1800000000000000001"
    assert span["status"]["code"] == 2
    assert {"key": "service.name", "value": {"stringValue": "orders"}} in resource["resource"]["attributes"]


def test_other_programs_can_read_it() -> None:
    text = json.dumps(trace_json([SPAN])).replace(SPAN.trace_id, "S/kvNXezTaajzpKdDg5HNg==")
    text = text.replace(SPAN.span_id, "APBnqgupArc=").replace(SPAN.parent_span_id, "APBnqgupArY=")

    read = Parse(text, ExportTraceServiceRequest())

    assert read.resource_spans[0].scope_spans[0].spans[0].name == "charge"


def test_a_log_line_names_its_span() -> None:
    line = LogRow(timestamp_ns=7, severity="WARN", body="hm", trace_id=SPAN.trace_id, span_id=SPAN.span_id)

    (record,) = logs_json([line])["resourceLogs"][0]["scopeLogs"][0]["logRecords"]

    assert (record["traceId"], record["spanId"]) == (SPAN.trace_id, SPAN.span_id)
    assert record["body"] == {"stringValue": "hm"}
