"""Other programs' telemetry over OTLP, by the SDK's own exporters, into the store."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
import zstandard
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from otlp_receiver import otlp_over_http
from patience import PATIENCE_S
from relive_base.wire.messages import MetricData, MetricPoint
from relive_base.within import within
from relive_tracer.explore.metric_rows import MetricColumns, metric_tables
from relive_tracer.explore.otlp import OtlpExporter
from relive_tracer.explore.rows import FunctionRef
from server_harness import Served, served, write_app

SOURCE = """
import json
from opentelemetry import metrics, trace

EMF = {"_aws": {"Timestamp": 0, "CloudWatchMetrics": [{"Namespace": "Shop", "Dimensions": [["service"]],
       "Metrics": [{"Name": "Latency", "Unit": "Milliseconds"}]}]}, "service": "pay", "Latency": [5, 7]}
sold = metrics.get_meter("shop").create_counter("shop.sold", "{piece}")

def handler(event, context):
    with trace.get_tracer("shop").start_as_current_span("reserve"):
        sold.add(3, {"kind": "book"})
        print(json.dumps({"level": "error", "message": "no stock", "order": 4711, "password": "hunter22"}))
        print(json.dumps(EMF))
    return "ok"
"""
FUNCTION = '[functions.cart]\nsource = "."\nhandler = "app:handler"\n'
METHOD = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


def request_of(
    *names: str, trace_id: bytes = b"\1" * 16, at_ns: int = 0, **attributes: str
) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    spans = request.resource_spans.add().scope_spans.add().spans
    for number, name in enumerate(names, 1):
        at = at_ns or time.time_ns()
        span = spans.add(name=name, trace_id=trace_id, span_id=bytes([number]) * 8, kind=3)
        span.start_time_unix_nano, span.end_time_unix_nano = at, at + 1_000
        for key, text in attributes.items():
            span.attributes.add(key=key).value.string_value = text
    return request


async def blocking(work: Callable[[], Any]) -> Any:
    return await asyncio.get_running_loop().run_in_executor(None, work)


def send_by_the_sdk(target: str, trace_id: str, parent: str) -> None:
    """A program with OpenTelemetry's SDK that has been called within a trace."""
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource({"service.name": "mailer"}), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"http://{target}", insecure=True)))
    above = trace.SpanContext(int(trace_id, 16), int(parent, 16), True, trace.TraceFlags(1))
    context = trace.set_span_in_context(trace.NonRecordingSpan(above))
    with provider.get_tracer("mail", "1.0").start_as_current_span("deliver", context) as span:
        span.set_attributes({"mail.bytes": 512, "password": "hunter22"})
    provider.shutdown()


