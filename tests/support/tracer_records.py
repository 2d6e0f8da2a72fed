"""Invocation records for tests of the tracer, all times around now so that no retention touches them."""

from __future__ import annotations

import time
from typing import Any

from relive_base.ids import new_invocation_id, new_span_id, new_trace_id
from relive_base.records import InvocationRecord
from relive_base.wire.messages import ErrorInfo

__all__ = ["MS", "NOW", "failed_record", "record"]

MS = 1_000_000
NOW = time.time_ns() // MS * MS


def invocation_id_at(at_ns: int) -> str:
    """A UUIDv7 made at that moment: queries for an invocation look at nothing from before its id."""
    millis = f"{at_ns // 1_000_000:012x}"
    return f"{millis[:8]}-{millis[8:]}{new_invocation_id()[13:]}"


def record(at_ns: int = NOW, duration_ns: int = 10 * MS, **more: Any) -> InvocationRecord:
    """A warm HTTP invocation that was accepted at `at_ns` and waited 1 ms."""
    fields: dict[str, Any] = {
        "invocation_id": invocation_id_at(at_ns),
        "function": "checkout",
        "version": 3,
        "app": "shop",
        "trace_id": new_trace_id(),
        "span_id": new_span_id(),
        "trigger_span_id": new_span_id(),
        "trigger": "http",
        "http_method": "POST",
        "http_path": "/fn/checkout/7",
        "http_route": "/checkout",
        "http_status": 200,
        "accepted_ns": at_ns,
        "dispatched_ns": at_ns + MS,
        "started_ns": at_ns + 2 * MS,
        "ended_ns": at_ns + 2 * MS + duration_ns,
        "responded_ns": at_ns + 3 * MS + duration_ns,
        "memory_limit_bytes": 256 << 20,
        "cpu_ns": duration_ns // 2,
        "peak_rss_bytes": 50 << 20,
    }
    return InvocationRecord(**(fields | more))


def failed_record(at_ns: int = NOW, **more: Any) -> InvocationRecord:
    """One that raised a KeyError."""
    error = ErrorInfo(
        type="KeyError",
        message="'sku'",
        file="cart.py",
        line=88,
        function="price",
        fingerprint="abc",
        traceback="Traceback\nKeyError: 'sku'",
    )
    return record(at_ns, **({"status": "error", "http_status": 500, "error": error} | more))
