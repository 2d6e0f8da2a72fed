"""What an editor's session looks at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from relive_base.wire.inspection import Answer, Ask

__all__ = ["Over", "Target", "Told"]


@dataclass(frozen=True, slots=True)
class Told:
    """What a command has said, and where the debugger stands after it (`moment`, as its prompt says)."""

    text: str
    moment: str = ""


class Over(Exception):
    """There is nothing to look at any more; the message says why, "" if the user ended it."""


class Target(Protocol):
    """One thing to look at. Its methods but `interrupt` are called by one thread, and raise Over."""

    title: str
    reverses: bool
    """Whether it can be gone back in."""

    def ask(self, asked: Ask) -> Answer:
        """A question about what is there."""
        ...

    def command(self, line: str) -> Told:
        """A line for its debugger."""
        ...

    def complete(self, line: str) -> tuple[int, list[str]]:
        """Where the replaced part of a line begins, and what may replace it."""
        ...

    def interrupt(self, *, leave: bool = False) -> None:
        """Ctrl-C for what runs now; `leave`: nobody waits for it any more. By any thread."""
        ...

    def close(self) -> None:
        """Leave it."""
        ...