async def test_what_programs_send_is_in_the_store(tmp_path: Path) -> None:
    # Given a server that receives OTLP, and a function's trace
    app = write_app(tmp_path / "app", SOURCE, FUNCTION)
    ways = {"otlp_grpc": "127.0.0.1:0", "otlp_http": "127.0.0.1:0", "otlp_body_limit_bytes": 200_000}
    async with served(tmp_path / "home", **ways) as running:
        await running.deploy(app)
        record = (await running.invoke("cart")).record
        await running.until(lambda: running.server.otlp_in.status()["http"])
        status = running.server.otlp_in.status()
        base = f"http://{status['http']}/v1"

        # When programs send over gRPC and HTTP, good and bad requests
        await blocking(partial(send_by_the_sdk, status["grpc"], record.trace_id, record.span_id))
        async with httpx.AsyncClient(timeout=PATIENCE_S) as client:
            await over_http(client, base)
            await what_is_refused(client, base)
        await what_goes_on_after_a_refusal(base)
        await blocking(lambda: what_is_refused_over_grpc(status["grpc"], status["pid"]))
        sent = await blocking(lambda: send_metrics("http://" + status["http"]))
        assert await running.server.otlp_in.flush(PATIENCE_S)
        assert await running.server.flush(PATIENCE_S)

        # I expect a program's span among the function's, with its types and without its secret
        ask = partial(query, running)
        spans = await ask(
            "SELECT ServiceName, SpanName FROM otel_traces WHERE TraceId = {t:String}", {"t": record.trace_id}
        )
        assert ("mailer", "deliver") in spans
        assert {service for service, _ in spans} == {"cart", "mailer"}
        [[attributes, types]] = await ask(
            "SELECT SpanAttributes, AttributeTypes FROM otel_traces WHERE SpanName = 'deliver'"
        )
        assert attributes == {"mail.bytes": "512", "password": "[redacted]"}
        assert types == {"mail.bytes": "i"}

        # ... the function's own measurement, with its span and invocation
        [[*measured, spans]] = await ask(
            "SELECT Value, MetricUnit, InvocationId, Exemplars.SpanId FROM otel_metrics_sum"
            " WHERE MetricName = 'shop.sold'"
        )
        [[reserve]] = await ask("SELECT SpanId FROM otel_traces WHERE SpanName = 'reserve'")
        assert (measured, spans) == ([3.0, "{piece}", record.invocation_id], [reserve])

        # ... its line in JSON with level and fields, in the same span, and the metric that another one has
        [[*line, span]] = await ask(
            "SELECT SeverityText, LogAttributes['order'], LogAttributes['password'], AttributeTypes, SpanId"
            " FROM otel_logs WHERE ServiceName = 'cart' AND Body LIKE '%no stock%'"
        )
        assert (line, span) == (["ERROR", "4711", "[redacted]", {"order": "i"}], reserve)
        assert await ask(
            "SELECT MetricName, Count, Sum, MetricUnit, ScopeName, Attributes, Exemplars.SpanId"
            " FROM otel_metrics_histogram WHERE ServiceName = 'cart' AND ScopeName = 'Shop'"
        ) == [("Latency", 2, 12.0, "ms", "Shop", {"service": "pay"}, [reserve])]

        # ... what came packed, or as JSON, and nothing of what was refused
        rest = await ask("SELECT SpanName FROM otel_traces WHERE ServiceName = 'unknown_service' ORDER BY 1")
        assert [name for (name,) in rest] == ["fine", "packed", "packed"]
        assert await ask(
            "SELECT ServiceName, ScopeName, SeverityText, SeverityNumber, Body, TraceId, SpanId"
            " FROM otel_logs WHERE ServiceName = 'web'"
        ) == [("web", "pino", "warn", 13, "slow", "0a" * 16, "0b" * 8)]

        # ... what one Relive sends to be what another one takes
        for table in sent:
            names = [name for name in table.columns if name != "InvocationId"]
            quoted = ", ".join(f"`{name}`" for name in names)
            sql = f"SELECT {quoted} FROM {table.table} WHERE startsWith(MetricName, 'r.')"  # noqa: S608
            [row] = await ask(sql)
            assert json.dumps(row) == json.dumps([table.columns[name][0] for name in names])

        # ... and all of it to be counted
        counted = running.server.otlp_in.status()
        assert counted["refused"] == 2
        assert counted["malformed"] >= 4
        assert counted["too_large"] >= 2  # one of them unpacked
        assert counted["turned_away"] >= 3
        assert (counted["spans"], counted["log_records"], counted["points"]) == (4, 1, 4)

        # When the process is killed right after it has answered, I expect each row, once
        async with httpx.AsyncClient(timeout=PATIENCE_S) as client:
            body = request_of("a", "b", "c", trace_id=b"\5" * 16).SerializeToString()
            headers = {"content-type": "application/x-protobuf"}
            assert (await client.post(f"{base}/traces", content=body, headers=headers)).status_code == 200
        os.kill(counted["pid"], signal.SIGKILL)
        await running.until(lambda: running.server.otlp_in.status()["pid"] != counted["pid"])
        await running.until(lambda: running.server.otlp_in.status()["http"])
        assert await running.server.otlp_in.flush(PATIENCE_S)
        assert await ask(
            "SELECT SpanName, count() FROM otel_traces WHERE TraceId = {t:String} GROUP BY 1 ORDER BY 1",
            {"t": "05" * 16},
        ) == [("a", 1), ("b", 1), ("c", 1)]


