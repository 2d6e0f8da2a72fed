"""What a sampler may see beside the stack that it interrupts; by default nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from types import FrameType

from relive_base.kept_builtins import KEPT

__builtins__ = KEPT

__all__ = ["Awaiting", "Outlook"]

Awaiting = tuple[Sequence[FrameType], str]
"""The frames in which a task waits, innermost first, and the id of its span."""


class Outlook:
    """Asked in the sampler's signal handler, on the main thread: no method may run the user's code."""

    looks_at_threads = False

    def span(self) -> str:
        """The id of the function's own span that is open here; "" for none, or the invoke span."""
        return ""

    def awaiting(self, frame: FrameType | None) -> Sequence[Awaiting]:
        """If an event loop waits at `frame`, what its tasks wait for; else nothing."""
        return ()

    def threads(self) -> Iterable[tuple[int, FrameType | None, int]]:
        """Other threads that are to be looked at: the kernel's id, the innermost frame (None: it waits for
        work) and the CPU time in ns of each."""
        return ()
