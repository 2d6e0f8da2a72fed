"""Which telemetry is taken of a worker while it runs, and how much: the engine asks, each signal says."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

__all__ = ["LOGS", "METRICS", "SPANS", "Kept", "Take"]


class Kept(Enum):
    """What a scene keeps of a kind of frames: nothing, the first ones, or the last ones."""

    NOTHING = "nothing"
    FIRST = "first"
    LAST = "last"


@dataclass(frozen=True, slots=True)
class Take:
    """A kind of frames, by their tag; an invocation id is their first field. `limit_bytes`: of one
    invocation, as they come; what is more is refused and counted. 0: as much as the function may print,
    which is for lines of text alone."""

    tag: str
    limit_bytes: int
    kept: Kept = Kept.NOTHING


SPANS: Final = Take("spans", 16 * 1_048_576, Kept.FIRST)
LOGS: Final = Take("logs", 0, Kept.LAST)
METRICS: Final = Take("metrics", 8 * 1_048_576)
