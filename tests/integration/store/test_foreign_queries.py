"""What Grafana's ClickHouse plugin and HyperDX ask of the OpenTelemetry tables, asked of ours; and our
dashboard for Grafana, with its macros filled in."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
from relive_base.wire.messages import LogLine, Profile, StackFrames
from relive_profiler.explore.rows import StackCache, profile_columns, stack_columns
from relive_store import Store
from relive_tracer.explore.failures import failure_line
from relive_tracer.explore.health.platform import platform_columns
from relive_tracer.explore.invocation_rows import invocation_columns
from relive_tracer.explore.platform_rows import platform_columns as span_columns
from relive_tracer.explore.rows import FunctionRef, log_columns
from tracer_records import MS, NOW, failed_record, record

FAILED = failed_record(instance="w-1", http_status=500)

# Grafana: a trace as its panel wants it, with the table of trace ids to narrow the time.
GRAFANA_TRACE = """
WITH '@trace@' as trace_id,
    (SELECT min(Start) FROM "otel_traces_trace_id_ts" WHERE TraceId = trace_id) as trace_start,
    (SELECT max(End) + 1 FROM "otel_traces_trace_id_ts" WHERE TraceId = trace_id) as trace_end
SELECT "TraceId" as traceID, "SpanId" as spanID, "ParentSpanId" as parentSpanID, "ServiceName" as serviceName,
    "SpanName" as operationName, multiply(toUnixTimestamp64Nano("Timestamp"), 0.000001) as startTime,
    multiply("Duration", 0.000001) as duration,
    arrayMap(key -> map('key', key, 'value', "SpanAttributes"[key]), mapKeys("SpanAttributes")) as tags,
    arrayMap(key -> map('key', key, 'value', "ResourceAttributes"[key]), mapKeys("ResourceAttributes"))
        as serviceTags,
    if("StatusCode" IN ('Error', 'STATUS_CODE_ERROR'), 2, 0) as statusCode, "SpanKind" as kind,
    "StatusMessage" as statusMessage, "ScopeName" as instrumentationLibraryName,
    arrayMap((name, timestamp, attributes) -> tuple(name, toString(toUnixTimestamp64Milli(timestamp)),
        arrayMap(key -> map('key', key, 'value', attributes[key]), mapKeys(attributes))),
        "Events.Name", "Events.Timestamp", "Events.Attributes") as logs,
    arrayMap((traceID, spanID, attributes) -> tuple(traceID, spanID,
        arrayMap(key -> map('key', key, 'value', attributes[key]), mapKeys(attributes))),
        "Links.TraceId", "Links.SpanId", "Links.Attributes") as references
FROM "otel_traces"
WHERE traceID = trace_id AND "Timestamp" >= trace_start AND "Timestamp" <= trace_end
ORDER BY "Timestamp" ASC LIMIT 1000
"""
GRAFANA_SEARCH = """
SELECT "TraceId" as traceID, "ServiceName" as serviceName, "SpanName" as operationName,
    "Timestamp" as startTime, multiply("Duration", 0.000001) as duration
FROM "otel_traces"
WHERE ( Timestamp >= now() - INTERVAL 1 HOUR AND Timestamp <= now() + INTERVAL 1 HOUR )
    AND ( ParentSpanId = '' ) AND ( Duration > 0 ) AND ( SpanAttributes['http.response.status_code'] = '500' )
ORDER BY Timestamp DESC, Duration DESC LIMIT 1000
"""
GRAFANA_LOGS = """
SELECT "Timestamp" as "timestamp", "Body" as "body", "SeverityText" as "level", "LogAttributes" as "labels",
    "TraceId" as "traceID"
FROM "otel_logs"
WHERE ( TimestampTime >= now() - INTERVAL 1 HOUR AND TimestampTime <= now() + INTERVAL 1 HOUR )
    AND ( timestamp >= now() - INTERVAL 1 HOUR ) AND (body LIKE '%KeyError%')
