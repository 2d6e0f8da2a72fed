"""The event of a batch, in the shape of AWS Lambda's for SQS, and what a function answers to it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Collection, Sequence
from typing import Any

import msgspec

from relive_platform.resources.queue.model import MessageAttribute, Received
from relive_platform.resources.queue.naming import QueueNaming
from relive_platform.resources.queue.system import system_attributes

__all__ = ["batch_event", "failed_items", "record_of"]

_encoder = msgspec.json.Encoder()


def batch_event(batch: Sequence[Received], naming: QueueNaming) -> bytes:
    """JSON text of `{"Records": [...]}`."""
    return _encoder.encode({"Records": [record_of(received, naming) for received in batch]})


def record_of(received: Received, naming: QueueNaming) -> dict[str, Any]:
    """One record."""
    message = received.message
    return {
        "messageId": received.message_id,
        "receiptHandle": received.receipt,
        "body": message.body.decode("utf-8", "replace"),
        "attributes": system_attributes(received, naming),
        "messageAttributes": {name: _attribute(value) for name, value in message.attributes.items()},
        "md5OfBody": hashlib.md5(message.body, usedforsecurity=False).hexdigest(),
        "eventSource": "aws:sqs",
        "eventSourceARN": naming.arn(received.queue),
        "awsRegion": naming.region,
    }


def _attribute(value: MessageAttribute) -> dict[str, Any]:
    found: dict[str, Any] = {"stringListValues": [], "binaryListValues": [], "dataType": value.type}
    if value.type.startswith("Binary"):
        found["binaryValue"] = base64.b64encode(value.binary).decode()
    else:
        found["stringValue"] = value.text
    return found


def failed_items(answer: bytes, known: Collection[str]) -> set[str] | None:
    """Message ids that a function says have failed; None if its answer is malformed: then all have. With no
    answer, null, or an object that names no failures, none has: as on Lambda."""
    if not answer.strip():
        return set()
    try:
        document = msgspec.json.decode(answer)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    if document is None:
        return set()
    if not isinstance(document, dict):
        return None
    items = document.get("batchItemFailures")
    if items is None:
        return set()
    if not isinstance(items, list):
        return None
    failed = [item.get("itemIdentifier") if isinstance(item, dict) else None for item in items]
    if any(not isinstance(ident, str) or ident not in known for ident in failed):
        return None
    return {str(ident) for ident in failed}
