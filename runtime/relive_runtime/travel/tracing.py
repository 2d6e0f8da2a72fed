"""What every run of a session is traced with: frames and steps are numbered in the same way in all of them.

Python 3.12 and later have sys.monitoring, which costs a third of sys.settrace for such work.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import FrameType
from typing import Final, Protocol

from relive_runtime.travel.causes.recorder import Recorder
from relive_runtime.travel.watching import Watching

__all__ = ["ROOM", "TICK", "Look", "Own", "Returned", "Stop", "Tick", "Tracer"]

Own = Callable[[str], bool]
"""Whether a file is of the application."""
Look = Callable[[FrameType], int]
"""Called with the frame whose step was just added to a trail; gives the number of steps at which it is to be
called again."""
Tick = Callable[[], None]
"""Called after each 1,024th step."""
Stop = Callable[[FrameType], None]
Returned = Callable[[int, object, int], None]
"""Gets an index, a value, and the step that its frame ran last."""
TICK: Final = 1_024
ROOM: Final = 500
"""Calls that a session needs where the code itself may go no deeper."""


class Tracer(Protocol):
    """One per process. It begins with `trailing`, or with another of its ways; after `trailing`, a process
    that
    was forked off in the middle goes on in another way from there."""

    headroom: int
    """So much deeper than code a function of it, and what that calls, may be."""

    def steps(self) -> int:
        """How many there have been."""

    @property
    def displaced(self) -> bool:
        """Somebody else traces in its place: what ran since has no steps."""

    def number(self, frame: FrameType) -> int:
        """Of a frame, also of one that an exception has ended; NOBODY: it has none."""

    def trailing(self, look: Look) -> None:
        """Add each step to the trail."""

    def stopping(self, target: int, tick: Tick, stop: Stop) -> None:
        """Call `stop` at the step `target`, where the frame stands before its line runs."""

    def watching(self, watching: Watching, tick: Tick) -> None:
        """Tell `watching` what it wants to know of each frame and step."""

    def returning(self, frames: Sequence[int], tick: Tick, returned: Returned) -> None:
        """Tell `returned` what each of `frames` gives back. Of generators, and of what ends with an
        exception,
        nothing."""

    def recording(self, recorder: Recorder) -> None:
        """Tell a journal's `recorder` of everything; from the beginning only."""

    def off(self) -> None:
        """It is over. Idempotent."""
