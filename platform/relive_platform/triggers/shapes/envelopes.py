"""One shape from the other. Both are JSON documents; what one has no place for is not lost."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote

__all__ = ["ACCOUNT", "REGION", "cloudevent_of", "eventbridge_of", "now_text"]

ACCOUNT: Final = "000000000000"
REGION: Final = "us-east-1"
_EVENTBRIDGE: Final = (
    "version",
    "id",
    "detail-type",
    "source",
    "account",
    "time",
    "region",
    "resources",
    "detail",
)
_CLOUDEVENTS: Final = ("specversion", "id", "source", "type", "time", "subject", "data")
_NAME: Final = re.compile(r"[a-z0-9]{1,64}")


def now_text(now_ns: int = 0) -> str:
    """RFC 3339, to the second."""
    return datetime.fromtimestamp((now_ns or time.time_ns()) // 1_000_000_000, UTC).strftime(
        "%Y-%m-%dT%H:%M:%SZ"
    )


def eventbridge_of(event: Mapping[str, Any]) -> dict[str, Any]:
    """A CloudEvent's JSON as an event of EventBridge: `detail` is the data, and its attributes are beside it,
    under "cloudevents", as far as the envelope has no place for them."""
    subject = event.get("subject")
    made: dict[str, Any] = {
        "version": "0",
        "id": event["id"],
        "detail-type": event["type"],
        "source": event["source"],
        "account": ACCOUNT,
        "time": event.get("time") or now_text(),
        "region": REGION,
        "resources": [subject] if subject else [],
        "detail": event.get("data", {}),
    }
    rest = {name: value for name, value in event.items() if name not in _CLOUDEVENTS}
    return {**made, "cloudevents": rest} if rest else made


def cloudevent_of(event: Mapping[str, Any]) -> dict[str, Any]:
    """An event of EventBridge as CloudEvents' JSON has it."""
    made: dict[str, Any] = {
        "specversion": "1.0",
        "id": str(event["id"]),
        "source": quote(str(event["source"]), safe="/:@!$&'()*+,;=?#[]~%"),
        "type": str(event["detail-type"]),
        "time": event["time"],
    }
    resources = event.get("resources") or []
    if resources:
        made["subject"] = str(resources[0])
    for name, value in event.items():
        if name not in _EVENTBRIDGE and _NAME.fullmatch(name) and isinstance(value, str | int):
            made[name] = value
    return {**made, "datacontenttype": "application/json", "data": event.get("detail", {})}
