"""What an event of a batch looks like: the source's own shape, or CloudEvents."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from relive_platform.triggers.pull.connector import Connector, Record

__all__ = ["CLOUDEVENTS", "as_text", "body_of", "encode", "json_or_text"]

CLOUDEVENTS: Final = "cloudevents"
_encoder = msgspec.json.Encoder()


def encode(record: Record, shape: str, limit_bytes: int) -> int:
    """Write how `record` stands in an event, without its contents if it is over the limit. Its whole size."""
    record.encoded = _encoded(record, shape)
    size = len(record.encoded)
    if size <= limit_bytes:
        return size
    omitted = {"bytes": size, "limit_bytes": limit_bytes}
    record.data = {name: None if name in record.contents else value for name, value in record.data.items()}
    record.data["omitted"] = omitted
    record.payload = {"omitted": omitted}
    record.encoded = _encoded(record, shape)
    return size


def body_of(records: Sequence[Record], shape: str, single: bool, connector: Connector) -> bytes:
    """The event of a batch. `single`: the trigger has batches of one."""
    raw = [msgspec.Raw(record.encoded) for record in records]
    if shape == CLOUDEVENTS:  # its JSON batch format is a list
        return _encoder.encode(raw[0] if single else raw)
    return _encoder.encode(connector.envelope(records, raw))


def _encoded(record: Record, shape: str) -> bytes:
    return _encoder.encode(_cloudevent(record) if shape == CLOUDEVENTS else record.data)


def _cloudevent(record: Record) -> dict[str, Any]:
    found: dict[str, Any] = {
        "specversion": "1.0",
        "id": record.position,
        "source": record.source,
        "type": record.type,
    }
    more = {
        "subject": record.subject,
        "time": record.time,
        "traceparent": record.traceparent,
        "tracestate": record.tracestate,
    }
    found.update((name, value) for name, value in more.items() if value)
    if isinstance(record.payload, bytes):
        content = json_or_text(record.payload)
        if isinstance(content, bytes):
            found["data_base64"] = base64.b64encode(content).decode()
            return found
        record.payload = content
    found["datacontenttype"] = "text/plain" if isinstance(record.payload, str) else "application/json"
    found["data"] = record.payload
    return found


def json_or_text(data: bytes) -> Any:
    """JSON as it is, else text, else the bytes themselves."""
    try:
        msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        text = as_text(data)
        return data if text is None else text
    return msgspec.Raw(data)


def as_text(data: bytes) -> str | None:
    """None for what is not UTF-8."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None
