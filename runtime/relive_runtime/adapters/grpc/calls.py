"""A call of gRPC as an attempt: what its metadata says, and what its status means."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any, Final

from relive_base.ids import new_invocation_ids
from relive_base.traceparent import parse_traceparent
from relive_base.wire.messages import CallBegun, FunctionSpec, Invoke, own_id

from relive_runtime.adapters.table import GRPC

__all__ = ["NO_METHOD", "OK", "SERVER_ERRORS", "UNIMPLEMENTED", "UNKNOWN", "RpcFailed", "begun", "code_of"]

"""The trigger."""

OK: Final = 0
UNKNOWN: Final = 2
UNIMPLEMENTED: Final = 12
NO_METHOD: Final = "Method not found!"  # as grpc says it
SERVER_ERRORS: Final = {
    2: "UNKNOWN", 4: "DEADLINE_EXCEEDED", 12: "UNIMPLEMENTED", 13: "INTERNAL", 14: "UNAVAILABLE",
    15: "DATA_LOSS",
}  # fmt: skip
"""What is the server's fault, by OpenTelemetry's conventions: a call that ends so has failed."""

_SECOND_NS: Final = 1_000_000_000
_STATE_CHARS: Final = 512
_BAGGAGE_CHARS: Final = 8_192
_AGENT_CHARS: Final = 512
_METHOD_CHARS: Final = 512


class RpcFailed(Exception):
    """A call was ended by its handler with a status that says that the server is at fault."""

    __module__ = "builtins"  # users read its bare name


def begun(spec: FunctionSpec, method: str, metadata: Iterable[Any]) -> tuple[Invoke, CallBegun]:
    """The attempt of a call, and what the server is told of it."""
    known = _texts(metadata)
    invocation_id, trace_id, span_id, trigger_span_id = new_invocation_ids()
    invocation_id = own_id(invocation_id, spec.instance)
    parent = parse_traceparent(known.get("traceparent", ""))
    sampled, parent_span_id, trace_state = True, "", ""
    if parent is not None:
        trace_id, parent_span_id, sampled = parent.trace_id, parent.span_id, parent.sampled
        trace_state = known.get("tracestate", "")[:_STATE_CHARS]
    began_ns = time.time_ns()
    invoke = Invoke(
        invocation_id=invocation_id,
        trace_id=trace_id,
        span_id=span_id,
        deadline_monotonic_ns=time.monotonic_ns() + int(spec.timeout_s * _SECOND_NS),
        trigger=GRPC,
        trace_state=trace_state,
        sampled=sampled,
        baggage=known.get("baggage", "")[:_BAGGAGE_CHARS],
    )
    told = CallBegun(
        invocation_id=invocation_id,
        trace_id=trace_id,
        span_id=span_id,
        trigger_span_id=trigger_span_id,
        parent_span_id=parent_span_id,
        trace_state=trace_state,
        sampled=sampled,
        method=method[:_METHOD_CHARS],
        user_agent=known.get("user-agent", "")[:_AGENT_CHARS],
        began_ns=began_ns,
    )
    return invoke, told


def _texts(metadata: Iterable[Any]) -> dict[str, str]:
    """What of it is text; the first of each name counts."""
    found: dict[str, str] = {}
    for name, value in metadata:
        if type(value) is str:
            found.setdefault(name, value)
    return found


def code_of(code: object) -> int:
    """A status as a number: grpc has it as StatusCode, as an int, or None if nobody has set it."""
    if code is None:
        return OK
    value = getattr(code, "value", code)
    if isinstance(value, tuple):
        value = value[0]
    return value if isinstance(value, int) else UNKNOWN
