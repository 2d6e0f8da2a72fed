"""How a connection stands that a process has for another one, where both can read it."""

from __future__ import annotations

from typing import Final, Protocol

__all__ = ["ANSWERS", "BACK", "BEGUN", "GONE", "RESTS", "SENT", "Mark", "Memory"]

SENT: Final = 0
"""It is on its way: the other process has not got it yet."""
RESTS: Final = 1
"""All that was read of it is answered."""
BEGUN: Final = 2
"""A request has begun, and nothing of its answer is written."""
ANSWERS: Final = 3
"""A part of an answer may be written."""
GONE: Final = 4
"""It was closed, or given back."""
BACK: Final = 5
"""It did not arrive: the other process had too many files open. Whoever sent it goes on with it."""


class Memory(Protocol):
    """A byte for each connection."""

    def __setitem__(self, slot: int, state: int, /) -> None: ...


class Mark:
    """Of one connection: a byte of memory that two processes share."""

    __slots__ = ("_memory", "_slot", "state")

    def __init__(self, memory: Memory, slot: int) -> None:
        self._memory = memory
        self._slot = slot
        self.state = SENT

    def tell(self, state: int) -> None:
        """It stands like that from now on."""
        self.state = self._memory[self._slot] = state
