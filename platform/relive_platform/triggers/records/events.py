"""Records as events: log lines in the shape of CloudWatch Logs or plainly, failures as events of
EventBridge."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from relive_platform.subscriptions.outbox import Entry
from relive_platform.triggers.shapes import ACCOUNT, REGION, now_text

__all__ = ["failure_event", "logs_event"]


def logs_event(entries: Sequence[Entry], rule: str, shape: str) -> dict[str, Any]:
    """Of one worker's lines. The same lines make the same event, byte for byte."""
    first = entries[0]
    day = datetime.fromtimestamp(first.timestamp_ns // 1_000_000_000, UTC).strftime("%Y/%m/%d")
    group, stream = f"/relive/{first.function}", f"{day}/[{first.version}]{first.instance}"
    if shape == "plain":
        return {
            "function": first.function,
            "version": first.version,
            "logGroup": group,
            "logStream": stream,
            "logEvents": [
                {
                    **_line(entry),
                    "severity": entry.severity,
                    "invocation_id": entry.invocation_id,
                    "trace_id": entry.trace_id,
                    "span_id": entry.span_id,
                }
                for entry in entries
            ],
        }
    document = {
        "messageType": "DATA_MESSAGE",
        "owner": ACCOUNT,
        "logGroup": group,
        "logStream": stream,
        "subscriptionFilters": [rule],
        "logEvents": [_line(entry) for entry in entries],
    }
    packed = gzip.compress(json.dumps(document, separators=(",", ":")).encode(), mtime=0)
    return {"awslogs": {"data": base64.b64encode(packed).decode()}}


def _line(entry: Entry) -> dict[str, Any]:
    known = f"{entry.invocation_id}\0{entry.timestamp_ns}\0{entry.body}"  # wherever it stood in a batch
    digest = hashlib.blake2b(known.encode("utf-8", "replace"), digest_size=18).digest()
    return {
        "id": str(int.from_bytes(digest, "big")).zfill(56)[:56],
        "timestamp": entry.timestamp_ns // 1_000_000,
        "message": entry.body,
    }


def failure_event(entry: Entry) -> dict[str, Any]:
    """One failure."""
    more = entry.more
    return {
        "version": "0",
        "id": f"{entry.invocation_id}-{more['attempt']}",
        "detail-type": "New failure group" if more["first"] else "Failure",
        "source": "relive.failures",
        "account": ACCOUNT,
        "time": now_text(entry.timestamp_ns),
        "region": REGION,
        "resources": [entry.function],
        "detail": {
            "function": entry.function,
            "version": entry.version,
            "app": more["app"],
            "invocation_id": entry.invocation_id,
            "attempt": more["attempt"],
            "kind": more["kind"],
            "type": more["type"],
            "message": entry.body,
            "fingerprint": more["fingerprint"],
            "first": bool(more["first"]),
            "file": more["file"],
            "line": more["line"],
            "in": more["in"],
            "trace_id": entry.trace_id,
            "hint": f"relive failure {entry.invocation_id}",
        },
    }
