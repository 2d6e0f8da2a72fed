"""Spans of invocations, by OTLP over HTTP, as JSON. Everything is redacted first."""

from __future__ import annotations

import http.client
import json
import ssl
import urllib.parse
from typing import Any, Final

from relive_base.redaction.redactor import Redactor

from relive_outside.helper.places import Undelivered
from relive_outside.record.handed import Ended, Handed

__all__ = ["send_spans", "trace_request"]

_TIMEOUT_S: Final = 10.0
_KINDS: Final = {"Internal": 1, "Server": 2, "Consumer": 5}
_ERROR: Final = 2
_PATH: Final = "/v1/traces"


def send_spans(handed: Handed) -> None:
    """Raises Undelivered."""
    parts = urllib.parse.urlsplit(handed.otlp)
    body = json.dumps(trace_request(handed)).encode()
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        context = ssl.create_default_context()
        connection = http.client.HTTPSConnection(
            parts.hostname or "", parts.port, timeout=_TIMEOUT_S, context=context
        )
    else:
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 4318, timeout=_TIMEOUT_S)
    headers = {"Content-Type": "application/json"}
    if handed.token:
        headers["Authorization"] = f"Bearer {handed.token}"
    path = parts.path.rstrip("/")
    path = path if path.endswith(_PATH) else path + _PATH
    try:
        connection.request("POST", path, body=body, headers=headers)
        response = connection.getresponse()
        text = response.read(1_000).decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as error:
        raise Undelivered(f"OTLP to {parts.hostname}: {type(error).__name__}: {error}") from error
    finally:
        connection.close()
    if response.status >= 300:
        raise Undelivered(f"OTLP to {parts.hostname} answered {response.status}: {text[:300]}")


def trace_request(handed: Handed) -> dict[str, Any]:
    """An ExportTraceServiceRequest as JSON has it."""
    redactor = Redactor(handed.redact_keys)
    services: dict[str, list[dict[str, Any]]] = {}
    for span in handed.spans:
        services.setdefault(span.service, []).append(_span(span, redactor))
    host = [_pair("relive.host", handed.host.name)]
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": [_pair("service.name", name), *host]},
                "scopeSpans": [{"scope": {"name": "relive"}, "spans": spans}],
            }
            for name, spans in services.items()
        ]
    }


def _span(span: Ended, redactor: Redactor) -> dict[str, Any]:
    clean: Any = redactor.value(dict(span.attributes), "span", [])
    found: dict[str, Any] = {
        "traceId": span.trace_id,
        "spanId": span.span_id,
        "name": redactor.text(span.name),
        "kind": _KINDS.get(span.kind, 1),
        "startTimeUnixNano": str(span.start_ns),
        "endTimeUnixNano": str(span.end_ns),
        "attributes": [_pair(name, value) for name, value in clean.items()],
    }
    if span.parent_span_id:
        found["parentSpanId"] = span.parent_span_id
    if span.error_type:
        message = redactor.text(span.message)
        found["status"] = {"code": _ERROR, "message": message}
        found["events"] = [
            {
                "name": "exception",
                "timeUnixNano": str(span.end_ns),
                "attributes": [
                    _pair("exception.type", span.error_type),
                    _pair("exception.message", message),
                ],
            }
        ]
    return found


def _pair(name: str, value: object) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"key": name, "value": {"boolValue": value}}
    if isinstance(value, int):
        return {"key": name, "value": {"intValue": str(value)}}
    if isinstance(value, float):
        return {"key": name, "value": {"doubleValue": value}}
    return {"key": name, "value": {"stringValue": str(value)}}
