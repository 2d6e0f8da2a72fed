"""OTLP over gRPC."""

from __future__ import annotations

import errno
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final

import grpc
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

from relive_platform.addresses import Address
from relive_platform.signals.receivers.otlp.decoding import PROTOBUF, Refused
from relive_platform.signals.receivers.otlp.entry import Entry
from relive_platform.signals.receivers.otlp.intake import Intake

__all__ = ["GrpcDoor"]

_THREADS: Final = 4
_CALLS: Final = 32
_STREAMS: Final = 16
_SERVICES: Final = {
    "traces": "opentelemetry.proto.collector.trace.v1.TraceService",
    "logs": "opentelemetry.proto.collector.logs.v1.LogsService",
    "metrics": "opentelemetry.proto.collector.metrics.v1.MetricsService",
}
_CODES: Final = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    413: grpc.StatusCode.RESOURCE_EXHAUSTED,
    503: grpc.StatusCode.RESOURCE_EXHAUSTED,
}


class GrpcDoor:
    """A server on one address. Messages come as bytes: they are read where all of them are."""

    def __init__(self, address: Address, intake: Intake, entry: Entry, body_bytes: int) -> None:
        self._intake = intake
        self._entry = entry
        self._body_bytes = body_bytes
        self._server = grpc.server(
            ThreadPoolExecutor(_THREADS, thread_name_prefix="otlp-grpc"),
            maximum_concurrent_rpcs=_CALLS,
            options=[
                ("grpc.so_reuseport", 0),
                ("grpc.max_receive_message_length", body_bytes),
                ("grpc.max_concurrent_streams", _STREAMS),
                ("grpc.max_metadata_size", 16_384),
            ],
        )
        for signal, service in _SERVICES.items():
            method = grpc.unary_unary_rpc_method_handler(self._export(signal))
            self._server.add_generic_rpc_handlers(
                (grpc.method_handlers_generic_handler(service, {"Export": method}),)
            )
        try:
            self.port = self._server.add_insecure_port(str(address))
        except RuntimeError:  # gRPC has its own words for all of them
            raise OSError(errno.EADDRINUSE, "address already in use, or not of this machine") from None

    def start(self) -> None:
        """Serve."""
        self._server.start()

    def stop(self, grace_s: float) -> None:
        """Take nothing more; calls under way get some time."""
        self._server.stop(grace_s).wait(grace_s + 1.0)

    def _export(self, signal: str) -> Callable[[bytes, Any], bytes]:
        return partial(self._take, signal)

    def _take(self, signal: str, body: bytes, context: Any) -> bytes:
        try:
            with self._intake.at_the_door():
                self._entry.check(_texts(context.invocation_metadata()))
                if len(body) > self._body_bytes:
                    raise Refused(413, f"the request is over {self._body_bytes} bytes: send smaller batches")
            return bytes(self._intake.take(signal, body, PROTOBUF).SerializeToString())
        except Refused as refused:
            code = _CODES.get(refused.status, grpc.StatusCode.INVALID_ARGUMENT)
            if refused.retry_s:
                context.set_trailing_metadata((("grpc-status-details-bin", _details(code, refused)),))
            context.abort(code, refused.message)
        return b""


def _texts(metadata: Any) -> dict[str, str]:
    return {pair.key: pair.value for pair in metadata if isinstance(pair.value, str)}


def _details(code: grpc.StatusCode, refused: Refused) -> bytes:
    """When to come again: without it, RESOURCE_EXHAUSTED is final to a client of OTLP."""
    delay = Duration()
    delay.FromMilliseconds(int(refused.retry_s * 1e3))
    status = Status(code=code.value[0], message=refused.message)
    status.details.add().Pack(RetryInfo(retry_delay=delay))
    return bytes(status.SerializeToString())
