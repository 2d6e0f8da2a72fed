"""OTLP export to real servers on loopback: gRPC and HTTP, dead, slow, and refusing."""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc
import pytest
from free_ports import free_port
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2, logs_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from patience import PATIENCE_S
from relive_base.wire.messages import LogLine
from relive_tracer.explore.errors import ExportError
from relive_tracer.explore.models import LogRow, SpanEventRow, SpanLinkRow, SpanRow
from relive_tracer.explore.otlp import OtlpExporter, export_rows
from relive_tracer.explore.otlp_messages import span_tuples, traces_request
from relive_tracer.explore.otlp_settings import RetryPolicy, endpoint_settings
from relive_tracer.explore.platform_rows import platform_columns
from relive_tracer.explore.rows import FunctionRef, log_columns
from tracer_records import NOW, failed_record, record

FAST = RetryPolicy(first_s=0.02, longest_s=0.1, total_s=20.0)


@dataclass
class Received:
    """What a collector was sent, and how it shall answer."""

    requests: list[Any] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    refuse: int = 0  # so many answers are "unavailable"
    invalid: bool = False
    reject: int = 0  # partial success: so many rows are not taken
    gate: threading.Event = field(default_factory=threading.Event)  # answers wait for it

    def __post_init__(self) -> None:
        self.gate.set()

    @property
    def spans(self) -> list[Any]:
        return [s for r in self.requests for g in r.resource_spans for c in g.scope_spans for s in c.spans]

    @property
    def records(self) -> list[Any]:
        return [
            x for r in self.requests for g in r.resource_logs for c in g.scope_logs for x in c.log_records
        ]


class Collector(trace_service_pb2_grpc.TraceServiceServicer):
    def __init__(self, received: Received) -> None:
        self.received = received

    def Export(self, request: Any, context: Any) -> Any:
        received = self.received
        received.gate.wait(120)
        received.headers.append(dict(context.invocation_metadata()))
        if received.invalid:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "not like this")
        if received.refuse:
            received.refuse -= 1
            context.abort(grpc.StatusCode.UNAVAILABLE, "try again")
        received.requests.append(request)
        if isinstance(request, logs_service_pb2.ExportLogsServiceRequest):
            return logs_service_pb2.ExportLogsServiceResponse()
        response = trace_service_pb2.ExportTraceServiceResponse()
        if received.reject:
            response.partial_success.rejected_spans = received.reject
            response.partial_success.error_message = "too old"
        return response


def serve_grpc(received: Received, port: int = 0) -> tuple[grpc.Server, int]:
    server = grpc.server(ThreadPoolExecutor(4), options=[("grpc.so_reuseport", 0)])
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(Collector(received), server)
    logs_service_pb2_grpc.add_LogsServiceServicer_to_server(Collector(received), server)
    bound = server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    return server, bound


@pytest.fixture
def over_grpc() -> Iterator[tuple[Received, str]]:
    received = Received()
    server, port = serve_grpc(received)
    yield received, f"http://127.0.0.1:{port}"
    received.gate.set()
    server.stop(0).wait(120)


@pytest.fixture
def over_http() -> Iterator[tuple[Received, str]]:
    received = Received()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            received.gate.wait(120)
            body = self.rfile.read(int(self.headers["content-length"]))
            received.headers.append({k.lower(): v for k, v in self.headers.items()} | {"path": self.path})
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            kind = logs_service_pb2.ExportLogsServiceRequest if self.path.endswith("/v1/logs") else None
            request = (kind or trace_service_pb2.ExportTraceServiceRequest).FromString(body)
            answer, status = b"", 400 if received.invalid else 200
            if received.refuse:
                received.refuse -= 1
                status = 503
            if status == 200:
                received.requests.append(request)
                if received.reject:
                    response = trace_service_pb2.ExportTraceServiceResponse()
                    response.partial_success.rejected_spans = received.reject
                    answer = response.SerializeToString()
            self.send_response(status)
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield received, f"http://127.0.0.1:{server.server_port}"
    received.gate.set()
    server.shutdown()
    thread.join(120)
    server.server_close()


@pytest.fixture(params=["grpc", "http"])
def collector(request: pytest.FixtureRequest) -> tuple[Received, str, str]:
    received, endpoint = request.getfixturevalue(f"over_{request.param}")
    return received, endpoint, request.param


