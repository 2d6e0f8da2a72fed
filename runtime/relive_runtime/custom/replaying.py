"""A program that runs a recorded event again: nothing of what it did outside is to happen twice."""

from __future__ import annotations

import msgspec
from relive_base.wire.messages import FunctionSpec
from relive_capture.recording_format import ReplayInput

from relive_runtime.isolation.offline import cut_network

__all__ = ["cut_for_replay"]


def cut_for_replay(spec: FunctionSpec) -> str:
    """Take the network from this process if it replays, unless its calls are to go out; why that cannot be
    done, or "". Before its rights are taken from it."""
    if not spec.replay or msgspec.msgpack.decode(spec.replay, type=ReplayInput).live:
        return ""
    problem = cut_network()
    if not problem:
        return ""
    return f"its calls would go out: the network cannot be cut off here ({problem}). With --live they may"