async def test_what_the_platform_measures_goes_out_and_into_the_store(tmp_path: Path) -> None:
    # Given a server that sends OTLP to somebody, and an invocation
    app = write_app(tmp_path / "app", SOURCE, FUNCTION)
    with otlp_over_http(metrics=True) as received:
        async with served(tmp_path / "home", otlp=received.endpoint, otlp_protocol="http") as running:
            await running.deploy(app)
            await running.invoke("cart")
            keeper = running.server.metrics._keeper
            await keeper.once()
            # When a minute is over
            keeper._clock = lambda: time.time() + 60
            await keeper.once()
            assert await running.server.flush(PATIENCE_S)
            wanted = {"faas.invocations", "process.memory.usage", "relive.store.up"}  # in several requests
            await running.until(lambda: wanted <= {one.name for one in received.metrics})

            # I expect what the platform and its functions have done at the other end
            sent = {one.name: one for one in received.metrics}
            [point] = sent["faas.invocations"].sum.data_points
            assert (point.as_int or point.as_double) == 1
            assert {pair.key: pair.value.string_value for pair in point.attributes}["faas.name"] == "cart"
            assert sent["process.memory.usage"].unit == "By"

            # ... and in the store, where `relive metrics --platform` and everybody's queries find it
            ask = partial(query, running)
            assert await ask(
                "SELECT ServiceName, Value FROM otel_metrics_gauge WHERE MetricName = 'relive.store.up'"
            ) == [("relive", 1.0)]
            assert await ask(
                "SELECT Attributes['faas.name'], Value, IsMonotonic FROM otel_metrics_sum"
                " WHERE MetricName = 'faas.invocations'"
            ) == [("cart", 1.0, True)]
            minutes = await ask("SELECT count() FROM platform_1m WHERE Metric = 'relive.store.up'")
            assert minutes == [(1,)]


async def over_http(client: httpx.AsyncClient, base: str) -> None:
    """Protobuf and JSON, plain and packed."""
    body = request_of("packed", trace_id=b"\2" * 16).SerializeToString()
    for encoding, pack in (("gzip", gzip.compress), ("zstd", zstandard.ZstdCompressor().compress)):
        headers = {"content-type": "application/x-protobuf", "content-encoding": encoding}
        answer = await client.post(f"{base}/traces", content=pack(body), headers=headers)
        assert (answer.status_code, answer.content) == (200, b"")
    line = {
        "timeUnixNano": str(time.time_ns()), "severityText": "warn", "body": {"stringValue": "slow"},
        "traceId": "0a" * 16, "spanId": "0b" * 8, "ofTomorrow": 1,
    }  # fmt: skip
    web = {"attributes": [{"key": "service.name", "value": {"stringValue": "web"}}]}
    scopes = [{"scope": {"name": "pino"}, "logRecords": [line]}]
    answer = await client.post(
        f"{base}/logs", json={"resourceLogs": [{"resource": web, "scopeLogs": scopes}]}
    )
    assert (answer.status_code, answer.json()) == (200, {})


async def what_is_refused(client: httpx.AsyncClient, base: str) -> None:
    """A clear error for each."""
    proto = {"content-type": "application/x-protobuf"}
    good = request_of("page").SerializeToString()
    bomb = gzip.compress(bytes(50_000_000))
    cases: list[tuple[str, bytes, dict[str, str], int, bytes]] = [
        ("traces", b"\xff\xff\xff", proto, 400, b"no ExportTraceServiceRequest"),
        ("traces", b"[1]", {"content-type": "application/json"}, 400, b"not an object"),
        ("traces", b"[" * 50_000, {"content-type": "application/json"}, 400, b"ExportTrace"),
        ("traces", good, {"content-type": "text/plain"}, 415, b"text/plain"),
        ("traces", good, proto | {"content-encoding": "br"}, 415, b"gzip"),
        ("traces", good, proto | {"content-encoding": "gzip"}, 400, b"no gzip"),
        ("traces", bomb, proto | {"content-encoding": "gzip"}, 413, b"200000 bytes"),
        ("traces", bytes(300_000), proto, 413, b"200000 bytes"),
        ("profiles", good, proto, 404, b"/v1/metrics"),
        ("traces", good, proto | {"origin": "http://evil.example"}, 403, b"web pages"),
        ("traces", good, proto | {"host": "rebound.example"}, 403, b"rebound.example"),
    ]
    for path, body, headers, expected, said in cases:
        answer = await client.post(f"{base}/{path}", content=body, headers=headers)
        assert (answer.status_code, said in answer.content) == (expected, True), (answer, said)
    assert (await client.get(f"{base}/traces")).status_code == 405


