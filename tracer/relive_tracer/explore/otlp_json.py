"""Traces and logs as OTLP's JSON, which Jaeger opens and the OpenTelemetry Collector reads from files."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Any, Final

from google.protobuf.json_format import MessageToDict

from relive_tracer.explore.models import LogRow, SpanRow
from relive_tracer.explore.otlp_messages import log_tuples, logs_request, span_tuples, traces_request

__all__ = ["logs_json", "trace_json"]

_IDS: Final = frozenset(("traceId", "spanId", "parentSpanId"))
"""OTLP writes them in hex, where protobuf's own JSON has base64."""


def trace_json(spans: Iterable[SpanRow]) -> dict[str, Any]:
    """ExportTraceServiceRequest: {"resourceSpans": [...]}."""
    return _plain(traces_request(span_tuples(spans)))


def logs_json(lines: Iterable[LogRow]) -> dict[str, Any]:
    """ExportLogsServiceRequest: {"resourceLogs": [...]}."""
    return _plain(logs_request(log_tuples(lines)))


def _plain(message: Any) -> dict[str, Any]:
    found: dict[str, Any] = MessageToDict(message, use_integers_for_enums=True)
    waiting: list[Any] = [found]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting += value
        elif isinstance(value, dict):
            for key in _IDS & value.keys():
                value[key] = base64.b64decode(value[key]).hex()
            waiting += value.values()
    return found
