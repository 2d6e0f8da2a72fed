"""The part `live` of a scene: whether the process that failed is still there. It is kept for a time only."""

from __future__ import annotations

from relive_base.parts import PartState, State, Why, missing, ok

__all__ = ["kept_part", "part_as_of"]


def kept_part(kept_s: float) -> PartState:
    """For a process that is kept for so long at most."""
    return ok(Why.KEPT, kept_s)


def part_as_of(part: PartState, captured_ns: int, now_ns: int) -> PartState:
    """The part as it is at `now_ns`: a process whose time is over is not there any more."""
    kept = part.because(Why.KEPT) if part.state is State.OK else None
    if kept is None or len(kept.arguments) != 1 or isinstance(kept.arguments[0], str):
        return part
    kept_s = kept.arguments[0]
    return part if now_ns - captured_ns <= kept_s * 1e9 else missing(Why.KEPT_TIME_OVER, kept_s)
