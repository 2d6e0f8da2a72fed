"""Receivers of OTLP over gRPC and HTTP, as Jaeger has them, on loopback."""

from __future__ import annotations

import contextlib
import gzip
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import grpc
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2, logs_service_pb2_grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

__all__ = ["Received", "Span", "otlp_over_grpc", "otlp_over_http"]

_ANSWERS = {
    trace_service_pb2.ExportTraceServiceRequest: trace_service_pb2.ExportTraceServiceResponse,
    logs_service_pb2.ExportLogsServiceRequest: logs_service_pb2.ExportLogsServiceResponse,
    metrics_service_pb2.ExportMetricsServiceRequest: metrics_service_pb2.ExportMetricsServiceResponse,
}
_KINDS = {
    "/v1/traces": trace_service_pb2.ExportTraceServiceRequest,
    "/v1/logs": logs_service_pb2.ExportLogsServiceRequest,
    "/v1/metrics": metrics_service_pb2.ExportMetricsServiceRequest,
}


@dataclass(frozen=True)
class Span:
    """What a test asks of a received span; ids in hex."""

    name: str
    kind: int
    trace_id: str
    span_id: str
    parent_span_id: str
    service: str
    attributes: dict[str, Any]
    links: list[str]


@dataclass
class Received:
    """Everything that came."""

    endpoint: str = ""
    requests: list[Any] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    @property
    def spans(self) -> list[Span]:
        found = []
        for request in list(self.requests):
            for resource in getattr(request, "resource_spans", ()):
                service = _attributes(resource.resource.attributes).get("service.name", "")
                found += [_span(span, service) for scope in resource.scope_spans for span in scope.spans]
        return found

    @property
    def log_records(self) -> list[Any]:
        return [
            record
            for request in list(self.requests)
            for resource in getattr(request, "resource_logs", ())
            for scope in resource.scope_logs
            for record in scope.log_records
        ]

    @property
    def metrics(self) -> list[Any]:
        return [
            metric
            for request in list(self.requests)
            for resource in getattr(request, "resource_metrics", ())
            for scope in resource.scope_metrics
            for metric in scope.metrics
        ]

    def trace(self, trace_id: str) -> dict[str, Span]:
        """The spans of one trace by id."""
        return {span.span_id: span for span in self.spans if span.trace_id == trace_id}


def _attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value") or "string_value") for pair in pairs}


def _span(span: Any, service: str) -> Span:
    return Span(
        name=span.name,
        kind=span.kind,
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_span_id=span.parent_span_id.hex(),
        service=service,
        attributes=_attributes(span.attributes),
        links=[link.span_id.hex() for link in span.links],
    )


class _Servicer(trace_service_pb2_grpc.TraceServiceServicer, logs_service_pb2_grpc.LogsServiceServicer):
    def __init__(self, received: Received) -> None:
        self._received = received

    def Export(self, request: Any, context: Any) -> Any:
        self._received.requests.append(request)
        self._received.headers.append({key: str(value) for key, value in context.invocation_metadata()})
        return _ANSWERS[type(request)]()


@contextlib.contextmanager
def otlp_over_grpc(
    *, logs: bool = True, credentials: grpc.ServerCredentials | None = None
) -> Iterator[Received]:
    """A gRPC receiver; its `endpoint` is what users give to --otlp. Without `logs` it has no such service,
    as Jaeger has none."""
    received = Received()
    server = grpc.server(ThreadPoolExecutor(4))
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(_Servicer(received), server)
    if logs:
        logs_service_pb2_grpc.add_LogsServiceServicer_to_server(_Servicer(received), server)
    if credentials is None:
        received.endpoint = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    else:
        received.endpoint = f"https://127.0.0.1:{server.add_secure_port('127.0.0.1:0', credentials)}"
    server.start()
    try:
        yield received
    finally:
        server.stop(0).wait(120)


@contextlib.contextmanager
def otlp_over_http(
    *, logs: bool = True, metrics: bool = False, tls: ssl.SSLContext | None = None
) -> Iterator[Received]:
    """An HTTP receiver of protobuf bodies at /v1/traces, with `logs` at /v1/logs, with `metrics` at
    /v1/metrics."""
    received = Received()
    paths = {"/v1/traces", *["/v1/logs"] * logs, *["/v1/metrics"] * metrics}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            kind = _KINDS.get(self.path, _KINDS["/v1/traces" if "traces" in self.path else "/v1/logs"])
            request = kind.FromString(body)
            if self.path in paths:
                received.requests.append(request)
            received.headers.append({key.lower(): value for key, value in self.headers.items()})
            answer = _ANSWERS[kind]().SerializeToString()
            self.send_response(200 if self.path in paths else 404)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    scheme = "http" if tls is None else "https"
    received.endpoint = f"{scheme}://127.0.0.1:{server.server_address[1]}"
    try:
        yield received
    finally:
        server.shutdown()
        server.server_close()
        thread.join(120)
