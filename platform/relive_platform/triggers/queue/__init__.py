"""The durable queue of asynchronous events: at least once, with leases, retries and dead letters."""

from __future__ import annotations

from relive_platform.triggers.queue.backoff import Backoff
from relive_platform.triggers.queue.events import EventQueue
from relive_platform.triggers.queue.model import (
    Clock,
    Conflict,
    Counts,
    DiskFull,
    EventRow,
    FailOutcome,
    Lease,
    QueueBusy,
    QueuedEvent,
    QueueError,
    QueueFull,
    QueueLimits,
    Receipt,
    StaleLease,
    SystemClock,
    UnknownEvent,
)

__all__ = [
    "Backoff",
    "Clock",
    "Conflict",
    "Counts",
    "DiskFull",
    "EventQueue",
    "EventRow",
    "FailOutcome",
    "Lease",
    "QueueBusy",
    "QueueError",
    "QueueFull",
    "QueueLimits",
    "QueuedEvent",
    "Receipt",
    "StaleLease",
    "SystemClock",
    "UnknownEvent",
]
