"""What goes into a queue of messages and comes out of it, and what can go wrong."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec
from relive_base.errors import NotFound, Refused, ReliveError, UsageError

__all__ = [
    "BadReceipt",
    "Held",
    "Message",
    "MessageAttribute",
    "MessageLimits",
    "NotInFlight",
    "OverInFlight",
    "PurgeTooOften",
    "QueueCounts",
    "QueueExists",
    "QueueFull",
    "QueueInfo",
    "Received",
    "Redrive",
    "Sent",
    "StaleReceipt",
    "TooLarge",
    "UnknownQueue",
]


class UnknownQueue(NotFound):
    """There is no queue of that name."""


class QueueExists(Refused):
    """There is a queue of that name with other attributes. `field`: the first of QueueInfo that differs."""

    def __init__(self, message: str = "", *, where: str = "", hint: str = "", field: str = "") -> None:
        super().__init__(message, where=where, hint=hint)
        self.field = field


class QueueFull(Refused):
    """The queue holds as many messages as it may."""


class OverInFlight(Refused):
    """As many messages of the queue as may be are received and not deleted."""


class PurgeTooOften(Refused):
    """A queue can be purged once in 60 seconds."""


class TooLarge(UsageError):
    """The message is larger than the queue takes; `limit`, in bytes."""

    def __init__(self, message: str = "", *, where: str = "", hint: str = "", limit: int = 0) -> None:
        super().__init__(message, where=where, hint=hint)
        self.limit = limit


class BadReceipt(UsageError):
    """This is no receipt handle of the queue."""


class StaleReceipt(ReliveError):
    """The receipt handle has expired: the message was received again, or may be."""


class NotInFlight(ReliveError):
    """The message was deleted, or is not received now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageLimits:
    """The server's settings; of each queue, so that none takes another's room."""

    messages: int = 1_000_000
    bytes: int = 8 * 1024**3
    in_flight: int = 120_000
    in_flight_fifo: int = 20_000
    queues: int = 1_000
    backlog: int = 10_000
    ballast_bytes: int = 8 * 1024**2


class Redrive(msgspec.Struct, frozen=True, kw_only=True):
    """Where messages go that were received more than `max_receives` times."""

    queue: str
    max_receives: int


class QueueInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A queue's own state, as it is kept. `name` is SQS's: that of a FIFO queue ends with .fifo."""

    name: str
    fifo: bool = False
    app: str = ""  # that declares it, "" for one that a program has made
    resource: str = ""  # its name in relive.toml
    declared: bool = False
    visibility_timeout_s: int = 30
    delay_s: int = 0
    retention_s: int = 345_600
    wait_s: int = 0
    max_message_bytes: int = 1_048_576
    content_deduplication: bool = False
    group_deduplication: bool = False  # deduplication ids count within a group
    redrive: Redrive | None = None
    max_messages: int = 0  # 0: the server's limit
    max_bytes: int = 0
    created_ns: int = 0
    modified_ns: int = 0
    purged_ns: int = 0
    stored: dict[str, str] = {}  # attributes that are kept and given back, and mean nothing here
    tags: dict[str, str] = {}
    wanted: str = ""  # JSON of what relive.toml said last: only a change of that is applied


class MessageAttribute(msgspec.Struct, frozen=True, array_like=True):
    """A typed attribute of a message; `binary` counts if the type begins with Binary."""

    type: str
    text: str = ""
    binary: bytes = b""


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A message as it was sent. `trace_id`, `span_id`: the span that sent it, which its receiver's trace
    continues. `depth`: how many functions and destinations lie above it."""

    body: bytes
    attributes: dict[str, MessageAttribute] = {}
    trace_header: str = ""  # AWSTraceHeader, as the sender gave it
    group: str = ""
    deduplication_id: str = ""
    sender: str = ""
    trace_id: str = ""
    span_id: str = ""
    trace_state: str = ""
    depth: int = 0
    dead_from: str = ""  # the queue whose dead letter it is
    delay_s: int | None = None  # None: the queue's
    message_id: str = ""  # given by the queue


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A message is durable. `duplicate`: it was sent before, within 5 minutes."""

    message_id: str
    sequence: int
    duplicate: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One delivery of a message."""

    queue: str
    message: Message
    message_id: str
    seq: int
    receipt: str
    receives: int
    sent_ns: int
    first_received_ns: int
    due_ns: int = 0  # since when it could be received
    token: int = 0


@dataclass(frozen=True, slots=True)
class Held:
    """A message in the hands of a receiver: which one, which delivery."""

    seq: int
    token: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueCounts:
    """How much is in a queue, and what has become of its messages since the server started."""

    visible: int = 0
    in_flight: int = 0
    delayed: int = 0
    bytes: int = 0
    oldest_s: float = 0.0  # age of what waits longest
    lag_s: float = 0.0  # how long that could have been received already
    sent: int = 0
    received: int = 0
    deleted: int = 0
    dead: int = 0  # moved to the dead-letter queue
    expired: int = 0
    marks: dict[str, int] = field(default_factory=dict)
