"""Sending one OTLP request, over gRPC or HTTP."""

from __future__ import annotations

import gzip
import http.client
from dataclasses import dataclass
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

import grpc
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from relive_tracer.explore.otlp_settings import SignalSettings

__all__ = ["Answer", "GrpcTransport", "HttpTransport", "Transport", "open_transport"]

_METHODS: Final = {
    "traces": "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    "logs": "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    "metrics": "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
}
_RESPONSES: Final[dict[str, Any]] = {
    "traces": ExportTraceServiceResponse,
    "logs": ExportLogsServiceResponse,
    "metrics": ExportMetricsServiceResponse,
}
_REJECTED: Final = {
    "traces": "rejected_spans",
    "logs": "rejected_log_records",
    "metrics": "rejected_data_points",
}
_RETRYABLE_CODES: Final = frozenset(
    {
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.OUT_OF_RANGE,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DATA_LOSS,
    }
)
_RETRYABLE_STATUSES: Final = frozenset({429, 502, 503, 504})
_NO_SUCH_SERVICE: Final = frozenset({404, 405, 501})
_ANSWER_BYTES: Final = 65_536


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a request. `rejected`: rows that were not taken although the rest was."""

    ok: bool
    rejected: int = 0
    message: str = ""
    retryable: bool = False
    retry_after_s: float = 0.0
    unsupported: bool = False  # there is no such service: the same would come of every further request


class Transport(Protocol):
    """Sends serialised requests of one signal. Not thread-safe; never raises for what the network does."""

    def send(self, body: bytes, timeout_s: float) -> Answer:
        """One attempt."""

    def close(self) -> None:
        """Give back the connection."""


def open_transport(signal: str, settings: SignalSettings) -> Transport:
    """A transport for a signal; connects when it first sends. Raises OtlpSettingsError."""
    if settings.protocol == "grpc":
        return GrpcTransport(signal, settings)
    return HttpTransport(signal, settings)


def _accepted(signal: str, body: bytes) -> Answer:
    try:
        partial = _RESPONSES[signal].FromString(body).partial_success
    except Exception:  # the answer is not protobuf, but it was a success
        return Answer(True)
    return Answer(True, getattr(partial, _REJECTED[signal]), partial.error_message)


class GrpcTransport:
    """OTLP/gRPC on one channel. The messages are serialised already, so the call passes bytes through."""

    def __init__(self, signal: str, settings: SignalSettings) -> None:
        self._signal = signal
        self._metadata = tuple(settings.headers.items())
        compression = grpc.Compression.Gzip if settings.gzip else grpc.Compression.NoCompression
        options = [("grpc.max_reconnect_backoff_ms", 5_000), ("grpc.enable_retries", 0)]
        if settings.secure:
            credentials = grpc.ssl_channel_credentials(settings.trusted(), *settings.client_pair())
            self._channel = grpc.secure_channel(settings.target, credentials, options, compression)
        else:
            self._channel = grpc.insecure_channel(settings.target, options, compression)
        self._call = self._channel.unary_unary(_METHODS[signal])

    def send(self, body: bytes, timeout_s: float) -> Answer:
        """One attempt."""
        try:
            return _accepted(self._signal, self._call(body, timeout=timeout_s, metadata=self._metadata))
        except grpc.RpcError as error:
            code = error.code()
            details = error.details() or ""
            return Answer(
                False,
                0,
                f"{code.name}: {details}"[:500],
                code in _RETRYABLE_CODES,
                unsupported=code is grpc.StatusCode.UNIMPLEMENTED,
            )
        except ValueError as error:  # the channel was closed meanwhile
            return Answer(False, 0, str(error))

    def close(self) -> None:
        """Close the channel; a call under way ends."""
        self._channel.close()


class HttpTransport:
    """OTLP/HTTP with protobuf bodies on one kept-alive connection."""

    def __init__(self, signal: str, settings: SignalSettings) -> None:
        self._signal = signal
        url = urlsplit(settings.target)
        self._host, self._port = url.hostname or "", url.port
        self._path = url.path or "/"
        self._tls = settings.tls() if settings.secure else None
        self._gzip = settings.gzip
        self._headers = {**settings.headers, "content-type": "application/x-protobuf"}
        if self._gzip:
            self._headers["content-encoding"] = "gzip"
        self._connection: http.client.HTTPConnection | None = None

    def send(self, body: bytes, timeout_s: float) -> Answer:
        """One attempt; a kept connection that the server has closed meanwhile is opened again once."""
        data = gzip.compress(body, 5, mtime=0) if self._gzip else body
        kept = self._connection is not None
        try:
            try:
                return self._post(data, timeout_s)
            except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
                self.close()
                if not kept:
                    raise
                return self._post(data, timeout_s)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            return Answer(False, 0, f"{type(error).__name__}: {error}"[:500], retryable=True)

    def _post(self, data: bytes, timeout_s: float) -> Answer:
        connection = self._connection
        if connection is None:
            if self._tls is not None:
                connection = http.client.HTTPSConnection(
                    self._host, self._port, timeout=timeout_s, context=self._tls
                )
            else:
                connection = http.client.HTTPConnection(self._host, self._port, timeout=timeout_s)
            self._connection = connection
        if connection.sock is not None:
            connection.sock.settimeout(timeout_s)
        connection.request("POST", self._path, data, self._headers)
        response = connection.getresponse()
        answer = response.read(_ANSWER_BYTES)
        if not response.isclosed():  # more than we care for: the connection cannot be used again
            self.close()
        if 200 <= response.status < 300:
            return _accepted(self._signal, answer)
        return Answer(
            False,
            0,
            f"HTTP {response.status} {response.reason}"[:500],
            response.status in _RETRYABLE_STATUSES,
            _seconds(response.headers.get("retry-after", "")),
            response.status in _NO_SUCH_SERVICE,
        )

    def close(self) -> None:
        """Close the connection; the next send opens a new one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _seconds(text: str) -> float:
    try:
        return max(float(text), 0.0)
    except ValueError:
        return 0.0
