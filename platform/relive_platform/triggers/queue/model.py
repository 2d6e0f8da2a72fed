"""What goes into the queue and comes out of it, and what can go wrong."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec
from relive_base.errors import NotFound, Refused, UsageError
from relive_base.wire.messages import SpanLink

from relive_platform.durable.model import Clock, DiskFull, QueueBusy, QueueError, SystemClock

__all__ = [
    "BadEventId",
    "Clock",
    "Conflict",
    "Counts",
    "DiskFull",
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


class QueueFull(Refused):
    """The event queue holds as many events of this function as it may."""  # HTTP 429


class Conflict(Refused):
    """This cannot be done to an event now, or its id was given to another event before."""  # HTTP 409


class BadEventId(UsageError):
    """The id that a producer gives its event is too long."""  # HTTP 400


class StaleLease(QueueError):
    """The lease is no longer valid: it ran out, and the event was given to another worker or is finished."""


class UnknownEvent(NotFound):
    """There is no event with this id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueLimits:
    """The server's settings of the queue. Numbers and sizes are those of one function, so that no function
    takes another's room."""

    events: int = 1_000_000  # that wait or run
    event_bytes: int = 8 * 1024**3
    backlog: int = 10_000  # events that wait for the next commit
    dead_keep_events: int = 10_000
    dead_keep_bytes: int = 256 * 1024**2
    dead_keep_s: float = 14 * 86_400.0
    done_keep_events: int = 100_000  # ids of finished events
    done_keep_bytes: int = 64 * 1024**2  # their results
    done_keep_s: float = 86_400.0
    result_bytes: int = 256 * 1024  # of one finished event's result; larger ones are not kept
    ballast_bytes: int = 8 * 1024**2
    lease_s: float = 30.0


class QueuedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One asynchronous event. `body` is kept byte for byte. An empty `event_id` gets a new one.

    `identity`: what makes two sendings with one id the same event; the body if it is empty.
    `trace_id`, `span_id`: the producer's span, which the consumer's trace continues.
    """

    function: str
    body: bytes
    event_id: str = ""
    trigger: str = "api"  # "http" | "timer" | "queue" | "api" | "call", or a kind that pulls: "postgres"
    content_type: str = "application/json"
    trace_id: str = ""
    span_id: str = ""
    trace_state: str = ""
    caller_invocation_id: str = ""
    depth: int = 0
    attributes: dict[str, str] = {}
    retries: int = 2
    max_age_s: float = 21_600.0
    enqueued_ns: int = 0  # set by the queue: the time of acceptance
    not_before_ns: int = 0  # a delay wanted by the producer
    identity: bytes = b""  # not kept
    links: list[SpanLink] = []  # of a batch: the span that each record was sent in


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """An event is durable. `duplicate`: its id and body were accepted before; the rest tells of that one."""

    event_id: str
    duplicate: bool = False
    state: str = "ready"  # "ready" | "leased" | "dead" | "done"
    invocation_id: str = ""  # of the attempt that finished it
    result: bytes | None = None
    accepted: QueuedEvent | None = None  # of a duplicate: the first, without its body, until it is done


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """One delivery. `attempt` counts from 1; `token` fences off deliveries whose lease ran out."""

    event: QueuedEvent
    attempt: int
    token: int
    seq: int
    due_ns: int = 0  # when this delivery became due


@dataclass(frozen=True, slots=True)
class FailOutcome:
    """What became of a failed delivery: "ready" again at `next_at_ns`, or "dead"."""

    state: str
    next_at_ns: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRow:
    """An event as `relive events` lists it. A dead one has no next attempt, but the time it died."""

    event_id: str
    function: str
    state: str
    attempts: int
    next_at_ns: int
    last_error: str
    enqueued_ns: int
    body_bytes: int
    died_ns: int = 0


@dataclass(frozen=True, slots=True)
class Counts:
    """How many events are where, and what their file takes.

    `done`: finished events whose ids are remembered. `dead_dropped`: dead events that their age or their
    limits have removed, ever, by function.
    """

    ready: int = 0
    leased: int = 0
    dead: int = 0
    by_function: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    done: int = 0
    event_bytes: int = 0  # of all that is kept
    dead_dropped: dict[str, int] = field(default_factory=dict)
