"""Calls from function to function."""

from __future__ import annotations

from relive_base.wire.messages.errors import ErrorInfo
from relive_base.wire.messages.frame import Frame

__all__ = ["Call", "CallResult"]


class Call(Frame, tag="call"):
    """A function calls another one through the platform, within `invocation_id`."""

    call_id: int
    function: str
    payload: bytes  # JSON text
    trace_id: str
    parent_span_id: str
    asynchronous: bool = False
    timeout_s: float = 0.0  # 0: what is left of the caller's own time
    depth: int = 0
    idempotency_key: str = ""
    trace_state: str = ""
    sampled: bool = True
    baggage: str = ""
    invocation_id: str = ""


class CallResult(Frame, tag="call_result"):
    """The answer to a Call."""

    call_id: int
    ok: bool
    body: bytes = b""  # JSON text of the result
    error: ErrorInfo | None = None
    invocation_id: str = ""
