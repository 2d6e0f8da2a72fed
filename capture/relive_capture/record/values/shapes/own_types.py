"""What is inside objects that Relive itself gives to a handler."""

from __future__ import annotations

import time
from typing import Any, Final

from relive_capture.record.values.shapes.containers import Shape
from relive_capture.record.values.shapes.descriptors import field, fields

__all__ = ["OWN_SHAPES"]

_CONTEXT: Final = (
    "function_name", "function_version", "aws_request_id", "memory_limit_in_mb", "invoked_function_arn",
    "log_group_name", "log_stream_name", "identity", "client_context", "trace_id",
)  # fmt: skip
_MILLISECOND_NS: Final = 1_000_000


def _lambda_context(obj: Any, limit: int) -> Shape:
    """The handler's second argument, by AWS's names; of the time left, what it would say now."""
    found = [(name, value) for name, value in fields(obj, _CONTEXT) if value is not None]
    left_ns = max(field(obj, "_deadline_monotonic_ns") - time.monotonic_ns(), 0)
    found.insert(3, ("remaining_time_in_millis", left_ns // _MILLISECOND_NS))
    return "(", ")", "fields", len(found), found[:limit]


OWN_SHAPES: Final = (("relive_runtime.adapters.event.context", "LambdaContext", _lambda_context),)
"""As LATE_SHAPES. By name: the runtime's room is above this one."""
