"""What every worker makes as it starts, made a few times in the zygote: the interpreter has then adapted its
code, what is found out once is known, and a worker shares the pages instead of copying them."""

from __future__ import annotations

import socket
import time
from typing import Final

from relive_base.wire.messages import (
    AnyFrame,
    FunctionSpec,
    Invoke,
    Ready,
    Result,
    decode_frame,
    encode_payload,
)
from relive_base.wire.sink import FrameSink
from relive_tracer import record as tracer

from relive_runtime.adapters.event.context import LambdaContext
from relive_runtime.adapters.event.decoding import decode_event
from relive_runtime.adapters.results import encode_result
from relive_runtime.worker.calling import Caller
from relive_runtime.worker.channel import Channel
from relive_runtime.worker.failures.background import Background
from relive_runtime.worker.limits.memory import Reserve, held_bytes
from relive_runtime.worker.outside import outside_of

__all__ = ["rehearse"]

_ROUNDS: Final = 9  # from the eighth on code is adapted


def rehearse() -> None:
    """Nothing of it is installed, or stays."""
    for _ in range(_ROUNDS):
        _once()


def _once() -> None:
    spec = FunctionSpec(name="rehearsal", version=0, handler="main:handler")
    invoke = Invoke(invocation_id="", trace_id="", span_id="", deadline_monotonic_ns=0, event=b"null")
    server, worker = socket.socketpair()
    with server, worker:
        sink, channel = FrameSink(worker), Channel(worker)
        telemetry = tracer.Telemetry(_nowhere, spec)
        tracer.rehearse(spec)
        outside = outside_of(spec, 0)
        Caller(sink, channel, 0, outside)
        Reserve().release()
        Background(spec, telemetry)
        telemetry.begin(invoke)
        telemetry.stdout.write("a line\n")
        telemetry.end()
        now = time.time_ns()
        LambdaContext(spec, invoke, "")
        decode_event(b'{"rehearsal": [1, "text", null]}')
        body = encode_result({"rehearsal": [1, "text", None]})
        held_bytes(False)
        for frame in (
            Ready(pid=0, started_ns=now, loaded_ns=now),
            Result(invocation_id="", status="ok", started_ns=now, ended_ns=now, body=body),
        ):
            decode_frame(encode_payload(frame))


def _nowhere(_frame: AnyFrame) -> bool:
    return True
