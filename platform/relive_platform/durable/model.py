"""What a durable file refuses, and where its times come from."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Protocol

from relive_base.errors import Refused, ReliveError

__all__ = ["Clock", "CommitLimits", "DiskFull", "QueueBusy", "QueueError", "SystemClock"]


class QueueError(ReliveError):
    """The event queue cannot do this; nothing was acknowledged."""


class DiskFull(QueueError):
    """The disk is full: no event is accepted, and none was acknowledged."""  # HTTP 507


class QueueBusy(Refused):
    """Too many events of this function wait to be written to the event queue."""  # HTTP 429


class Clock(Protocol):
    """Where times come from; tests give their own."""

    def time_ns(self) -> int:
        """Ns since the epoch; may jump."""

    def monotonic_ns(self) -> int:
        """Ns since some point; never goes back."""


class SystemClock:
    """The machine's clocks."""

    time_ns = staticmethod(time.time_ns)
    monotonic_ns = staticmethod(time.monotonic_ns)


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitLimits:
    """`what`: how errors call the file; `thing`: what is added to it. `backlog`: of one owner's things, that
    wait for the next commit; `setting` raises it. `thread`: the name of the file's thread."""

    what: str = "the event queue"
    thing: str = "events"
    backlog: int = 10_000
    setting: str = "RELIVE_QUEUE_BACKLOG"
    ballast_bytes: int = 8 * 1024**2
    thread: str = "relive-events"
