"""What a destination gets, in the shape of AWS Lambda's invocation records."""

from __future__ import annotations

import datetime
from typing import Any, Final

import msgspec
from relive_base.wire.messages import HttpRequest

from relive_platform.triggers.queue.model import QueuedEvent
from relive_platform.triggers.queue.publisher import HTTP_EVENT

__all__ = ["AGED", "EXHAUSTED", "SUCCESS", "failure_record", "success_record"]

SUCCESS: Final = "Success"
EXHAUSTED: Final = "RetriesExhausted"
AGED: Final = "EventAgeExceeded"
_http = msgspec.msgpack.Decoder(HttpRequest)


def success_record(
    event: QueuedEvent, arn: str, attempts: int, request_id: str, version: int, result: bytes
) -> bytes:
    """Of an event whose function has returned `result`."""
    context = {"statusCode": 200, "executedVersion": str(version)}
    return _record(event, arn, attempts, request_id, SUCCESS, context, _json(result))


def failure_record(
    event: QueuedEvent, arn: str, attempts: int, request_id: str, condition: str, error: str
) -> bytes:
    """Of an event that is dead. `error` is what was last said of it, "Type: message"."""
    kind, _, message = error.partition(": ")
    known = bool(message) and " " not in kind
    payload = {"errorType": kind if known else "Error", "errorMessage": message if known else error}
    context = {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"}
    return _record(event, arn, attempts, request_id, condition, context, payload)


def _record(
    event: QueuedEvent,
    arn: str,
    attempts: int,
    request_id: str,
    condition: str,
    context: dict[str, Any],
    payload: Any,
) -> bytes:
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return msgspec.json.encode(
        {
            "version": "1.0",
            "timestamp": now,
            "requestContext": {
                "requestId": request_id,
                "functionArn": f"{arn}:$LATEST",
                "condition": condition,
                "approximateInvokeCount": attempts,
            },
            "requestPayload": _request(event),
            "responseContext": context,
            "responsePayload": payload,
        }
    )


def _request(event: QueuedEvent) -> Any:
    if event.content_type != HTTP_EVENT:
        return _json(event.body)
    try:
        http = _http.decode(event.body)
    except msgspec.MsgspecError:
        return None
    path = http.mount.rstrip("/") + http.path
    body = http.body.decode("utf-8", "replace")
    return {"method": http.method, "path": path, "query": http.query, "body": body}


def _json(data: bytes) -> Any:
    """JSON as it came; what is none of it as text."""
    if not data:
        return None
    try:
        msgspec.json.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return data.decode("utf-8", "replace")
    return msgspec.Raw(data)
