"""What a server records goes out over OTLP: by our own settings, or as the standard variables say."""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import grpc
import pytest
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2, logs_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from patience import PATIENCE_S
from relive_tracer.explore.errors import OtlpSettingsError
from server_harness import served, write_app

SOURCE = """
from opentelemetry import trace
def handler(event, context):
    print("password=hunter2-planted")
    with trace.get_tracer("shop").start_as_current_span("price"):
        return 1
"""
FUNCTION = '[functions.f]\nhandler = "app:handler"\nsource = "."\n'


class Receiver:
    """What arrived: span names, log bodies, headers and paths."""

    def __init__(self) -> None:
        self.spans: list[str] = []
        self.logs: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.resources: list[dict[str, str]] = []
        self.address = ""

    def take(self, request: Any, headers: dict[str, str], path: str = "") -> None:
        self.headers.append(headers)
        self.paths.append(path)
        for group in getattr(request, "resource_spans", ()):
            self.resources.append({x.key: x.value.string_value for x in group.resource.attributes})
            self.spans += [span.name for scope in group.scope_spans for span in scope.spans]
        for group in getattr(request, "resource_logs", ()):
            self.logs += [row.body.string_value for scope in group.scope_logs for row in scope.log_records]


@pytest.fixture
def over_grpc() -> Iterator[Receiver]:
    receiver = Receiver()

    class Traces(trace_service_pb2_grpc.TraceServiceServicer):
        def Export(self, request: Any, context: Any) -> Any:
            receiver.take(request, dict(context.invocation_metadata()))
            return trace_service_pb2.ExportTraceServiceResponse()

    class Logs(logs_service_pb2_grpc.LogsServiceServicer):
        def Export(self, request: Any, context: Any) -> Any:
            receiver.take(request, dict(context.invocation_metadata()))
            return logs_service_pb2.ExportLogsServiceResponse()

    server = grpc.server(ThreadPoolExecutor(2))
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(Traces(), server)
    logs_service_pb2_grpc.add_LogsServiceServicer_to_server(Logs(), server)
    receiver.address = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    yield receiver
    server.stop(0).wait()


@pytest.fixture
def over_http() -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            logs = self.path.endswith("logs")
            request: Any = (
                logs_service_pb2.ExportLogsServiceRequest()
                if logs
                else trace_service_pb2.ExportTraceServiceRequest()
            )
            request.ParseFromString(body)
            receiver.take(request, {k.lower(): v for k, v in self.headers.items()}, self.path)
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield receiver
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def receiver(request: pytest.FixtureRequest) -> Receiver:
    found: Receiver = request.getfixturevalue(f"over_{request.param}")
    return found


async def _recorded(tmp_path: Path, **settings: str) -> None:
    """One invocation on a server that is stopped in order, once all is sent: it waits for that no longer than
    a moment."""
    async with served(tmp_path / "home", **settings) as running:
        await running.deploy(write_app(tmp_path / "app", SOURCE, FUNCTION))
        assert (await running.invoke("f")).body == b"1"
        assert await running.server.flush(PATIENCE_S)
        collector, deadline = running.server.collector, time.monotonic() + PATIENCE_S
        while not await collector.refresh(PATIENCE_S) or collector.stats.ack.otlp_queued:
            assert time.monotonic() < deadline


def _arrived(receiver: Receiver) -> None:
    assert "price" in receiver.spans
    assert len(receiver.spans) >= 2  # the platform's own too
    assert receiver.logs == ["password=[redacted]"]
    assert all(headers["x-team"] == "blue" for headers in receiver.headers)


@pytest.mark.parametrize(
    ("receiver", "protocol"),
    [("grpc", ""), ("grpc", "grpc"), ("http", "http/protobuf")],
    indirect=["receiver"],
)
async def test_our_own_settings_win(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, receiver: Receiver, protocol: str
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    await _recorded(tmp_path, otlp=receiver.address, otlp_protocol=protocol, otlp_headers="x-team=blue")
    _arrived(receiver)


async def test_a_url_with_a_path_is_http(tmp_path: Path, over_http: Receiver) -> None:
    await _recorded(tmp_path, otlp=f"{over_http.address}/otlp", otlp_headers="x-team=blue")
    _arrived(over_http)
    assert set(over_http.paths) == {"/otlp/v1/traces", "/otlp/v1/logs"}


@pytest.mark.parametrize(
    ("receiver", "protocol"), [("grpc", "grpc"), ("http", "http/protobuf")], indirect=["receiver"]
)
async def test_the_standard_variables_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, receiver: Receiver, protocol: str
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.address)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-team=blue")
    await _recorded(tmp_path)
    _arrived(receiver)


async def test_each_signal_may_have_an_endpoint_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, over_http: Receiver, over_grpc: Receiver
) -> None:
    # Given traces to one collector over HTTP, with headers and a time limit of their own, and logs to another
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", f"{over_http.address}/mine")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/protobuf")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "x-team=red")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "5000")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", over_grpc.address)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-team=blue")

    await _recorded(tmp_path)

    # I expect each where it belongs
    assert "price" in over_http.spans
    assert over_http.logs == []
    assert set(over_http.paths) == {"/mine"}
    assert over_http.headers[0]["x-team"] == "red"
    assert over_grpc.spans == []
    assert over_grpc.logs == ["password=[redacted]"]
    assert over_grpc.headers[0]["x-team"] == "blue"


async def test_with_an_endpoint_of_ours_the_other_variables_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, over_http: Receiver
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-team=blue")
    monkeypatch.setenv("OTEL_LOGS_EXPORTER", "none")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=prod,host.name=ours")

    await _recorded(tmp_path, otlp=over_http.address)

    assert "price" in over_http.spans
    assert over_http.logs == []
    assert set(over_http.paths) == {"/v1/traces"}
    assert {headers["x-team"] for headers in over_http.headers} == {"blue"}
    assert {resource["deployment.environment.name"] for resource in over_http.resources} == {"prod"}
    assert {resource["host.name"] for resource in over_http.resources} == {"ours"}


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json", "http/json"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/nowhere/ca.pem", "certificate"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon", "milliseconds"),
    ],
)
async def test_a_standard_variable_that_cannot_work_stops_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, says: str
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "https://127.0.0.1:4317")
    monkeypatch.setenv(name, value)
    with pytest.raises(OtlpSettingsError, match=says):
        await _recorded(tmp_path)
