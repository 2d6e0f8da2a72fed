"""Events of objects in the shapes of S3, of EventBridge's S3 events, and of CloudEvents."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote_plus

from relive_platform.triggers.shapes import ACCOUNT, REGION

__all__ = ["ObjectEvent", "encoded_key", "shaped"]

_PRINCIPAL: Final = "relive"


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectEvent:
    """`name`: "ObjectCreated:Put" or "ObjectRemoved:Delete". Size and ETag are those of an object that is
    there."""

    name: str
    ident: str
    bucket: str
    key: bytes
    time_ns: int
    size: int | None = None
    etag: str = ""

    @property
    def sequencer(self) -> str:
        """Of two events of one key, the later one's is greater."""
        return f"{self.time_ns:018X}"


def encoded_key(key: bytes) -> str:
    """As S3 writes keys in its notifications: a blank is "+", a slash stays, what is not UTF-8 is its
    bytes."""
    return quote_plus(key, safe="/*").replace("~", "%7E")


def shaped(event: ObjectEvent, shape: str) -> dict[str, Any]:
    """The document that a function gets."""
    if shape == "eventbridge":
        return _eventbridge(event)
    if shape == "cloudevents":
        return _cloudevent(event)
    return {"Records": [_record(event)]}


def _time(event: ObjectEvent) -> str:
    whole, millis = divmod(event.time_ns // 1_000_000, 1_000)
    return f"{datetime.fromtimestamp(whole, UTC):%Y-%m-%dT%H:%M:%S}.{millis:03d}Z"


def _record(event: ObjectEvent) -> dict[str, Any]:
    told: dict[str, Any] = {"key": encoded_key(event.key)}
    if event.size is not None:
        told |= {"size": event.size, "eTag": event.etag}
    return {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": REGION,
        "eventTime": _time(event),
        "eventName": event.name,
        "userIdentity": {"principalId": _PRINCIPAL},
        "requestParameters": {"sourceIPAddress": "127.0.0.1"},
        "responseElements": {"x-amz-request-id": event.ident, "x-amz-id-2": event.ident},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": f"relive-{event.bucket}",
            "bucket": {
                "name": event.bucket,
                "ownerIdentity": {"principalId": _PRINCIPAL},
                "arn": f"arn:aws:s3:::{event.bucket}",
            },
            "object": {**told, "sequencer": event.sequencer},
        },
    }


def _plain_key(key: bytes) -> str:
    """As text; bytes that are not UTF-8 are replaced."""
    return os.fsdecode(key).encode("utf-8", "replace").decode()


def _eventbridge(event: ObjectEvent) -> dict[str, Any]:
    created = event.size is not None
    told: dict[str, Any] = {"key": _plain_key(event.key)}
    if created:
        told |= {"size": event.size, "etag": event.etag}
    detail: dict[str, Any] = {
        "version": "0",
        "bucket": {"name": event.bucket},
        "object": {**told, "sequencer": event.sequencer},
        "request-id": event.ident,
        "requester": ACCOUNT,
        "source-ip-address": "127.0.0.1",
        "reason": "PutObject" if created else "DeleteObject",
    }
    if not created:
        detail["deletion-type"] = "Permanently Deleted"
    return {
        "version": "0",
        "id": event.ident,
        "detail-type": "Object Created" if created else "Object Deleted",
        "source": "aws.s3",
        "account": ACCOUNT,
        "time": f"{_time(event)[:19]}Z",
        "region": REGION,
        "resources": [f"arn:aws:s3:::{event.bucket}"],
        "detail": detail,
    }


def _cloudevent(event: ObjectEvent) -> dict[str, Any]:
    """As the specification's adapter for S3 says."""
    return {
        "specversion": "1.0",
        "id": event.ident,
        "source": f"aws:s3.{REGION}.{event.bucket}",
        "type": f"com.amazonaws.s3.{event.name}",
        "subject": encoded_key(event.key),
        "time": _time(event),
        "datacontenttype": "application/json",
        "data": _record(event),
    }
