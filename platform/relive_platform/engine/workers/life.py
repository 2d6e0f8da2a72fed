"""A worker's life: which states there are, which leads to which, and what it has to do in each.

    starting -> idle <-> busy -> finishing -> idle, or on to what was sent ahead
                            any of them -> frozen -> gone

Nobody but `WorkerLife` writes these attributes; a test holds that.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Final

from relive_platform.engine.invocation import Running

__all__ = [
    "BUSY",
    "FINISHING",
    "FROZEN",
    "GONE",
    "IDLE",
    "STARTING",
    "TRANSITIONS",
    "WorkerLife",
    "WrongStep",
]

STARTING: Final = "starting"
IDLE: Final = "idle"
BUSY: Final = "busy"
FINISHING: Final = "finishing"  # has answered; the rest of its telemetry is on its way
FROZEN: Final = "frozen"  # out of the pool for good: kept as the live scene, read, walked, or being ended
GONE: Final = "gone"

TRANSITIONS: Final[Mapping[str, frozenset[str]]] = {
    STARTING: frozenset((IDLE, FROZEN, GONE)),
    IDLE: frozenset((BUSY, GONE)),
    BUSY: frozenset((FINISHING, IDLE, FROZEN, GONE)),  # idle: what it was sent came too late to begin
    FINISHING: frozenset((IDLE, BUSY, FROZEN, GONE)),  # busy: with what was sent ahead
    FROZEN: frozenset((GONE,)),
    GONE: frozenset(),
}


class WrongStep(RuntimeError):
    """A fault of ours: a worker cannot get from the one state to the other."""


class WorkerLife:
    """The state of a worker, and the attempts that it has."""

    def __init__(self) -> None:
        self.state = STARTING
        self.current: Running | None = None
        self.ahead: deque[Running] = deque()  # sent already, each begins when the one before it is done
        self.retiring = False  # no further event; leaves once it is done
        self.condemned = (
            ""  # why the supervisor stops it: "timeout", "memory", "crash", "cancelled", "finish"
        )
        self.fingerprint = ""  # of the failure that it is kept for

    def become(self, state: str) -> None:
        """The one way from state to state. Raises WrongStep."""
        if state not in TRANSITIONS[self.state]:
            raise WrongStep(f"a worker that is {self.state} cannot become {state}")
        self.state = state

    def take(self, running: Running) -> bool:
        """It gets an attempt. False: behind the one that it has."""
        if self.current is not None:
            self.ahead.append(running)
            return False
        self.become(BUSY)
        self.current = running
        return True

    def adopt(self, running: Running | None) -> None:
        """An attempt that waited for a worker has one that did not get ready, and fails with it."""
        self.current = running

    def drop(self) -> Running | None:
        """It has its attempt no more, whatever became of it."""
        running, self.current = self.current, None
        return running

    def go_on(self) -> Running | None:
        """What was sent ahead is what it has now."""
        self.current = self.ahead.popleft() if self.ahead else None
        return self.current

    def fail(self, fingerprint: str) -> None:
        """What has just failed in it; "" if nothing has."""
        self.fingerprint = fingerprint

    def retire(self) -> None:
        """It gets no further event."""
        self.retiring = True

    def condemn(self, why: str) -> None:
        """It is being stopped from outside; the first reason stays."""
        self.condemned = self.condemned or why
