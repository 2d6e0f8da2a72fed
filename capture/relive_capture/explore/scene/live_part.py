"""The part `live` of a scene: whether the process that failed is still there. It is kept for a time only."""

from __future__ import annotations

import re
from typing import Final

from relive_base.wire.messages import PartState

__all__ = ["kept_part", "part_as_of"]

_KEPT: Final = re.compile(r"its process is kept, stopped, for ([0-9.]{1,12}(?:e[+-]?[0-9]{1,3})?) s at most")


def kept_part(kept_s: float) -> tuple[str, str]:
    """(state, reason) for a process that is kept for so long at most."""
    return "ok", f"its process is kept, stopped, for {kept_s:g} s at most"


def part_as_of(part: PartState, captured_ns: int, now_ns: int) -> PartState:
    """The part as it is at `now_ns`: a process whose time is over is not there any more."""
    found = _KEPT.fullmatch(part.reason) if part.state == "ok" else None
    if found is None:
        return part
    try:
        kept_s = float(found[1])
    except ValueError:
        return part
    if now_ns - captured_ns <= kept_s * 1e9:
        return part
    return PartState("missing", f"its process was kept, stopped, for {kept_s:g} s at most; that is over")