SPANS = [
    SpanRow(
        trace_id=f"{i + 1:032x}", span_id=f"{i + 1:016x}", parent_span_id="ab" * 8,
        name=f"span {i} ü", kind="Client",
        service=("cart", "price")[i % 2], start_ns=NOW + i, duration_ns=i,
        status=("Unset", "Ok", "Error")[i % 3],
        status_message="bad" if i % 3 == 2 else "", trace_state="a=b",
        attributes={"k": str(i), "http.response.status_code": "404"},
        resource={"service.name": ("cart", "price")[i % 2], "service.namespace": "shop"},
        events=(SpanEventRow(NOW, "exception", {"exception.type": "KeyError"}),),
        links=(SpanLinkRow("cd" * 16, "ef" * 8, "", {"l": "1"}),), scope="lib", scope_version="1",
    )
    for i in range(10)
]  # fmt: skip
LOGS = [
    LogRow(
        timestamp_ns=NOW,
        severity="ERROR",
        body="boom ü",
        function="cart",
        trace_id="ab" * 16,
        span_id="cd" * 8,
    )
]


def test_what_arrives_is_what_was_sent(collector: tuple[Received, str, str]) -> None:
    received, endpoint, protocol = collector
    settings = endpoint_settings(endpoint, protocol, {"X-Token": "secret"})
    stats = export_rows(settings, SPANS, LOGS)
    assert (stats.sent, stats.failed, stats.dropped, stats.queued) == (11, 0, 0, 0)
    traces = received.requests[0]
    names = [{a.key: a.value.string_value for a in g.resource.attributes} for g in traces.resource_spans]
    assert names == [{"service.name": x, "service.namespace": "shop"} for x in ("cart", "price")]
    by_name = {s.name: s for g in traces.resource_spans for c in g.scope_spans for s in c.spans}
    for i, row in enumerate(SPANS):
        span = by_name[row.name]
        assert (span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex()) == (
            row.trace_id, row.span_id, row.parent_span_id,
        )  # fmt: skip
        assert span.flags == 0x101  # sampled; a client's parent is in its own process
        assert (span.kind, span.status.code, span.status.message) == (3, i % 3, row.status_message)
        assert (span.start_time_unix_nano, span.end_time_unix_nano) == (row.start_ns, row.end_ns)
        assert {a.key: a.value.string_value or a.value.int_value for a in span.attributes} == {
            "k": str(i), "http.response.status_code": 404,
        }  # fmt: skip
        assert (span.events[0].name, span.events[0].time_unix_nano) == ("exception", NOW)
        assert (span.links[0].trace_id.hex(), span.links[0].attributes[0].key) == ("cd" * 16, "l")
    (line,) = received.requests[1].resource_logs[0].scope_logs[0].log_records
    assert (line.body.string_value, line.severity_text, line.severity_number) == ("boom ü", "ERROR", 17)
    assert line.trace_id.hex() == "ab" * 16
    assert all(h["x-token"] == "secret" for h in received.headers)
    if protocol == "http":
        assert [(h["path"], h["content-encoding"]) for h in received.headers] == [
            ("/v1/traces", "gzip"), ("/v1/logs", "gzip"),
        ]  # fmt: skip


def test_the_collectors_batches_go_out_as_they_are(collector: tuple[Received, str, str]) -> None:
    received, endpoint, protocol = collector
    exporter = OtlpExporter(endpoint, protocol)
    records = [record(), failed_record()]
    line = (LogLine(NOW, "INFO", "hello", records[0].trace_id), FunctionRef("checkout", 3, "shop"))
    exporter.submit(platform_columns(records))
    exporter.submit(log_columns([line]), "logs")
    stats = exporter.close(120)
    assert (stats.sent, stats.failed, stats.dropped) == (7, 0, 0)
    spans = [s for r in received.requests if hasattr(r, "resource_spans") for s in Received([r]).spans]
    assert sorted(s.name for s in spans) == ["POST /checkout"] * 2 + ["checkout"] * 2 + ["queue"] * 2
    assert next(s for s in spans if s.events).events[0].name == "exception"


def test_a_collector_that_comes_back_gets_everything(collector: tuple[Received, str, str]) -> None:
    received, endpoint, protocol = collector
    received.refuse = 3
    exporter = OtlpExporter(endpoint, protocol, retry=FAST)
    exporter.submit(SPANS)
    assert exporter.flush(120)
    stats = exporter.close(120)
    assert (stats.sent, stats.failed, stats.dropped) == (10, 0, 0)
    assert len(received.spans) == 10
    assert "UNAVAILABLE" in stats.last_error or "503" in stats.last_error