ORDER BY timestamp DESC LIMIT 1000
"""
GRAFANA_VOLUME = """
SELECT toStartOfInterval("TimestampTime", INTERVAL 1 minute) as "time",
    sum(toInt64(multiSearchAny(toString("SeverityText"), ['error', 'ERROR', 'Error']))) as error
FROM "otel_logs" GROUP BY time ORDER BY time ASC
"""
# HyperDX: its search, the histogram above it, the fields beside it, an event's details, a service's chart.
HYPERDX_SEARCH = """
SELECT Timestamp, ServiceName, SeverityText, Body, TimestampTime, TraceId, SpanId, EventName
FROM default.otel_logs
WHERE (TimestampTime >= fromUnixTimestamp64Milli(toInt64(toUnixTimestamp(now()) - 3600) * 1000)
    AND TimestampTime <= fromUnixTimestamp64Milli(toInt64(toUnixTimestamp(now()) + 3600) * 1000))
    AND (hasToken(lower(Body), lower('keyerror')))
ORDER BY TimestampTime DESC, Timestamp DESC LIMIT 200 OFFSET 0
"""
HYPERDX_HISTOGRAM = """
SELECT count(), SeverityText, toStartOfInterval(toDateTime(TimestampTime), INTERVAL 1 minute) AS bucket
FROM default.otel_logs GROUP BY SeverityText, bucket ORDER BY bucket
"""
HYPERDX_FIELDS = """
WITH sampled AS (SELECT ResourceAttributes AS attributes FROM default.otel_traces LIMIT 100000)
SELECT DISTINCT key FROM (SELECT arrayJoin(mapKeys(attributes)) AS key FROM sampled) WHERE key = 'host.name'
"""
HYPERDX_EVENT = """
SELECT *, Timestamp AS "__hdx_timestamp", TraceId AS "__hdx_trace_id", SpanAttributes AS "__hdx_attributes",
    arrayFilter(x -> x.1 = 'exception', arrayMap((n, a) -> (n, a), Events.Name, Events.Attributes)) AS errors
FROM default.otel_traces WHERE TraceId = '@trace@' AND SpanKind = 'Internal' LIMIT 1
"""
HYPERDX_SERVICE = """
SELECT countIf(StatusCode = 'Error') / count() AS "Error Rate", quantile(0.95)(Duration) / 1e6 AS p95,
    SpanName AS Endpoint
FROM default.otel_traces WHERE ServiceName = 'checkout' AND SpanKind IN ('Server', 'SPAN_KIND_SERVER')
GROUP BY Endpoint ORDER BY p95 DESC LIMIT 20
"""
QUERIES = {name: text for name, text in globals().items() if name.startswith(("GRAFANA_", "HYPERDX_"))}


@pytest.fixture
def recorded(store: Store) -> Store:
    """A success, a failure, its exception's log record and a line."""
    line = failure_line(FAILED)
    assert line is not None
    ref = FunctionRef("checkout", 3, "shop", instance="w-1")
    printed = LogLine(FAILED.started_ns, "INFO", "pricing", FAILED.trace_id, FAILED.span_id)
    store.insert("otel_traces", span_columns([record(), FAILED]))
    store.insert("otel_logs", log_columns([(line, ref), (printed, ref)]))
    return store


@pytest.mark.parametrize("name", QUERIES)
def test_their_queries_find_what_was_recorded(recorded: Store, name: str) -> None:
    asked = QUERIES[name].replace("default.", "").replace("@trace@", FAILED.trace_id)
    rows = list(recorded.query(asked).dicts())
    assert rows
    if name == "GRAFANA_TRACE":
        assert {row["statusCode"] for row in rows} == {0, 2}
        assert any(row["logs"] for row in rows)
    if name == "HYPERDX_SERVICE":
        assert rows[0]["Error Rate"] == 0.5


FILE = Path(__file__).parents[3] / "examples" / "grafana" / "relive.json"
DASHBOARD = json.loads(FILE.read_text())
PANELS = {panel["title"]: panel for panel in DASHBOARD["panels"] if panel["type"] != "row"}
EMPTY = {"Alerts"}


