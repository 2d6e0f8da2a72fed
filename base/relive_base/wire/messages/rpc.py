"""Calls of gRPC, which come to a worker past the server's own eyes."""

from __future__ import annotations

from typing import Final

from relive_base.wire.messages.frame import Frame

__all__ = ["CallBegun", "CallStreams", "Wired", "own_id"]

_OWN: Final = 8


def own_id(invocation_id: str, instance: str) -> str:
    """An id that only this worker makes: it ends as the worker's own id begins. So no worker can tell of
    another's invocation."""
    return f"{invocation_id[:-_OWN]}{instance[:_OWN]}" if len(instance) >= _OWN else invocation_id


class CallBegun(Frame, tag="call_begun"):
    """A worker has begun a call: an attempt of its own, that ends with a Result like others. Its ids are the
    worker's; `trace_id` and the parent are the client's, if it has sent a trace along."""

    invocation_id: str
    trace_id: str
    span_id: str
    trigger_span_id: str
    method: str  # "/package.Service/Method"
    began_ns: int
    parent_span_id: str = ""
    trace_state: str = ""
    sampled: bool = True
    user_agent: str = ""


class CallStreams(Frame, tag="call_streams"):
    """The answer of a call has begun, in parts: the time limit of the function was for the first of them."""

    invocation_id: str


class Wired(Frame, tag="wired"):
    """The server joins a client's connection to the worker: it connects to where that listens, on loopback,
    from this port, or has closed that connection. Whoever else connects there is not served."""

    port: int
    made: bool = True