async def what_goes_on_after_a_refusal(base: str) -> None:
    """One connection: what was refused early, and whether the next request is answered."""
    host, _, port = base.removeprefix("http://").partition("/")[0].partition(":")
    good = b"POST /v1/traces HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    last = good + b"connection: close\r\ncontent-length: 2\r\n\r\n{}"
    for line, status in ((b"POST /nope", b"404"), (b"PUT /v1/traces", b"405")):
        for body in (
            b"content-length: 2\r\n\r\n{}",
            b"transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        ):
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(line + b" HTTP/1.1\r\nhost: localhost\r\n" + body + last)
            data = await within(reader.read(), PATIENCE_S)
            writer.close()
            assert data.startswith(b"HTTP/1.1 " + status), data
            assert data.count(b"HTTP/1.1 200") == 1, data
    # ... and a body is read though it comes with the wish for another protocol, as Java's client sends it
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(last.replace(b"connection: close", b"connection: upgrade, close\r\nupgrade: h2c"))
    assert (await within(reader.read(), PATIENCE_S)).startswith(b"HTTP/1.1 200")
    writer.close()


def peak_kb(pid: int) -> int:
    """Of a process's resident memory, so far."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def what_is_refused_over_grpc(target: str, pid: int) -> None:
    """Records that cannot be kept are refused one by one, requests with a status."""
    with grpc.insecure_channel(target) as channel:
        export = channel.unary_unary(METHOD)
        mixed = request_of("fine", trace_id=b"\4" * 16)
        mixed.MergeFrom(request_of("old", at_ns=1))
        mixed.MergeFrom(request_of("odd", trace_id=b"short"))
        answer = export(mixed.SerializeToString(), timeout=PATIENCE_S)
        partial_success = ExportTraceServiceResponse.FromString(answer).partial_success
        assert partial_success.rejected_spans == 2
        assert "1 older than 14 days" in partial_success.error_message
        assert "1 without a valid trace id" in partial_success.error_message
        big = request_of("big", text="x" * 300_000).SerializeToString()
        for body, code in ((b"\xff\xff", "INVALID_ARGUMENT"), (big, "RESOURCE_EXHAUSTED")):
            for compression in (None, grpc.Compression.Gzip):
                with pytest.raises(grpc.RpcError) as error:
                    export(body, timeout=PATIENCE_S, compression=compression)
                assert error.value.code().name == code
        # ... and one that is a thousand times as large unpacked (64 MB) is not unpacked beyond the limit
        before = peak_kb(pid)
        with pytest.raises(grpc.RpcError) as error:
            export(b"\0" * (64 << 20), timeout=PATIENCE_S, compression=grpc.Compression.Gzip)
        assert error.value.code().name == "RESOURCE_EXHAUSTED"
        assert peak_kb(pid) - before < 32_000


def send_metrics(target: str) -> list[MetricColumns]:
    """Of every kind, by Relive's own exporter; gives what was sent."""
    now = time.time_ns()
    points = [MetricPoint(now, [3.5, 0.5], {"n": 3}, "ab" * 16, "cd" * 8, start_ns=now - 1_000)]
    metrics = [
        MetricData("r.counter", "counter", "{piece}", "Pieces", points),
        MetricData("r.gauge", "gauge", points=points),
        MetricData("r.histogram", "histogram", points=points, bounds=[1.0, 2.0]),
        MetricData("r.fine", "histogram", points=points, exponential=True),
    ]
    sent = metric_tables((metric, FunctionRef("cart", 3)) for metric in metrics)
    exporter = OtlpExporter(target, "http")
    for table in sent:
        exporter.submit(table.columns, "metrics")
    assert exporter.close(PATIENCE_S).sent == 4
    return sent


async def query(
    running: Served, sql: str, parameters: dict[str, object] | None = None
) -> list[tuple[Any, ...]]:
    """Of what the store has."""
    return list((await blocking(partial(running.server.store.query, sql, parameters))).rows())