def filled(sql: str) -> str:
    """As the plugin for ClickHouse fills it in for the last hour, a minute per point."""
    now_s = int(time.time()) + 60
    ends = [f"toDateTime({second})" for second in (now_s - 3_600, now_s)]
    sql = re.sub(r"\$__timeFilter\((\w+)\)", rf"\1 >= {ends[0]} AND \1 <= {ends[1]}", sql)
    sql = re.sub(r"\$__timeInterval\((\w+)\)", r"toStartOfInterval(toDateTime(\1), INTERVAL 60 second)", sql)
    sql = sql.replace("$__interval_s", "60").replace("${function:singlequote}", "'checkout','report'")
    assert "$" not in sql
    return sql


def queries(panel: dict[str, Any]) -> list[str]:
    return [target["rawSql"] for target in panel["targets"]]


@pytest.fixture
def busy(store: Store) -> Store:
    """What a home has after a good and a failed invocation."""
    failed = failed_record(instance="w-1", http_status=500)
    records = [record(), failed]
    store.insert("invocations", invocation_columns(records))
    stack = StackFrames(5, ["handler", "price"], ["app.py", "cart.py"], [3, 88])
    profile = Profile(
        invocation_id=failed.invocation_id, phase="invoke", engine="sampled", started_ns=NOW,
        duration_ns=9 * MS, stack_hashes=[5], counts=[3], wall_ns=[9 * MS], cpu_ns=[6 * MS],
        new_stacks=[stack],
    )  # fmt: skip
    store.insert("profiles", profile_columns([(profile, failed)]))
    store.insert("profile_stacks", stack_columns([(profile, failed)], StackCache(), NOW))
    line = failure_line(failed)
    assert line is not None
    ref = FunctionRef("checkout", 3, "shop", instance="w-1")
    printed = LogLine(NOW, "ERROR", "no price", failed.trace_id, failed.span_id)
    store.insert("otel_logs", log_columns([(line, ref), (printed, ref)]))
    store.insert(
        "failure_scenes",
        {
            "InvocationId": [failed.invocation_id],
            "CapturedAt": [NOW],
            "Function": ["checkout"],
            "ErrorType": ["KeyError"],
            "Message": ["'sku'"],
            "File": ["cart.py"],
            "Line": [88],
            "Fingerprint": ["abc"],
        },
    )
    gauges = [
        ("relive.workers", "1", {"state": "idle"}),
        ("relive.queue.age", "s", {}),
        ("process.memory.usage", "By", {"process": "server"}),
        ("relive.store.lag", "s", {}),
        ("relive.store.waiting", "1", {"where": "spooled"}),
    ]
    rows = [(name, unit, attributes, 4, 8.0, 1.0, 3.0, 2.0) for name, unit, attributes in gauges]
    store.insert("platform_1m", platform_columns(NOW // 1_000_000_000 // 60 * 60, rows))
    return store


@pytest.mark.parametrize("store", ["chdb"], indirect=True)
def test_each_panel_has_its_rows(busy: Store) -> None:
    found = {}
    for title, panel in PANELS.items():
        for sql in queries(panel):
            found[title] = list(busy.query(filled(sql)).dicts())
    assert {title for title, rows in found.items() if not rows} == EMPTY
    assert found["Errors"][-1]["errors"] == 0.5
    assert found["Failures by group"][0]["place"] == "cart.py:88"
    assert found["Hot lines"][0] == {"name": "price", "place": "cart.py:88", "seconds": 0.009, "cpu": 0.006}
    (variable,) = [one for one in DASHBOARD["templating"]["list"] if one["name"] == "function"]
    assert [row["Function"] for row in busy.query(variable["query"]).dicts()] == ["checkout"]


def test_a_series_is_a_time_and_a_number_with_a_name() -> None:
    for title, panel in PANELS.items():
        for target in panel["targets"]:
            assert target["datasource"]["uid"] == "${datasource}", title
            assert (" AS time" in target["rawSql"]) or target["format"] == 1, title
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