def test_partial_success_is_counted(collector: tuple[Received, str, str]) -> None:
    received, endpoint, protocol = collector
    received.reject = 4
    stats = export_rows(endpoint_settings(endpoint, protocol), SPANS)
    assert (stats.sent, stats.failed) == (6, 4)


def test_a_refusal_for_good_is_not_retried(collector: tuple[Received, str, str]) -> None:
    received, endpoint, protocol = collector
    received.invalid = True
    with pytest.raises(ExportError, match=r"INVALID_ARGUMENT|HTTP 400"):
        export_rows(endpoint_settings(endpoint, protocol), SPANS, retry=FAST)
    assert len(received.headers) == 1


def test_a_slow_collector_never_slows_submit(collector: tuple[Received, str, str]) -> None:
    # Given a collector that does not answer, and a queue for 1,000 rows
    received, endpoint, protocol = collector
    received.gate.clear()
    exporter = OtlpExporter(endpoint, protocol, queue_limit=1_000, retry=FAST)
    for _ in range(1_000):
        exporter.submit(SPANS)  # would wait for ever if it waited for the collector: the gate is closed
    # I expect every submit to return all the same, the queue to be bounded and the loss to be counted
    stats = exporter.stats()
    assert stats.queued <= 1_010
    assert stats.dropped + stats.queued == 10_000
    received.gate.set()
    assert exporter.flush(120)
    stats = exporter.close(120)
    assert (stats.sent + stats.dropped, stats.failed, stats.queued) == (10_000, 0, 0)
    assert len(received.spans) == stats.sent


def test_a_collector_that_starts_late_gets_what_waited() -> None:
    # Given an endpoint where nobody listens yet
    received = Received()
    port = free_port()
    exporter = OtlpExporter(f"http://127.0.0.1:{port}", retry=FAST)
    exporter.submit(SPANS)
    wait_for(lambda: "UNAVAILABLE" in exporter.stats().last_error)
    # When it starts
    server, _ = serve_grpc(received, port)
    try:
        assert exporter.flush(120)
        assert exporter.close(120).sent == 10
    finally:
        server.stop(0).wait(120)


def test_close_is_bounded_where_nobody_listens() -> None:
    for protocol in ("grpc", "http"):
        exporter = OtlpExporter("http://127.0.0.1:9", protocol)
        exporter.submit(SPANS)
        stats = exporter.close(0.5)  # a batch is tried for five minutes: longer than a test may take
        assert (stats.sent, stats.failed + stats.dropped, stats.queued) == (0, 10, 0)
    with pytest.raises(ExportError, match="is a collector listening there"):
        export_rows(endpoint_settings("http://127.0.0.1:9"), SPANS, timeout_s=0.5)


def test_rows_of_a_wrong_shape_do_not_end_the_export(collector: tuple[Received, str, str]) -> None:
    received, endpoint, protocol = collector
    exporter = OtlpExporter(endpoint, protocol)
    exporter.submit({"Timestamp": [1, 2, 3]})
    exporter.submit(SPANS)
    stats = exporter.close(120)
    assert (stats.sent, stats.failed) == (10, 3)
    assert len(received.spans) == 10


def wait_for(condition: Callable[[], bool], seconds: float = PATIENCE_S) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("kind", "parent", "flags"),
    [
        ("Server", "", 0x101),
        ("Server", "ab" * 8, 0x301),
        ("Consumer", "ab" * 8, 0x301),
        ("Producer", "ab" * 8, 0x101),
    ],
)
def test_a_span_says_whether_its_parent_is_remote(kind: str, parent: str, flags: int) -> None:
    row = replace(SPANS[0], kind=kind, parent_span_id=parent)
    (sent,) = traces_request(span_tuples([row])).resource_spans[0].scope_spans[0].spans
    assert sent.flags == flags
    assert {link.flags for link in sent.links} == {0x301 if kind == "Consumer" else 1}


def test_a_span_of_a_trace_that_was_not_sampled_is_sent_as_such() -> None:
    # Given a span that is recorded though its caller does not sample
    row = replace(SPANS[0], kind="Consumer", parent_span_id="ab" * 8, flags=0)

    # When it is exported
    (sent,) = traces_request(span_tuples([row])).resource_spans[0].scope_spans[0].spans

    # I expect what was decided, of it and of what published its event
    assert sent.flags == 0x300
    assert {link.flags for link in sent.links} == {0x300}
