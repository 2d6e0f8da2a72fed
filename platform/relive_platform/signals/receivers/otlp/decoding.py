"""The body of a request of OTLP: unpacked within limits, then read, as protobuf or as JSON."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable
from typing import Any, Final

import zstandard
from google.protobuf.json_format import ParseDict, ParseError
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

__all__ = ["JSON", "PROTOBUF", "SIGNALS", "Refused", "answer_of", "read", "unpacked"]

PROTOBUF: Final = "application/x-protobuf"
JSON: Final = "application/json"
SIGNALS: Final[dict[str, tuple[Any, Any, str]]] = {
    "traces": (ExportTraceServiceRequest, ExportTraceServiceResponse, "rejected_spans"),
    "logs": (ExportLogsServiceRequest, ExportLogsServiceResponse, "rejected_log_records"),
    "metrics": (ExportMetricsServiceRequest, ExportMetricsServiceResponse, "rejected_data_points"),
}
"""Request, response, and what the response says of records that were refused."""
_IDS: Final = frozenset({"traceId", "spanId", "parentSpanId", "trace_id", "span_id", "parent_span_id"})
_HEX: Final = (16, 32)
_GZIP: Final = 16 + zlib.MAX_WBITS
_DEPTH: Final = 100


class Refused(Exception):
    """A request that cannot be taken: the HTTP status, and why. `retry_s`: it may come again then."""

    def __init__(self, status: int, message: str, retry_s: float = 0.0) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.retry_s = retry_s


def unpacked(body: bytes, encoding: str, limit_bytes: int) -> bytes:
    """`body` without its compression, which stops at the limit: a bomb costs no more than that. Raises
    Refused."""
    if encoding in ("", "identity"):
        return _within(body, limit_bytes)
    unpack = _ENCODINGS.get(encoding)
    if unpack is None:
        raise Refused(415, f"content-encoding {encoding[:40]!r} is not known: send {', '.join(_ENCODINGS)}")
    try:
        return _within(unpack(body, limit_bytes + 1), limit_bytes)
    except (zlib.error, zstandard.ZstdError, EOFError) as error:
        raise Refused(400, f"the body is no {encoding}: {error}") from None


def _within(body: bytes, limit_bytes: int) -> bytes:
    if len(body) > limit_bytes:
        raise Refused(413, f"the request is over {limit_bytes} bytes unpacked: send smaller batches")
    return body


def _ended(eof: bool, behind: bytes) -> None:
    """What is unpacked is all of it, or the sender is told: half of a request can look like a whole one."""
    if not eof:
        raise EOFError("it ends too early")
    if behind:
        raise EOFError("something stands behind its end")


def _inflated(wbits: int) -> Callable[[bytes, int], bytes]:
    def inflate(body: bytes, most: int) -> bytes:
        unpacker = zlib.decompressobj(wbits)
        found = unpacker.decompress(body, most)
        if len(found) < most:
            _ended(unpacker.eof, unpacker.unused_data)
        return found

    return inflate


def _zstd(body: bytes, most: int) -> bytes:
    unpacker = zstandard.ZstdDecompressor(max_window_size=1 << 27)
    with unpacker.stream_reader(body) as reader:
        found = reader.read(most)
    if len(found) < most:  # the reader does not say that it ended too early
        whole = unpacker.decompressobj()
        whole.decompress(body)
        _ended(whole.eof, whole.unused_data)
    return found


_ENCODINGS: Final[dict[str, Callable[[bytes, int], bytes]]] = {
    "gzip": _inflated(_GZIP),
    "deflate": _inflated(zlib.MAX_WBITS),
    "zstd": _zstd,
}


def read(signal: str, body: bytes, content_type: str = PROTOBUF) -> Any:
    """The request message of a signal. Raises Refused."""
    kind = SIGNALS[signal][0]
    try:
        if content_type == PROTOBUF:
            return kind.FromString(body)
        if content_type == JSON:
            return ParseDict(
                _plain_json(json.loads(body)), kind(), ignore_unknown_fields=True, max_recursion_depth=_DEPTH
            )
    except (DecodeError, ParseError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise Refused(400, f"the body is no {kind.DESCRIPTOR.name}: {_short(error)}") from None
    raise Refused(415, f"content-type {content_type[:60]!r} is not known: send {PROTOBUF} or {JSON}")


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


def answer_of(signal: str, refused: int, message: str) -> Any:
    """The response message: of partial success, if something was refused."""
    _, response, name = SIGNALS[signal]
    answer = response()
    if refused or message:
        setattr(answer.partial_success, name, refused)
        answer.partial_success.error_message = message
    return answer


def _plain_json(found: Any) -> Any:
    """OTLP writes ids in hex, where protobuf's own JSON has base64."""
    if not isinstance(found, dict):
        raise ValueError("it is not an object")
    waiting: list[Any] = [found]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting += value
        elif isinstance(value, dict):
            for key in _IDS & value.keys():
                value[key] = _base64(value[key])
            waiting += value.values()
    return found


def _base64(text: Any) -> Any:
    if isinstance(text, str) and len(text) in _HEX:
        try:
            return base64.b64encode(bytes.fromhex(text)).decode()
        except ValueError:
            return ""
    return "" if isinstance(text, str) else text
